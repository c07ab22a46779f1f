package job_test

import (
	"math/rand/v2"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func TestQueueOrder(t *testing.T) {
	t.Parallel()
	// The ids run against the order that is asked for, except in the last tie.
	place := func(id string, s job.Status, queued, created int64) job.Execution {
		x := execution(with(active(id, created), func(b *job.Brief) { b.CreatedAt = t0 + created }), s)
		x.QueuedAt = t0 + queued
		return x
	}
	want := []job.Execution{
		place("h", job.InProgress, 5, 9), // in progress comes before everything queued
		place("g", job.InProgress, 6, 1),
		place("f", job.Queued, 1, 8),
		place("e", job.Queued, 2, 3), // queued together: the older job
		place("d", job.Queued, 2, 4),
		place("b", job.Queued, 2, 5), // made together, too: the lower id
		place("c", job.Queued, 2, 5),
		place("a", job.Queued, 3, 2),
	}
	for range 20 {
		shuffled := append([]job.Execution(nil), want...)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		q := job.NewQueue(thing1, shuffled)
		same(t, "order", jobIDs(q.Pending("")), jobIDs(want))
	}
}

// TestQueueOrderIsKept shows that changes leave a queue in the order in which it
// would be loaded.
func TestQueueOrderIsKept(t *testing.T) {
	t.Parallel()
	q := queueFor(
		execution(active("job2", 2), job.Queued), execution(active("job1", 1), job.Queued), execution(active("job3", 3), job.Queued))
	progress(t, q, t0+minute, 0) // job2, out of order
	same(t, "order after an out-of-order start", jobIDs(q.Pending("")), []string{"job2", "job1", "job3"})
	q.Job, q.Ref = active("job0", 4), job.Ref{History: true}
	q.Enqueue(4, t0)
	same(t, "order after a late rollout of the same moment", jobIDs(q.Pending("")), []string{"job2", "job0", "job1", "job3"})
}

func TestFrontIsTheFirstPending(t *testing.T) {
	t.Parallel()
	if x, ok := queueFor().Front(""); ok {
		t.Errorf("got front %v of an empty queue, want none", x)
	}
	q := queueFor(execution(active("job2", 2), job.Queued), execution(active("job1", 1), job.InProgress))
	x, ok := q.Front("")
	if !ok || x.Job.ID != "job1" {
		t.Errorf("got front %v, %v, want job1", x.Job, ok)
	}
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		state job.State
		s     job.Status
		want  bool
	}{
		{"queued", job.Active, job.Queued, true},
		{"in progress", job.Active, job.InProgress, true},
		{"what a canceled job has running", job.Stopped, job.InProgress, true},
		{"what waits for a schedule is hidden", job.Scheduled, job.Queued, false},
		{"what runs outside its window stays", job.Scheduled, job.InProgress, true},
		{"what a deletion will take is hidden", job.Deleting, job.Queued, false},
		{"even while it runs", job.Deleting, job.InProgress, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := with(active("job1", 1), func(b *job.Brief) { b.State = c.state })
			q := queueFor(execution(b, c.s))
			_, ok := q.Front("")
			if ok != c.want || (len(q.Pending("")) == 1) != c.want || (len(q.Told("").Set) == 1) != c.want {
				t.Errorf("front %v, pending %v, told %v, want visible: %v", ok, q.Pending(""), q.Told(""), c.want)
			}
			same(t, "live executions", len(q.Live()), 1)
		})
	}
}

func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	other := with(active("job2", 2), func(b *job.Brief) { b.Namespace = "other" })
	q := queueFor(execution(active("job1", 1), job.Queued), execution(other, job.InProgress))
	same(t, "ordinary list", jobIDs(q.Pending("")), []string{"job1"})
	same(t, "other list", jobIDs(q.Pending("other")), []string{"job2"})
	same(t, "third list", jobIDs(q.Pending("third")), nil)
	x, ok, err := q.StartNext("", job.Start{}, t0)
	if err != nil || !ok || x.Job.ID != "job1" {
		t.Errorf("got %v, %v, %v, want job1 started although job2 runs elsewhere", x.Job, ok, err)
	}
	dirty := q.Dirty()
	if len(dirty) != 0 {
		t.Errorf("got dirty %v, want nothing: starting the front tells nobody", dirty)
	}
	q.Job = other
	q.Ref.JobID = other.ID
	if _, err := q.Update(job.Update{Status: job.Succeeded}, t0); err != nil {
		t.Fatal(err)
	}
	same(t, "dirty namespaces", q.Dirty(), []job.Dirty{{Namespace: "other", Told: job.Told{
		Front: job.Key{JobUID: 2, Number: 1}, Set: []job.Key{{JobUID: 2, Number: 1}},
	}}})
}

func TestAskedForWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := active("job1", 1)
	for _, c := range []struct {
		name string
		q    func() *job.Queue
		want string
	}{
		{"no such thing", func() *job.Queue {
			return job.NewQueue(job.Thing{Name: "thing1"}, nil)
		}, "Thing thing1 not found."},
		{"a thing that is gone", func() *job.Queue {
			q := queueFor(execution(b, job.Queued))
			q.Thing.Gone = true
			return q
		}, "Thing thing1 not found."},
		{"no such job", func() *job.Queue {
			q := queueFor(execution(b, job.Queued))
			q.Job, q.Ref = nil, job.Ref{JobID: "job9"}
			return q
		}, "Job job9 not found."},
		{"a job for other things", func() *job.Queue {
			q := queueFor(execution(b, job.Queued))
			q.Job = active("job2", 2)
			return q
		}, "Execution of job job2 on thing thing1 not found."},
		{"another number", func() *job.Queue {
			q := queueFor(execution(b, job.Queued))
			q.Ref.Number = 2
			return q
		}, "Execution 2 of job job1 on thing thing1 not found."},
		{"what is being deleted", func() *job.Queue {
			return queueFor(execution(with(b, func(b *job.Brief) { b.State = job.Deleting }), job.Succeeded))
		}, "Execution of job job1 on thing thing1 not found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.q().Asked()
			refused(t, err, apierr.NotFound, c.want, job.Execution{})
			_, err = c.q().Update(job.Update{Status: job.InProgress}, t0)
			refused(t, err, apierr.NotFound, c.want, job.Execution{})
			_, err = c.q().Cancel(job.Cancel{}, t0)
			refused(t, err, apierr.NotFound, c.want, job.Execution{})
			refused(t, c.q().Delete(true, t0), apierr.NotFound, c.want, job.Execution{})
		})
	}
}

func TestAskedTakesTheLatestOrTheNumber(t *testing.T) {
	t.Parallel()
	b := active("job1", 1)
	first, second, third := execution(b, job.Removed), execution(b, job.Failed), execution(b, job.Queued)
	second.Number, third.Number = 2, 3
	for number, want := range map[int64]int64{0: 3, 1: 1, 2: 2, 3: 3} {
		q := queueFor(first, second, third)
		q.Ref.Number = number
		same(t, "number", asked(t, q).Number, want)
	}
	same(t, "latest of the finished", asked(t, queueFor(second, first)).Number, 2)
}

// TestLoadDoesNotUndo shows that what is loaded for a later caller does not
// bring back what an earlier one changed.
func TestLoadDoesNotUndo(t *testing.T) {
	t.Parallel()
	stored := execution(active("job1", 1), job.Failed)
	q := queueFor(stored)
	q.LoadHead(1, job.Head{})
	if err := q.Delete(false, t0); err != nil {
		t.Fatal(err)
	}
	q.Load(stored)
	q.LoadHead(1, job.Head{})
	if x, err := q.Asked(); err == nil {
		t.Errorf("got %v, want it deleted", x)
	}
	if q.Enqueue(2, t0) {
		t.Error("queued again, want nothing: the number of the deleted one is not forgotten")
	}
}

func TestReturnRestoresEverything(t *testing.T) {
	t.Parallel()
	ended := execution(active("job2", 2), job.Failed)
	q := queueFor(ended, execution(active("job1", 1), job.Queued))
	if _, _, err := q.StartNext("", job.Start{}, t0); err != nil {
		t.Fatal(err)
	}
	before := observe(q)
	m := q.Mark()
	if err := q.Delete(false, t0); err != nil {
		t.Fatal(err)
	}
	q.Leave(50, t0)
	q.Enqueue(60, t0)
	q.RemoveAll(t0)
	if now := observe(q); len(now.Changes) < 3 || len(now.Heads) == 0 || len(now.Live) != 0 {
		t.Fatalf("got %+v, want more changes than that", now)
	}
	q.Return(m)
	same(t, "queue", observe(q), before)
}

// view is everything that can be seen of a queue.
type view struct {
	Live    []job.Execution
	Changes []job.Change
	Heads   map[int64]job.Head
	Dirty   []job.Dirty
	Told    job.Told
	Asked   job.Execution
	Missing string
}

// observe returns copies, so that a queue that changes does not change the view.
func observe(q *job.Queue) view {
	v := view{
		Live: append([]job.Execution(nil), q.Live()...), Changes: q.Changes(),
		Heads: make(map[int64]job.Head), Dirty: q.Dirty(), Told: q.Told(""),
	}
	for uid, h := range q.Heads() {
		v.Heads[uid] = h
	}
	x, err := q.Asked()
	v.Asked = x
	if err != nil {
		v.Missing = err.Error()
	}
	return v
}
