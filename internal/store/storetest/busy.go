package storetest

import (
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

func testBusy(t *testing.T, open Open) {
	b := setup(t, open)
	x := b.things("t", 1)[0]
	part := b.s.PartOf(x.Name)
	parts := make([]int, b.s.Parts())
	for p := range parts {
		parts[p] = p
	}
	// only compares the part of x with what is wanted and all others with nothing.
	only := func(what string, want store.Busy) {
		t.Helper()
		var all []store.Busy
		for _, p := range parts {
			all = append(all, store.Busy{Part: p})
		}
		want.Part = part
		all[part] = want
		same(t, what, read(b, func(r store.Reader) ([]store.Busy, error) { return r.Busy(parts) }), all)
	}
	only("nothing to do", store.Busy{})
	j := b.job("j", func(j *job.Job) { j.TimeoutMinutes = 5 })
	b.enqueue(j, t0, x)
	only("a device to be told", store.Busy{Dirty: true})
	b.report(x, j, job.InProgress, t0)
	only("a timer runs", store.Busy{Dirty: true, Due: t0 + 5*minute})
	b.sent()
	only("told", store.Busy{Due: t0 + 5*minute})
	change := thing.Change{Seq: b.next(), Kind: thing.Deleted, Thing: x.Name, ThingUID: x.UID}
	b.update(func(tx store.Tx) error { return tx.AddChange(change) })
	only("a change to follow", store.Busy{Changes: true, Due: t0 + 5*minute})
	b.update(func(tx store.Tx) error { return tx.DeleteChange(change) })
	b.update(func(tx store.Tx) error {
		return tx.StartWork(j.UID, store.Sweep, store.Cursor{}, b.next(), []int{part})
	})
	only("work to do", store.Busy{Work: true, Due: t0 + 5*minute})
	same(t, "no parts asked for", read(b, func(r store.Reader) ([]store.Busy, error) { return r.Busy(nil) }), nil)
}
