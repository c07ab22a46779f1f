package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

func testTransactions(t *testing.T, open Open) {
	t.Run("an error undoes everything and is returned as it is", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, y, j := b.things("t", 1)[0], b.newThing("new"), b.job("j")
		mine := apierr.New(apierr.LimitExceeded, "mine")
		err := b.fails(func(tx store.Tx) error {
			check(t, tx.InsertThing(y))
			check(t, tx.DeleteThing(x))
			check(t, tx.Queues(refs(j, x), func(q *job.Queue) error { q.Enqueue(j.UID, t0); return nil }))
			check(t, tx.MarkJob(j.UID))
			return mine
		})
		if !errors.Is(err, mine) {
			t.Errorf("got error %v, want the closure's own", err)
		}
		same(t, "things", b.thingNames(), []string{x.Name})
		same(t, "counts", b.counts(j), job.Counts{})
		same(t, "marks", b.marks(), nil)
		same(t, "dirty", b.dirty(), map[string]job.Told{})
	})
	t.Run("a transaction reads its own writes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.newThing("t"), b.newJob("j")
		b.update(func(tx store.Tx) error {
			check(t, tx.InsertThing(x))
			check(t, tx.InsertJob(j, "{}"))
			check(t, tx.Queues(refs(j, x), func(q *job.Queue) error { q.Enqueue(j.UID, t0); return nil }))
			n, err := tx.Counts(j.UID)
			check(t, err)
			same(t, "counts", n, job.Counts{job.Queued: 1})
			j.State = job.Stopped
			check(t, tx.UpdateJob(j))
			check(t, tx.Queues(refs(j, x), func(q *job.Queue) error { q.Settle(t0); return nil }))
			xs, _, _, err := tx.JobExecutions(j.UID, store.ExecutionFilter{}, store.Page[store.JobExecutionKey]{Limit: 5})
			check(t, err)
			same(t, "status", xs[0].Status, job.Canceled)
			return nil
		})
		same(t, "counts", b.counts(j), job.Counts{job.Canceled: 1})
	})
	t.Run("queues that fail inside a transaction leave nothing behind", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 2), b.job("j")
		b.update(func(tx store.Tx) error {
			n := 0
			err := tx.Queues(refs(j, ts...), func(q *job.Queue) error {
				q.Enqueue(j.UID, t0)
				if n++; n == 2 {
					return errStop
				}
				return nil
			})
			if !errors.Is(err, errStop) {
				t.Errorf("got error %v, want the closure's own", err)
			}
			return tx.Queues(refs(j, ts[1]), func(q *job.Queue) error { q.Enqueue(j.UID, t0); return nil })
		})
		same(t, "counts", b.counts(j), job.Counts{job.Queued: 1})
	})
	t.Run("a view is a snapshot and holds nobody up", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		b.things("a", 3)
		b.view(func(r store.Reader) error {
			_, _, _, err := r.Things(store.ThingFilter{}, store.Page[string]{Limit: 1})
			check(t, err)
			b.things("b", 3)
			ts, _, _, err := r.Things(store.ThingFilter{}, store.Page[string]{Limit: 100})
			same(t, "in the view", len(ts), 3)
			return err
		})
		same(t, "afterwards", len(b.thingNames()), 6)
	})
	t.Run("an error of a view is returned as it is", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		if err := b.s.View(t.Context(), func(store.Reader) error { return errStop }); !errors.Is(err, errStop) {
			t.Errorf("got error %v, want the closure's own", err)
		}
	})
	t.Run("nothing is begun for a caller who has left", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ctx := canceled(t.Context())
		for name, call := range b.calls() {
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got error %v, want %v", name, err, context.Canceled)
			}
		}
	})
	t.Run("a closed store is unavailable", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		must(t, b.s.Close())
		for name, call := range b.calls() {
			err := call(t.Context())
			if !apierr.Is(err, apierr.Unavailable) {
				t.Errorf("%s: got error %v, want unavailable", name, err)
			}
		}
		must(t, b.s.Close())
	})
}

// calls returns one call of each kind, none of which must come to its closure.
func (b *bundle) calls() map[string]func(context.Context) error {
	begun := func() { b.Error("the closure runs") }
	return map[string]func(context.Context) error{
		"View": func(ctx context.Context) error {
			return b.s.View(ctx, func(store.Reader) error { begun(); return nil })
		},
		"Update": func(ctx context.Context) error { return b.s.Update(ctx, func(store.Tx) error { begun(); return nil }) },
		"UpdatePart": func(ctx context.Context) error {
			return b.s.UpdatePart(ctx, 0, 1, func(store.Tx) error { begun(); return nil })
		},
		"UpdateQueues": func(ctx context.Context) error {
			return b.s.UpdateQueues(ctx, []job.Ref{{Thing: "t"}}, func(*job.Queue) error { begun(); return nil })
		},
		"Floor": func(ctx context.Context) error { _, err := b.s.Floor(ctx); return err },
	}
}

func (b *bundle) thingNames() []string {
	b.Helper()
	var names []string
	for _, x := range pages(b, 100, func(r store.Reader, p store.Page[string]) ([]thing.Thing, string, bool, error) {
		return r.Things(store.ThingFilter{}, p)
	}) {
		names = append(names, x.Name)
	}
	return names
}

func testParts(t *testing.T, open Open) {
	t.Run("a name has one part", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		used := map[int]int{}
		for i := range 1000 * b.s.Parts() {
			name := fmt.Sprintf("thing-%d", i)
			p := b.s.PartOf(name)
			if p < 0 || p >= b.s.Parts() || p != b.s.PartOf(name) {
				t.Fatalf("part %d of %s, want one of %d and always the same", p, name, b.s.Parts())
			}
			used[p]++
		}
		for p := range b.s.Parts() {
			if used[p] < 500 || used[p] > 2000 {
				t.Errorf("part %d has %d things, want about 1000", p, used[p])
			}
		}
	})
	t.Run("an older fence is refused and writes nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		last := b.s.Parts() - 1
		put := func(part int, fence int64, err error) error {
			return b.s.UpdatePart(t.Context(), part, fence, func(tx store.Tx) error {
				check(t, tx.PutTags("r", []store.Tag{{Key: "fence", Value: fmt.Sprint(fence)}}))
				return err
			})
		}
		check := func(want string) {
			t.Helper()
			same(t, "stored", read(b, func(r store.Reader) ([]store.Tag, error) { return r.Tags("r") }), []store.Tag{{Key: "fence", Value: want}})
		}
		must(t, put(last, 5, nil))
		must(t, put(last, 5, nil))
		kind(t, put(last, 4, nil), apierr.Conflict)
		check("5")
		must(t, put(last, 0, nil)) // not checked
		check("0")
		if err := put(last, 7, errStop); !errors.Is(err, errStop) {
			t.Errorf("got error %v, want the closure's own", err)
		}
		check("0")
		kind(t, put(last, 6, nil), apierr.Conflict) // 7 has been seen
		must(t, put(last, 8, nil))
		check("8")
		if last > 0 {
			must(t, put(0, 1, nil)) // each part has its own
		}
	})
}

func testFloor(t *testing.T, open Open) {
	b := setup(t, open)
	const day = 24 * 60 * minute << 20
	for _, c := range []struct {
		name  string
		store func(tx store.Tx, uid int64) error
	}{
		{"job", func(tx store.Tx, uid int64) error {
			j := b.newJob("j")
			j.UID = uid
			return tx.InsertJob(j, "{}")
		}},
		{"thing", func(tx store.Tx, uid int64) error { return tx.InsertThing(thing.Thing{UID: uid, Name: "t", ID: "i"}) }},
		{"type", func(tx store.Tx, uid int64) error { return tx.InsertType(thing.Type{UID: uid, Name: "t", ID: "i"}) }},
		{"group", func(tx store.Tx, uid int64) error {
			return tx.InsertGroup(thing.Group{UID: uid, Name: "g", ID: "i", Path: []int64{uid}})
		}},
		{"member", func(tx store.Tx, uid int64) error {
			return tx.InsertMember(thing.Member{UID: uid, GroupUID: 1, ThingUID: 2, Thing: "t"})
		}},
		{"change", func(tx store.Tx, uid int64) error {
			return tx.AddChange(thing.Change{Seq: uid, Kind: thing.Joined, Thing: "t"})
		}},
		{"work", func(tx store.Tx, uid int64) error { return tx.StartWork(1, store.Rollout, store.Cursor{}, uid, nil) }},
	} {
		b.uid.Add(day) // steps ahead must not hide a missing case
		uid := b.next()
		if err := b.s.Update(t.Context(), func(tx store.Tx) error { check(t, c.store(tx, uid)); return errStop }); !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		b.update(func(tx store.Tx) error { return c.store(tx, uid) })
		floor, err := b.s.Floor(t.Context())
		must(t, err)
		if floor < uid {
			t.Errorf("%s: floor %d, want at least the uid stored, %d", c.name, floor, uid)
		}
	}
}
