package storetest

import (
	"errors"
	"fmt"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// Place returns a function that opens one and the same database, empty at
// first. It is called again only after the store that it returned was closed.
type Place func(t *testing.T) func() store.Store

// RunReopen shows that everything is there after a store was closed and opened again.
func RunReopen(t *testing.T, place Place) {
	t.Run("everything is there", func(t *testing.T) {
		t.Parallel()
		open := place(t)
		b := newBundle(t, open())
		b.everything()
		before := b.dump()
		parts := b.s.Parts()
		floor, err := b.s.Floor(t.Context())
		must(t, err)
		must(t, b.s.Close())

		b.s = open()
		same(t, "contents", b.dump(), before)
		same(t, "parts", b.s.Parts(), parts)
		again, err := b.s.Floor(t.Context())
		must(t, err)
		if again < floor {
			t.Errorf("floor %d, was %d", again, floor)
		}
		kind(t, b.s.UpdatePart(t.Context(), 0, 8, func(store.Tx) error { return nil }), apierr.Conflict)
		must(t, b.s.Close())
	})
	t.Run("order goes on growing", func(t *testing.T) {
		t.Parallel()
		open := place(t)
		b := newBundle(t, open())
		x, j, k := b.things("t", 1)[0], b.job("j"), b.job("k")
		b.enqueue(j, t0, x)
		b.update(func(tx store.Tx) error { return tx.MarkJob(j.UID) })
		row := func() store.Dirty {
			return read(b, func(r store.Reader) ([]store.Dirty, error) {
				return r.Dirty(b.s.PartOf(x.Name), store.Page[int64]{Limit: 1})
			})[0]
		}
		seq := row().Seq
		for range 3 {
			must(t, b.s.Close())
			b.s = open()
		}
		b.enqueue(k, t0, x)
		b.update(func(tx store.Tx) error { return tx.MarkJob(k.UID) })
		if row().Seq <= seq {
			t.Errorf("seq %d after %d, want a greater one", row().Seq, seq)
		}
		same(t, "marks", b.marks(), []int64{j.UID, k.UID})
		must(t, b.s.Close())
	})
}

// everything stores something of every kind.
func (b *bundle) everything() {
	ts, j := b.things("t", 9), b.job("j", full)
	root := b.group("root", thing.Group{})
	g := b.group("g", root)
	dead := b.group("dead", root)
	k := b.job("k", func(j *job.Job) { j.TimeoutMinutes = 3 })
	b.enqueue(j, t0, ts...)
	b.enqueue(k, t0, ts[:4]...)
	b.report(ts[0], k, job.InProgress, t0)
	b.report(ts[1], k, job.Failed, t0)
	must(b.T, b.change(refs(k, ts[2])[0], func(q *job.Queue) error { q.Leave(b.next(), t0); return nil }))
	b.update(func(tx store.Tx) error {
		return errors.Join(
			tx.InsertType(thing.Type{UID: b.next(), Name: "type", ID: "i", Searchable: []string{"s"}}),
			tx.InsertMember(thing.Member{UID: b.next(), GroupUID: g.UID, ThingUID: ts[0].UID, Thing: ts[0].Name}),
			tx.DeleteGroup(dead),
			tx.AddChange(thing.Change{Seq: b.next(), Kind: thing.Joined, Thing: ts[0].Name, ThingUID: ts[0].UID, GroupPath: g.Path}),
			tx.PutTags("r", []store.Tag{{Key: "k", Value: "v"}}),
			tx.InsertKey(store.AccessKey{ID: "AKIA", Sealed: []byte{1}, CreatedAt: t0}),
			tx.StartWork(j.UID, store.Rollout, store.Cursor{Target: 1}, b.next(), nil),
			tx.MarkJob(j.UID),
		)
	})
	must(b.T, b.s.UpdatePart(b.Context(), 0, 9, func(store.Tx) error { return nil }))
}

// dump returns everything that a reader sees.
func (b *bundle) dump() map[string]any {
	b.Helper()
	all := map[string]any{"dirty": b.dirty(), "due": b.due(1 << 60), "next": b.nextDue(), "marks": b.marks()}
	b.view(func(r store.Reader) error {
		put := func(name string, v any, err error) {
			check(b.T, err)
			all[name] = v
		}
		jobs, _, _, err := r.Jobs(store.JobFilter{}, store.Page[store.JobKey]{Limit: 100})
		put("jobs", jobs, err)
		for _, j := range jobs {
			xs, _, _, err := r.JobExecutions(j.UID, store.ExecutionFilter{}, store.Page[store.JobExecutionKey]{Limit: 100})
			put("executions of "+j.ID, xs, err)
			n, err := r.Counts(j.UID)
			put("counts of "+j.ID, n, err)
			d, err := r.Document(j.UID)
			put("document of "+j.ID, d, err)
			w, err := r.JobWork(j.UID)
			put("work of "+j.ID, w, err)
		}
		ts, _, _, err := r.Things(store.ThingFilter{}, store.Page[string]{Limit: 100})
		put("things", ts, err)
		for _, x := range ts {
			ms, err := r.Memberships(x.Name, x.UID)
			put("memberships of "+x.Name, ms, err)
		}
		gs, _, _, err := r.Groups(store.GroupFilter{}, store.Page[string]{Limit: 100})
		put("groups", gs, err)
		types, _, err := r.Types(store.Page[string]{Limit: 100})
		put("types", types, err)
		dead, err := r.DeadGroups(100)
		put("dead groups", dead, err)
		tags, err := r.Tags("r")
		put("tags", tags, err)
		keys, err := r.Keys()
		put("keys", keys, err)
		for p := range b.s.Parts() {
			cs, err := r.Changes(p, 100)
			put(fmt.Sprint("changes of part ", p), cs, err)
		}
		return nil
	})
	return all
}
