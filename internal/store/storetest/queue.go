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

func testQueues(t *testing.T, open Open) {
	t.Run("an execution goes through its life", testLife(open))
	t.Run("a queue says whose it is", testOwner(open))
	t.Run("the job's state comes from the transaction", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j", func(j *job.Job) { j.Namespace, j.TimeoutMinutes = "ns", 5 })
		b.enqueue(j, t0, x)
		same(t, "brief", b.queue(ref(x, j)).Live()[0].Job, &j.Brief)
		j.State, j.Forced, j.TimeoutMinutes = job.Stopped, true, 9
		b.update(func(tx store.Tx) error {
			check(t, tx.UpdateJob(j))
			q, err := tx.Queue(ref(x, j))
			check(t, err)
			same(t, "brief in the transaction", q.Job, &j.Brief)
			return nil
		})
		must(t, b.change(ref(x, j), func(q *job.Queue) error {
			same(t, "brief of the queue", q.Job, &j.Brief)
			same(t, "brief of the execution", q.Live()[0].Job, &j.Brief)
			return nil
		}))
	})
	t.Run("refs of one thing see each other's changes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 2), b.job("j")
		b.enqueue(j, t0, ts...)
		r, other := ref(ts[0], j), ref(ts[1], j)
		var versions []int64
		must(t, b.s.UpdateQueues(t.Context(), []job.Ref{r, other, r}, func(q *job.Queue) error {
			x, err := q.Update(job.Update{Status: job.InProgress}, t0)
			versions = append(versions, x.Version)
			return err
		}))
		same(t, "versions", versions, []int64{2, 2, 3})
		x, err := b.queue(r).Asked()
		must(t, err)
		same(t, "stored version", x.Version, int64(3))
	})
	t.Run("a failing ref undoes the whole call", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 3), b.job("j")
		b.enqueue(j, t0, ts...)
		before := b.executions(j, store.ExecutionFilter{}, 10)
		n := 0
		err := b.s.UpdateQueues(t.Context(), refs(j, ts...), func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: job.Succeeded}, t0)
			check(t, err)
			if n++; n == len(ts) {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			t.Errorf("got error %v, want the closure's own", err)
		}
		same(t, "executions", b.executions(j, store.ExecutionFilter{}, 10), before)
		same(t, "counts", b.counts(j), job.Counts{job.Queued: 3})
	})
	t.Run("many things in order", testMany(open))
	t.Run("what is asked for comes along, live or finished", testAsked(open))
	t.Run("what was deleted in the transaction uncovers the one before", testUncovered(open))
	t.Run("a panic is the caller's error", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		b.enqueue(j, t0, x)
		kind(t, b.change(ref(x, j), func(q *job.Queue) error {
			q.RemoveAll(t0)
			panic("in a queue")
		}), apierr.Internal)
		kind(t, b.s.Update(t.Context(), func(tx store.Tx) error {
			check(t, tx.DeleteThing(x))
			panic("in a transaction")
		}), apierr.Internal)
		same(t, "counts", b.counts(j), job.Counts{job.Queued: 1})
		b.report(x, j, job.Succeeded, t0)
	})
}

func testLife(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j", func(j *job.Job) { j.TimeoutMinutes = 5 })
		b.enqueue(j, t0, x)
		want := job.Execution{
			Thing: x.Name, ThingUID: x.UID, Job: &j.Brief, Number: 1, Status: job.Queued, Version: 1,
			QueuedAt: t0, UpdatedAt: t0, Cause: j.UID,
		}
		check := func(counts job.Counts) {
			t.Helper()
			got, err := b.queue(ref(x, j)).Asked()
			must(t, err)
			same(t, "asked", got, want)
			same(t, "of the job", b.executions(j, store.ExecutionFilter{}, 5), []job.Execution{want})
			same(t, "counts", b.counts(j), counts)
		}
		check(job.Counts{job.Queued: 1})

		details := map[string]string{"step": `"1" of ü`, "": ""}
		must(t, b.change(ref(x, j), func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: job.InProgress, Details: details, StepTimeoutMinutes: 2}, t0+10)
			return err
		}))
		want.Status, want.Version, want.Details = job.InProgress, 2, details
		want.StartedAt, want.UpdatedAt = t0+10, t0+10
		want.InProgressDeadline, want.StepDeadline = t0+10+5*minute, t0+10+2*minute
		check(job.Counts{job.InProgress: 1})

		must(t, b.change(ref(x, j), func(q *job.Queue) error {
			_, err := q.Cancel(job.Cancel{Force: true}, t0+20)
			return err
		}))
		want.Status, want.Version, want.ForceCanceled, want.UpdatedAt = job.Canceled, 3, true, t0+20
		want.InProgressDeadline, want.StepDeadline = 0, 0
		check(job.Counts{job.Canceled: 1})
		if live := b.queue(ref(x, j)).Live(); len(live) != 0 {
			t.Errorf("live: %v, want none", live)
		}

		r := ref(x, j)
		r.History = true
		must(t, b.change(r, func(q *job.Queue) error { return q.Delete(false, t0+30) }))
		_, err := b.queue(ref(x, j)).Asked()
		kind(t, err, apierr.NotFound)
		same(t, "counts", b.counts(j), job.Counts{})
		same(t, "of the job", b.executions(j, store.ExecutionFilter{}, 5), nil)
	}
}

func testOwner(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		old, j := b.things("t", 1)[0], b.job("j")
		b.enqueue(j, t0, old)
		check := func(what string, r job.Ref, want job.Thing, live int) {
			t.Helper()
			check := func(q *job.Queue) error {
				same(t, what, q.Thing, want)
				same(t, what+": ref", q.Ref, r)
				same(t, what+": live", len(q.Live()), live)
				return nil
			}
			must(t, check(b.queue(r)))
			must(t, b.change(r, check))
		}
		check("registered", job.Ref{Thing: old.Name}, job.Thing{Name: old.Name, UID: old.UID}, 1)
		check("by uid", job.Ref{Thing: old.Name, ThingUID: old.UID}, job.Thing{Name: old.Name, UID: old.UID}, 1)
		check("unknown", job.Ref{Thing: "nobody"}, job.Thing{Name: "nobody", Gone: true}, 0)

		b.update(func(tx store.Tx) error { return tx.DeleteThing(old) })
		check("deleted", job.Ref{Thing: old.Name}, job.Thing{Name: old.Name, Gone: true}, 0)
		check("deleted, by uid", job.Ref{Thing: old.Name, ThingUID: old.UID}, job.Thing{Name: old.Name, UID: old.UID, Gone: true}, 1)

		again := b.newThing(old.Name)
		b.update(func(tx store.Tx) error { return tx.InsertThing(again) })
		check("made again", job.Ref{Thing: old.Name}, job.Thing{Name: old.Name, UID: again.UID}, 0)
		check("the old one", job.Ref{Thing: old.Name, ThingUID: old.UID}, job.Thing{Name: old.Name, UID: old.UID, Gone: true}, 1)
		var owners []job.Thing
		must(t, b.s.UpdateQueues(t.Context(), []job.Ref{{Thing: old.Name}, {Thing: old.Name, ThingUID: old.UID}, {Thing: old.Name, ThingUID: again.UID}, {Thing: "nobody"}}, func(q *job.Queue) error {
			owners = append(owners, q.Thing)
			return nil
		}))
		same(t, "together", owners, []job.Thing{
			{Name: old.Name, UID: again.UID},
			{Name: old.Name, UID: old.UID, Gone: true},
			{Name: old.Name, UID: again.UID},
			{Name: "nobody", Gone: true},
		})
	}
}

// rerun leaves job j on x as canceled once, removed once and queued last.
func (b *bundle) rerun(x thing.Thing, j job.Job) {
	b.Helper()
	leave := func(seq, now int64) {
		must(b.T, b.change(refs(j, x)[0], func(q *job.Queue) error {
			if !q.Leave(seq, now) {
				return errors.New("not left")
			}
			return nil
		}))
	}
	enqueue := func(seq, now int64) {
		must(b.T, b.change(refs(j, x)[0], func(q *job.Queue) error {
			if !q.Enqueue(seq, now) {
				return errors.New("not queued")
			}
			return nil
		}))
	}
	enqueue(b.next(), t0)
	b.report(x, j, job.Failed, t0+1)
	leave(b.next(), t0+2)
	enqueue(b.next(), t0+3)
	leave(b.next(), t0+4)
	enqueue(b.next(), t0+5)
}

func testAsked(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j, k := b.things("t", 1)[0], b.job("j"), b.job("k")
		b.rerun(x, j)
		b.enqueue(k, t0, x)
		b.report(x, k, job.Succeeded, t0)
		for _, c := range []struct {
			name   string
			ref    job.Ref
			status job.Status // None: not found
		}{
			{"the latest", job.Ref{JobID: "j"}, job.Queued},
			{"the latest by uid", job.Ref{JobUID: j.UID}, job.Queued},
			{"by number", job.Ref{JobID: "j", Number: 3}, job.Queued},
			{"a finished number", job.Ref{JobID: "j", Number: 1}, job.Failed},
			{"another finished number", job.Ref{JobID: "j", Number: 2}, job.Removed},
			{"a number that is not there", job.Ref{JobID: "j", Number: 4}, job.None},
			{"finished", job.Ref{JobID: "k"}, job.Succeeded},
			{"finished, by uid and number", job.Ref{JobUID: k.UID, Number: 1}, job.Succeeded},
			{"no such job", job.Ref{JobID: "l"}, job.None},
			{"no such uid", job.Ref{JobUID: 3}, job.None},
		} {
			c.ref.Thing = x.Name
			for _, history := range []bool{false, true} {
				c.ref.History = history
				check := func(q *job.Queue) error {
					got, err := q.Asked()
					if c.status == job.None {
						kind(t, err, apierr.NotFound)
						return nil
					}
					same(t, c.name, got.Status, c.status)
					return err
				}
				must(t, check(b.queue(c.ref)))
				must(t, b.change(c.ref, check))
			}
		}
		must(t, b.change(job.Ref{Thing: x.Name, JobID: "nothing"}, func(q *job.Queue) error {
			if q.Job != nil {
				t.Errorf("job %v, want none", q.Job)
			}
			return nil
		}))
	}
}

func testUncovered(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		b.rerun(x, j)
		r := refs(j, x)[0]
		plain := ref(x, j)
		step := 0
		var seen []int64
		must(t, b.s.UpdateQueues(t.Context(), []job.Ref{plain, r, plain, r, plain, r, plain}, func(q *job.Queue) error {
			step++
			if step%2 == 0 {
				return q.Delete(true, t0+9)
			}
			got, err := q.Asked()
			if err != nil {
				kind(t, err, apierr.NotFound)
			}
			seen = append(seen, got.Number)
			return nil
		}))
		same(t, "numbers", seen, []int64{3, 2, 1, 0})
		same(t, "counts", b.counts(j), job.Counts{})
		must(t, b.change(r, func(q *job.Queue) error {
			q.Leave(b.next(), t0+10)
			q.Enqueue(b.next(), t0+10)
			got, err := q.Asked()
			same(t, "no number is used twice", got.Number, int64(4))
			return err
		}))
	}
}

// testHistory shows what the engine's rollouts and continuous jobs stand on.
func testHistory(t *testing.T, open Open) {
	b := setup(t, open)
	ts, j := b.things("t", 40), b.job("j")
	b.enqueue(j, t0, ts...)
	for i, x := range ts {
		switch i % 4 {
		case 1:
			b.report(x, j, job.Succeeded, t0)
		case 2:
			must(t, b.change(refs(j, x)[0], func(q *job.Queue) error { return q.Delete(true, t0) }))
		case 3:
			must(t, b.change(refs(j, x)[0], func(q *job.Queue) error { q.Leave(b.next(), t0); return nil }))
		}
	}
	fresh := b.things("u", 5)
	queued := map[string]int64{}
	again := b.next()
	must(t, b.s.UpdateQueues(t.Context(), refs(j, append(ts, fresh...)...), func(q *job.Queue) error {
		if q.Enqueue(again, t0+1) {
			x, err := q.Asked()
			queued[q.Thing.Name] = x.Number
			return err
		}
		return nil
	}))
	want := map[string]int64{}
	for _, x := range fresh {
		want[x.Name] = 1
	}
	for i := 3; i < len(ts); i += 4 { // those that had left
		want[ts[i].Name] = 2
	}
	same(t, "queued again", queued, want)
	same(t, "counts", b.counts(j), job.Counts{job.Queued: 25, job.Succeeded: 10, job.Removed: 10})

	var live []job.Ref
	for p := range b.s.Parts() {
		for after := int64(0); ; {
			rs := read(b, func(r store.Reader) ([]job.Ref, error) { return r.LiveThings(p, j.UID, after, 3) })
			live = append(live, rs...)
			if len(rs) == 0 {
				break
			}
			after = rs[len(rs)-1].ThingUID
		}
	}
	got, wanted := map[string]bool{}, map[string]bool{}
	for _, r := range live {
		same(t, "job of the ref", r.JobUID, j.UID)
		got[fmt.Sprint(r.Thing, r.ThingUID)] = true
	}
	for i, x := range append(ts, fresh...) {
		if i%4 == 0 || i%4 == 3 || i >= len(ts) {
			wanted[fmt.Sprint(x.Name, x.UID)] = true
		}
	}
	same(t, "live things", got, wanted)
	same(t, "each once", len(live), len(wanted))
}
