package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// Move closes a store, moves what it holds into another one, which may have
// another number of parts, and returns that.
type Move func(t *testing.T, from store.Store) store.Store

// RunMove shows that everything is there after it was moved out of an empty
// store that open returns, and that it goes on from there.
func RunMove(t *testing.T, open Open, move Move) {
	t.Parallel()
	b := setup(t, open)
	b.everything()
	b.stored()
	before := b.dumpAll()
	j, err := b.jobByID("k")
	must(t, err)
	n := b.counts(j)

	b.s = move(t, b.s)
	same(t, "contents", b.dumpAll(), before)

	// What was loaded is found again under its thing: in the right part.
	for _, x := range b.executions(j, store.ExecutionFilter{}, 100) {
		if !x.Status.Pending() {
			continue
		}
		must(t, b.change(job.Ref{Thing: x.Thing, JobID: "k"}, func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: job.Succeeded}, t0+1)
			return err
		}))
		n[x.Status]--
		n[job.Succeeded]++
	}
	same(t, "counts", b.counts(j), n)
	b.sent()
	same(t, "dirty", b.dirty(), map[string]job.Told{})
	if !slices.Contains(b.marks(), j.UID) {
		t.Errorf("marked %v, want %d among them, which has finished", b.marks(), j.UID)
	}
}

func (b *bundle) jobByID(id string) (job.Job, error) {
	b.Helper()
	var j job.Job
	err := b.s.View(b.Context(), func(r store.Reader) error {
		var err error
		j, err = r.JobByID(id)
		return err
	})
	return j, err
}

// stored stores what everything leaves out.
func (b *bundle) stored() {
	b.Helper()
	ts := b.things("more", 40)
	many := b.job("many")
	b.enqueue(many, t0, ts...)
	for i, x := range ts {
		must(b.T, b.change(ref(x, many), func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: job.Status(1 + i%4), StepTimeoutMinutes: int64(i % 3)}, t0+int64(i))
			if i%4 == 0 {
				return nil
			}
			return err
		}))
	}
	gone := ts[7]
	must(b.T, b.change(refs(many, gone)[0], func(q *job.Queue) error { q.Leave(b.next(), t0); return nil }))
	b.update(func(tx store.Tx) error {
		return errors.Join(
			tx.DeleteThing(gone),
			tx.AddChange(thing.Change{Seq: b.next(), Kind: thing.Deleted, Thing: gone.Name, ThingUID: gone.UID}),
			tx.PutSessions([]store.Session{
				{Key: sessionKey(1), ClientID: "ünï", Version: 5, Expiry: 3, Ends: 4, Subscriptions: []store.SessionSubscription{{Filter: "a/#", QoS: 1}}},
				{Key: sessionKey(2), ClientID: "c"},
			}),
			tx.PutSessionMessages([]store.SessionMessage{
				{SessionPlace: store.SessionPlace{Key: sessionKey(1), Seq: 1}, Retain: true, Packet: []byte{0, 255, '|'}},
				{SessionPlace: store.SessionPlace{Key: sessionKey(1), Seq: 2}, Expires: 9},
			}),
			tx.PutRetained(store.Retained{Topic: "t|~", Expires: 1, Packet: []byte("p")}),
		)
	})
}

// dumpAll is dump and what it leaves out, however many parts there are.
func (b *bundle) dumpAll() map[string]any {
	b.Helper()
	all := b.dump()
	var changes []thing.Change
	for p := range b.s.Parts() {
		key := fmt.Sprint("changes of part ", p)
		cs, _ := all[key].([]thing.Change)
		changes = append(changes, cs...)
		delete(all, key)
	}
	slices.SortFunc(changes, func(x, y thing.Change) int { return cmp.Compare(x.Seq, y.Seq) })
	all["changes"] = changes
	due := b.due(1 << 60)
	slices.SortFunc(due, func(x, y job.Ref) int {
		return cmp.Or(cmp.Compare(x.ThingUID, y.ThingUID), cmp.Compare(x.JobUID, y.JobUID))
	})
	all["due"] = due
	for key, v := range all {
		switch v := v.(type) {
		case []store.Work: // each part's is the same
			if len(v) > 0 && len(v) != b.s.Parts() {
				b.Errorf("%s: %d pieces for %d parts", key, len(v), b.s.Parts())
			}
			for i := range v {
				v[i].Part = 0
			}
			all[key] = slices.Compact(v)
		case []job.Execution:
			slices.SortFunc(v, func(x, y job.Execution) int {
				return cmp.Or(cmp.Compare(x.ThingUID, y.ThingUID), cmp.Compare(x.Number, y.Number))
			})
		}
	}
	b.view(func(r store.Reader) error {
		ss, _, err := r.Sessions(store.Page[store.SessionKey]{Limit: 100})
		check(b.T, err)
		ms, _, err := r.SessionMessages(store.Page[store.SessionPlace]{Limit: 100})
		check(b.T, err)
		rs, _, err := r.Retained(store.Page[string]{Limit: 100})
		all["sessions"], all["messages"], all["retained"] = ss, ms, rs
		return err
	})
	return all
}
