package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// fleet is what a store is filled with before something is measured on it.
type fleet struct {
	// things is how many there are; thingName names them.
	things int
	// busy gives each an execution of job liveJob in progress, with details as
	// the updates that are measured write them: rows keep their size.
	busy bool
	// finished is how many jobs each has brought to an end before.
	finished int
	// grouped makes all members of group.
	grouped bool
	// probes is how many busy things there are beside them; see probeName.
	probes int
}

const (
	liveJob  = "firmware-2026-11"
	group    = "fleet"
	document = `{"operation":"install","url":"https://firmware.example/2026-11.bin"}`
)

func thingName(i int) string { return string(appendThing(nil, i)) }

func appendThing(b []byte, i int) []byte {
	const digits = "0000000"
	n := strconv.Itoa(i)
	return append(append(append(b, "device-"...), digits[:max(0, len(digits)-len(n))]...), n...)
}

func probeName(i int) string { return "probe-" + strconv.Itoa(i) }

// details are what a device says of its progress; always of the same length.
func details(i int) map[string]string {
	return map[string]string{"progress": strconv.Itoa(10 + i%90), "step": "download"}
}

// seedChunk is how many things share a transaction of the seeding.
const seedChunk = 5000

// seeding fills one store through its API, as engine and registry would.
type seeding struct {
	store *sqlite.Store
	uids  job.UIDs
	group thing.Group
	live  job.Job
}

// seed makes a store in dir. What is there afterwards is in the database file: no log is left.
func seed(ctx context.Context, dir string, f fleet) (err error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d := &seeding{store: s}
	if err := d.begin(ctx); err != nil {
		return err
	}
	for from := 0; from < f.things; from += seedChunk {
		if err := d.things(ctx, f, from, min(from+seedChunk, f.things)); err != nil {
			return err
		}
	}
	for n := range f.finished {
		if err := d.finish(ctx, n, f.things); err != nil {
			return err
		}
	}
	return s.Update(ctx, func(tx store.Tx) error {
		for i := range f.probes {
			if err := d.thing(tx, probeName(i), false); err != nil {
				return err
			}
		}
		return d.start(tx, names(f.probes, 0, probeName))
	})
}

func (d *seeding) uid() int64 { return d.uids.Next(time.Now().UnixMilli()) }

func (d *seeding) job(tx store.Tx, id string) (job.Job, error) {
	j := job.New(job.Spec{ID: id, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.GroupTarget, Name: group, UID: d.group.UID}}},
		d.uid(), time.Now().UnixMilli())
	return j, tx.InsertJob(j, document)
}

func (d *seeding) begin(ctx context.Context) error {
	uid := d.uid()
	d.group = thing.Group{UID: uid, Name: group, ID: group, Path: []int64{uid}, Version: 1, CreatedAt: time.Now().UnixMilli()}
	return d.store.Update(ctx, func(tx store.Tx) error {
		if err := tx.InsertGroup(d.group); err != nil {
			return err
		}
		var err error
		d.live, err = d.job(tx, liveJob)
		return err
	})
}

func (d *seeding) things(ctx context.Context, f fleet, from, to int) error {
	return d.store.Update(ctx, func(tx store.Tx) error {
		for i := from; i < to; i++ {
			if err := d.thing(tx, thingName(i), f.grouped); err != nil {
				return err
			}
		}
		if !f.busy {
			return nil
		}
		return d.start(tx, names(to-from, from, thingName))
	})
}

func (d *seeding) thing(tx store.Tx, name string, member bool) error {
	uid := d.uid()
	t := thing.Thing{UID: uid, Name: name, ID: fmt.Sprintf("%032x", uid), Version: 1, CreatedAt: time.Now().UnixMilli()}
	if err := tx.InsertThing(t); err != nil || !member {
		return err
	}
	return tx.InsertMember(thing.Member{UID: d.uid(), GroupUID: d.group.UID, ThingUID: uid, Thing: name})
}

// start gives each thing an execution of the live job in progress.
func (d *seeding) start(tx store.Tx, things []string) error {
	return d.run(tx, things, d.live.UID, job.InProgress)
}

// finish makes all things finish one more job.
func (d *seeding) finish(ctx context.Context, n, things int) error {
	for from := 0; from < things; from += seedChunk {
		err := d.store.Update(ctx, func(tx store.Tx) error {
			id := fmt.Sprintf("%s-before-%d", liveJob, n)
			j, err := tx.JobByID(id)
			if from == 0 {
				j, err = d.job(tx, id)
			}
			if err != nil {
				return err
			}
			return d.run(tx, names(min(seedChunk, things-from), from, thingName), j.UID, job.Succeeded)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// run queues a job on things and brings it to a status.
func (d *seeding) run(tx store.Tx, things []string, jobUID int64, to job.Status) error {
	refs := make([]job.Ref, len(things))
	for i, name := range things {
		refs[i] = job.Ref{Thing: name, JobUID: jobUID, History: true}
	}
	now := time.Now().UnixMilli()
	return tx.Queues(refs, func(q *job.Queue) error {
		q.Mute()
		q.Enqueue(jobUID, now)
		_, err := q.Update(job.Update{Status: to, Details: details(int(q.Thing.UID))}, now)
		return err
	})
}

func names(n, from int, name func(int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = name(from + i)
	}
	return out
}
