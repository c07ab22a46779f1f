package storetest

import (
	"fmt"
	"slices"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

func testWork(t *testing.T, open Open) {
	b := setup(t, open)
	parts := b.s.Parts()
	first, second := b.next(), b.next()
	at := store.Cursor{Target: 1, GroupUID: 2, ThingUID: 3}
	seq1, seq2 := b.next(), b.next()
	b.update(func(tx store.Tx) error {
		check(t, tx.StartWork(second, store.Sweep, store.Cursor{}, seq2, nil))
		return tx.StartWork(first, store.Rollout, at, seq1, nil)
	})
	work := func(part, limit int) []store.Work {
		return read(b, func(r store.Reader) ([]store.Work, error) { return r.Work(part, limit) })
	}
	ofJob := func(uid int64) []store.Work {
		return read(b, func(r store.Reader) ([]store.Work, error) { return r.JobWork(uid) })
	}
	w1 := store.Work{JobUID: first, Kind: store.Rollout, Cursor: at, Seq: seq1}
	w2 := store.Work{JobUID: second, Kind: store.Sweep, Seq: seq2}
	var all []store.Work
	for p := range parts {
		w1.Part, w2.Part = p, p
		same(t, "work", work(p, 10), []store.Work{w1, w2})
		same(t, "oldest", work(p, 1), []store.Work{w1})
		all = append(all, w1)
	}
	same(t, "of the job", ofJob(first), all)

	// Saved and finished, unless replaced.
	w1.Part, w1.Cursor.ThingUID = 0, 99
	b.update(func(tx store.Tx) error {
		ok, err := tx.SaveWork(w1)
		same(t, "saved", ok, true)
		return err
	})
	same(t, "work", work(0, 1), []store.Work{w1})
	replaced := store.Work{JobUID: first, Kind: store.Purge, Seq: b.next()}
	b.update(func(tx store.Tx) error {
		return tx.StartWork(first, store.Purge, store.Cursor{}, replaced.Seq, []int{0})
	})
	b.update(func(tx store.Tx) error {
		ok, err := tx.SaveWork(w1)
		same(t, "saved", ok, false)
		check(t, err)
		return tx.FinishWork(w1)
	})
	same(t, "replaced", work(0, 10), []store.Work{{JobUID: second, Kind: store.Sweep, Seq: seq2}, replaced})
	same(t, "marks", b.marks(), nil)
	b.update(func(tx store.Tx) error { return tx.FinishWork(replaced) })
	same(t, "rest", ofJob(first), all[1:])
	same(t, "marks", b.marks(), []int64{first})
}

// marks returns the uids of the jobs that are marked.
func (b *bundle) marks() []int64 {
	b.Helper()
	var uids []int64
	for _, m := range read(b, func(r store.Reader) ([]store.JobMark, error) { return r.MarkedJobs(1000) }) {
		uids = append(uids, m.JobUID)
	}
	return uids
}

func testMarks(t *testing.T, open Open) {
	t.Run("a job is marked when its last live execution goes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j, k := b.things("t", 3), b.job("j"), b.job("k")
		b.enqueue(j, t0, ts...)
		b.enqueue(k, t0, ts...)
		// Every part loses its last one somewhere on the way: what counts is that
		// the mark is there in the end.
		for _, x := range ts {
			b.report(x, j, job.InProgress, t0)
		}
		same(t, "while they run", b.marks(), nil)
		for _, x := range ts {
			b.report(x, j, job.Succeeded, t0)
		}
		if !slices.Contains(b.marks(), j.UID) || slices.Contains(b.marks(), k.UID) {
			t.Errorf("marked %v, want %d and not %d", b.marks(), j.UID, k.UID)
		}
	})
	t.Run("a mark that was set again stays", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		first, second := b.next(), b.next()
		for _, uid := range []int64{second, first} {
			b.update(func(tx store.Tx) error { return tx.MarkJob(uid) })
		}
		marks := func() []store.JobMark {
			return read(b, func(r store.Reader) ([]store.JobMark, error) { return r.MarkedJobs(1) })
		}
		old := marks()[0]
		same(t, "oldest", old.JobUID, second)
		b.update(func(tx store.Tx) error { return tx.MarkJob(second) })
		b.update(func(tx store.Tx) error { return tx.UnmarkJob(old) })
		same(t, "marks", b.marks(), []int64{first, second})
		for range 2 {
			m := marks()[0]
			b.update(func(tx store.Tx) error { return tx.UnmarkJob(m) })
		}
		same(t, "marks", b.marks(), nil)
	})
	t.Run("a deleted job leaves nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 30), b.job("j")
		b.enqueue(j, t0, ts...)
		for _, x := range ts {
			b.report(x, j, job.Failed, t0)
		}
		must(t, b.s.UpdateQueues(t.Context(), refs(j, ts[:9]...), func(q *job.Queue) error { q.Leave(b.next(), t0); return nil }))
		b.purge(j, 4)
		same(t, "executions", b.executions(j, store.ExecutionFilter{}, 10), nil)
		same(t, "counts", b.counts(j), job.Counts{})
		b.update(func(tx store.Tx) error { return tx.DeleteJob(j.UID) })
		same(t, "marks", b.marks(), nil)
		// A job that had its uid would start from nothing.
		b.update(func(tx store.Tx) error { return tx.InsertJob(j, "{}") })
		b.enqueue(j, t0, ts...)
		for _, x := range b.executions(j, store.ExecutionFilter{}, 100) {
			same(t, "number", x.Number, int64(1))
		}
	})
}

// purge removes the finished executions of a job, limit at a time.
func (b *bundle) purge(j job.Job, limit int) {
	b.Helper()
	for p := range b.s.Parts() {
		for n := limit; n == limit; {
			b.update(func(tx store.Tx) error {
				var err error
				n, err = tx.DeleteFinished(p, j.UID, limit)
				if n > limit {
					b.Errorf("deleted %d, want %d at most", n, limit)
				}
				return err
			})
		}
	}
}

// due returns the refs of all parts that are due.
func (b *bundle) due(now int64) []job.Ref {
	b.Helper()
	var all []job.Ref
	for p := range b.s.Parts() {
		all = append(all, read(b, func(r store.Reader) ([]job.Ref, error) { return r.Due(p, now, 1000) })...)
	}
	return all
}

// nextDue returns the earliest stored deadline of all parts, or 0.
func (b *bundle) nextDue() int64 {
	b.Helper()
	var first int64
	for p := range b.s.Parts() {
		due := read(b, func(r store.Reader) (int64, error) { return r.NextDue(p) })
		if due != 0 && (first == 0 || due < first) {
			first = due
		}
	}
	return first
}

func testDeadlines(t *testing.T, open Open) {
	step := func(b *bundle, x thing.Thing, j job.Job, minutes, now int64) {
		must(b.T, b.change(ref(x, j), func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: job.InProgress, StepTimeoutMinutes: minutes}, now)
			return err
		}))
	}
	t.Run("the stored deadline is never late and goes with the execution", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j", func(j *job.Job) { j.TimeoutMinutes = 60 })
		r := []job.Ref{{Thing: x.Name, ThingUID: x.UID, JobUID: j.UID, Number: 1}}
		b.enqueue(j, t0, x)
		same(t, "none is queued", b.nextDue(), int64(0))
		step(b, x, j, 10, t0)
		same(t, "started", b.nextDue(), int64(t0+10*minute))
		step(b, x, j, 20, t0)
		if due := b.nextDue(); due == 0 || due > t0+20*minute {
			t.Errorf("extended: %d, want none later than %d", due, t0+20*minute)
		}
		step(b, x, j, 5, t0)
		same(t, "shortened", b.nextDue(), int64(t0+5*minute))
		same(t, "not due", b.due(t0+5*minute-1), nil)
		same(t, "due", b.due(t0+5*minute), r)

		step(b, x, j, -1, t0+1)
		b.update(func(tx store.Tx) error { return tx.Rearm(r) })
		same(t, "rearmed", b.nextDue(), int64(t0+60*minute))
		b.report(x, j, job.Succeeded, t0+2)
		same(t, "finished", b.nextDue(), int64(0))
		b.update(func(tx store.Tx) error { return tx.Rearm(r) })
		same(t, "rearmed when finished", b.nextDue(), int64(0))
	})
	t.Run("a stopped timer is forgotten when it is looked at", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		b.enqueue(j, t0, x)
		step(b, x, j, 10, t0)
		step(b, x, j, -1, t0)
		due := b.due(t0 + 10*minute)
		b.update(func(tx store.Tx) error { return tx.Rearm(due) })
		same(t, "rearmed", b.nextDue(), int64(0))
		step(b, x, j, 30, t0)
		same(t, "started again", b.nextDue(), int64(t0+30*minute))
	})
	t.Run("earliest first", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 12), b.job("j")
		b.enqueue(j, t0, ts...)
		want := map[int][]job.Ref{}
		for i := range ts {
			x := ts[i*7%12]
			step(b, x, j, 60-int64(i), t0)
			p := b.s.PartOf(x.Name)
			want[p] = append([]job.Ref{{Thing: x.Name, ThingUID: x.UID, JobUID: j.UID, Number: 1}}, want[p]...)
		}
		for p, refs := range want {
			due := func(limit int) []job.Ref {
				return read(b, func(r store.Reader) ([]job.Ref, error) { return r.Due(p, t0+60*minute, limit) })
			}
			same(t, fmt.Sprint("due in part ", p), due(100), refs)
			same(t, "the first", due(1), refs[:1])
		}
		must(t, b.s.UpdateQueues(t.Context(), b.due(t0+60*minute), func(q *job.Queue) error { q.Settle(t0 + 60*minute); return nil }))
		same(t, "after all have fired", b.nextDue(), int64(0))
		same(t, "counts", b.counts(j), job.Counts{job.TimedOut: 12})
	})
}

// dirty returns the dirty rows of all parts by thing and namespace, without Seq.
func (b *bundle) dirty() map[string]job.Told {
	b.Helper()
	all := map[string]job.Told{}
	for p := range b.s.Parts() {
		for _, d := range read(b, func(r store.Reader) ([]store.Dirty, error) { return r.Dirty(p, store.Page[int64]{Limit: 1000}) }) {
			same(b.T, "part", d.Part, p)
			all[dirtyKey(d.Thing, d.ThingUID, d.Namespace)] = d.Told
		}
	}
	return all
}

func dirtyKey(name string, uid int64, namespace string) string {
	return fmt.Sprintf("%s %d %q", name, uid, namespace)
}

// sent says that everything has been told.
func (b *bundle) sent() {
	b.Helper()
	b.update(func(tx store.Tx) error {
		for p := range b.s.Parts() {
			ds, err := tx.Dirty(p, store.Page[int64]{Limit: 1000})
			if err != nil {
				return err
			}
			for _, d := range ds {
				q, err := tx.Queue(job.Ref{Thing: d.Thing, ThingUID: d.ThingUID})
				if err != nil {
					return err
				}
				err = tx.Sent(d, q.Told(d.Namespace))
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func testOutbox(t *testing.T, open Open) {
	t.Run("a row keeps what was told before the first change", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j, k := b.things("t", 1)[0], b.job("j"), b.job("k")
		key := dirtyKey(x.Name, x.UID, "")
		b.enqueue(j, t0, x)
		same(t, "nothing was told", b.dirty(), map[string]job.Told{key: {}})
		b.sent()
		same(t, "sent", b.dirty(), map[string]job.Told{})
		told := b.queue(job.Ref{Thing: x.Name}).Told("")
		b.report(x, j, job.InProgress, t0)
		same(t, "progress is no news", b.dirty(), map[string]job.Told{})
		b.enqueue(k, t0, x)
		b.report(x, j, job.Succeeded, t0)
		b.report(x, k, job.Succeeded, t0)
		same(t, "after a burst", b.dirty(), map[string]job.Told{key: told})
	})
	t.Run("a row that was changed since stays with what was sent", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j, k := b.things("t", 1)[0], b.job("j"), b.job("k")
		b.enqueue(j, t0, x)
		old := read(b, func(r store.Reader) ([]store.Dirty, error) {
			return r.Dirty(b.s.PartOf(x.Name), store.Page[int64]{Limit: 1})
		})[0]
		told := b.queue(job.Ref{Thing: x.Name}).Told("")
		b.enqueue(k, t0, x)
		b.update(func(tx store.Tx) error { return tx.Sent(old, told) })
		same(t, "dirty", b.dirty(), map[string]job.Told{dirtyKey(x.Name, x.UID, ""): told})
		d := read(b, func(r store.Reader) ([]store.Dirty, error) {
			return r.Dirty(b.s.PartOf(x.Name), store.Page[int64]{Limit: 1})
		})[0]
		if d.Seq <= old.Seq {
			t.Errorf("seq %d after %d, want a greater one", d.Seq, old.Seq)
		}
		b.update(func(tx store.Tx) error { return tx.Sent(old, job.Told{}) })
		b.update(func(tx store.Tx) error { return tx.Sent(d, job.Told{}) })
		same(t, "sent", b.dirty(), map[string]job.Told{})
		b.update(func(tx store.Tx) error { return tx.Sent(d, job.Told{}) })
		same(t, "sent again", b.dirty(), map[string]job.Told{})
	})
	t.Run("each thing and namespace has its own row, oldest first", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts := b.things("t", 10)
		j, k := b.job("j"), b.job("k", func(j *job.Job) { j.Namespace = "ns" })
		want := map[int][]string{}
		for _, x := range ts {
			b.enqueue(k, t0, x)
			b.enqueue(j, t0, x)
			p := b.s.PartOf(x.Name)
			want[p] = append(want[p], dirtyKey(x.Name, x.UID, "ns"), dirtyKey(x.Name, x.UID, ""))
		}
		for p, keys := range want {
			for _, limit := range []int{1, 100} {
				var got []string
				for _, d := range read(b, func(r store.Reader) ([]store.Dirty, error) { return r.Dirty(p, store.Page[int64]{Limit: limit}) }) {
					got = append(got, dirtyKey(d.Thing, d.ThingUID, d.Namespace))
				}
				same(t, "rows", got, keys[:min(limit, len(keys))])
			}
			var got []string
			for page := (store.Page[int64]{Limit: 3}); ; {
				ds := read(b, func(r store.Reader) ([]store.Dirty, error) { return r.Dirty(p, page) })
				if len(ds) == 0 {
					break
				}
				for _, d := range ds {
					got, page.After = append(got, dirtyKey(d.Thing, d.ThingUID, d.Namespace)), d.Since
				}
			}
			same(t, "rows by pages", got, keys)
		}
	})
	t.Run("a failed call leaves no row", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x, j := b.things("t", 1)[0], b.job("j")
		err := b.change(refs(j, x)[0], func(q *job.Queue) error {
			q.Enqueue(j.UID, t0)
			return errStop
		})
		if err == nil {
			t.Error("no error")
		}
		same(t, "dirty", b.dirty(), map[string]job.Told{})
		must(t, b.change(refs(j, x)[0], func(q *job.Queue) error {
			q.Mute()
			q.Enqueue(j.UID, t0)
			return nil
		}))
		same(t, "muted", b.dirty(), map[string]job.Told{})
	})
}
