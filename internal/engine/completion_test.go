package engine_test

import (
	"context"
	"errors"
	"testing"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
)

var errDamaged = errors.New("damaged")

// damaged is a store in which one job cannot be read by loops.
type damaged struct {
	store.Store
	job int64
}

func (d *damaged) Update(ctx context.Context, fn func(store.Tx) error) error {
	return d.Store.Update(ctx, func(tx store.Tx) error { return fn(damagedTx{tx, d.job}) })
}

func (d *damaged) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	return d.Store.UpdatePart(ctx, part, fence, func(tx store.Tx) error { return fn(damagedTx{tx, d.job}) })
}

type damagedTx struct {
	store.Tx
	job int64
}

func (d damagedTx) JobByUID(uid int64) (job.Job, error) {
	if uid == d.job {
		return job.Job{}, errDamaged
	}
	return d.Tx.JobByUID(uid)
}

// damage makes a job unreadable for the loops of a new engine.
func (w *world) damage(id string) {
	w.t.Helper()
	w.conf.Store = &damaged{w.store, w.describe(id).UID}
	var err error
	w.Engine, err = engine.New(w.ctx(), w.conf)
	w.must(err)
}

// round runs every loop once and reports whether one met the damage.
func (w *world) round() bool {
	w.t.Helper()
	met := false
	for _, l := range w.Loops() {
		_, err := l.Once(w.ctx(), w.clock())
		if err != nil && !errors.Is(err, errDamaged) {
			w.t.Fatal(err)
		}
		met = met || err != nil
	}
	return met
}

func TestJobThatCannotBeReadStopsNoCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("bad", targets(toThing("a")))
	w.update("a", "bad", job.Succeeded)
	w.damage("bad")
	w.create("good", targets(toThing("b")))
	w.update("b", "good", job.Succeeded)
	if !w.round() {
		t.Error("the damage was not met")
	}
	w.wantJob("good", job.Completed, map[job.Status]int64{job.Succeeded: 1})
}

func TestJobThatCannotBeReadStopsNoRollout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fleet("g", 1200)
	w.create("bad", targets(toGroup("g"))) // the first 500 at once
	w.damage("bad")
	w.create("good", targets(toGroup("g")))
	met := false
	for range 5 {
		met = w.round() || met
	}
	if !met {
		t.Error("the damage was not met")
	}
	w.wantJob("good", job.Active, map[job.Status]int64{job.Queued: 1200})
}
