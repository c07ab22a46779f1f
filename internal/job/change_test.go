package job_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"muster/internal/job"
)

// TestNotices is the table of [jobs-comm-notifications]: notify if the set of
// pending executions changed, notify-next if its first did.
func TestNotices(t *testing.T) {
	t.Parallel()
	queued := func(id string, uid int64) job.Execution {
		x := execution(active(id, uid), job.Queued)
		x.QueuedAt += uid
		return x
	}
	running := func(id string, uid int64) job.Execution {
		x := queued(id, uid)
		x.Status = job.InProgress
		return x
	}
	end := func(s job.Status) func(*testing.T, *job.Queue) {
		return func(t *testing.T, q *job.Queue) {
			t.Helper()
			if _, err := q.Update(job.Update{Status: s}, t0); err != nil {
				t.Fatal(err)
			}
		}
	}
	enqueue := func(_ *testing.T, q *job.Queue) {
		q.Job, q.Ref = active("new", 90), job.Ref{History: true}
		q.Enqueue(90, t0+minute)
	}
	start := func(t *testing.T, q *job.Queue) { t.Helper(); progress(t, q, t0, 0) }
	cancel := func(t *testing.T, q *job.Queue) {
		t.Helper()
		if _, err := q.Cancel(job.Cancel{Force: true}, t0); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, q *job.Queue) {
		t.Helper()
		if err := q.Delete(true, t0); err != nil {
			t.Fatal(err)
		}
	}
	both, list, next, nothing := job.Notice{List: true, Next: true}, job.Notice{List: true}, job.Notice{Next: true}, job.Notice{}
	for _, c := range []struct {
		name string
		q    []job.Execution // the first one is asked for
		do   func(*testing.T, *job.Queue)
		want job.Notice
	}{
		{"queued into an empty list", nil, enqueue, both},
		{"queued behind another", []job.Execution{queued("a", 1)}, enqueue, list},
		{"the front starts", []job.Execution{queued("a", 1), queued("b", 2)}, start, nothing},
		{"another starts and becomes the front", []job.Execution{queued("b", 2), queued("a", 1)}, start, next},
		{"another starts behind one that runs", []job.Execution{queued("b", 2), running("a", 1)}, start, nothing},
		{"another starts before one that runs", []job.Execution{queued("a", 1), running("b", 2)}, start, next},
		{"progress", []job.Execution{running("a", 1)}, start, nothing},
		{"the front ends", []job.Execution{running("a", 1), queued("b", 2)}, end(job.Succeeded), both},
		{"the only one ends", []job.Execution{queued("a", 1)}, end(job.Rejected), both},
		{"another ends", []job.Execution{queued("b", 2), running("a", 1)}, end(job.Failed), list},
		{"the front is canceled", []job.Execution{running("a", 1), queued("b", 2)}, cancel, both},
		{"another is canceled", []job.Execution{queued("b", 2), running("a", 1)}, cancel, list},
		{"the front is deleted", []job.Execution{running("a", 1)}, remove, both},
		{"another is deleted", []job.Execution{queued("b", 2), running("a", 1)}, remove, list},
		{"a finished one is deleted", []job.Execution{execution(active("c", 3), job.Failed), queued("a", 1)}, remove, nothing},
		{"the thing is gone", []job.Execution{queued("a", 1)}, func(_ *testing.T, q *job.Queue) { q.RemoveAll(t0) }, both},
		{"nothing happens", []job.Execution{queued("a", 1)}, func(_ *testing.T, q *job.Queue) { q.Settle(t0) }, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := queueFor(c.q...)
			was := q.Told("")
			c.do(t, q)
			is := q.Told("")
			if got := job.NoticeOf(was, is); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if was.Equal(is) != (c.want == nothing) {
				t.Errorf("equal is %v for %v and %v", was.Equal(is), was, is)
			}
			var dirty []job.Dirty
			if c.want != nothing {
				dirty = []job.Dirty{{Told: was}}
			}
			same(t, "dirty", q.Dirty(), dirty)
		})
	}
}

// TestDeletionIsTold shows that a job's deletion, which hides its executions at
// once, is told with the change that takes them away.
func TestDeletionIsTold(t *testing.T) {
	t.Parallel()
	deleting := with(active("job1", 1), func(b *job.Brief) { b.State = job.Deleting })
	q := queueFor(execution(deleting, job.InProgress), execution(active("job2", 2), job.Queued))
	told := job.Told{Front: job.Key{JobUID: 1, Number: 1}, Set: []job.Key{{JobUID: 1, Number: 1}, {JobUID: 2, Number: 1}}}
	same(t, "dirty before", q.Dirty(), nil)
	q.Settle(t0)
	same(t, "dirty", q.Dirty(), []job.Dirty{{Told: told}})
	same(t, "notice", job.NoticeOf(told, q.Told("")), job.Notice{List: true, Next: true})
}

// TestHiddenExecutionThatStartsIsTold shows that what waits for its schedule
// comes into sight when a device starts it by name, in the place where it was.
func TestHiddenExecutionThatStartsIsTold(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(with(active("job1", 1), func(b *job.Brief) { b.State = job.Scheduled }), job.Queued))
	progress(t, q, t0, 0)
	same(t, "dirty", q.Dirty(), []job.Dirty{{}})
	same(t, "pending", jobIDs(q.Pending("")), []string{"job1"})
}

// TestMutedQueueIsNeverDirty shows the rest unharmed.
func TestMutedQueueIsNeverDirty(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(active("job1", 1), job.Queued))
	q.Mute()
	q.RemoveAll(t0)
	same(t, "dirty", q.Dirty(), nil)
	same(t, "changes", len(q.Changes()), 1)
}

func TestChangesHoldBothSides(t *testing.T) {
	t.Parallel()
	running, ended := execution(active("job1", 1), job.InProgress), execution(active("job2", 2), job.Failed)
	q := queueFor(ended, running)
	if err := q.Delete(false, t0); err != nil {
		t.Fatal(err)
	}
	q.Job, q.Ref = active("job3", 3), job.Ref{JobID: "job3", History: true}
	q.Enqueue(3, t0+minute)
	queued := asked(t, q)
	q.Job, q.Ref = running.Job, job.Ref{JobID: "job1"}
	progress(t, q, t0+minute, 0)
	progressed := progress(t, q, t0+2*minute, 0) // twice: one change

	same(t, "changes", q.Changes(), []job.Change{
		{Before: running, After: progressed},
		{Before: ended, After: job.Execution{Thing: "thing1", ThingUID: 7, Job: ended.Job, Number: 1}},
		{Before: job.Execution{Job: queued.Job, Number: 1}, After: queued},
	})
	same(t, "version", progressed.Version, 4)
}

func TestChangeThatCameAndWentIsLeftOut(t *testing.T) {
	t.Parallel()
	q := queueFor()
	q.Job, q.Ref = active("job1", 1), job.Ref{JobID: "job1", History: true}
	q.Enqueue(1, t0)
	if err := q.Delete(false, t0); err != nil {
		t.Fatal(err)
	}
	same(t, "changes", q.Changes(), []job.Change{})
	same(t, "dirty", q.Dirty(), nil)
	same(t, "heads", q.Heads(), map[int64]job.Head{1: {Number: 1}})
}

func TestCount(t *testing.T) {
	t.Parallel()
	a, b := active("a", 1), active("b", 2)
	counts := map[int64]job.Counts{1: {job.Queued: 5, job.InProgress: 1}}
	job.Count(counts, []job.Change{
		{Before: execution(a, job.Queued), After: execution(a, job.InProgress)},
		{Before: execution(a, job.InProgress), After: execution(a, job.InProgress)},
		{Before: execution(a, job.Queued), After: execution(a, job.Failed)},
		{Before: execution(a, job.Queued), After: execution(a, job.None)},
		{Before: execution(b, job.None), After: execution(b, job.Queued)},
	})
	same(t, "counts", counts, map[int64]job.Counts{
		1: {job.Queued: 2, job.InProgress: 2, job.Failed: 1},
		2: {job.Queued: 1},
	})
	same(t, "live", counts[1].Live(), 4)
	same(t, "sum", counts[1].Add(counts[2]), job.Counts{job.Queued: 3, job.InProgress: 2, job.Failed: 1})
}

func genTold(t *rapid.T) job.Told {
	key := rapid.Custom(func(t *rapid.T) job.Key {
		return job.Key{JobUID: rapid.Int64Min(1).Draw(t, "uid"), Number: rapid.Int64Min(1).Draw(t, "number")}
	})
	var told job.Told
	told.Set = rapid.SliceOfN(key, 0, 20).Draw(t, "set")
	if len(told.Set) > 0 {
		told.Front = rapid.SampledFrom(told.Set).Draw(t, "front")
	}
	return told
}

func TestToldCodecIsInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		was, other := genTold(t), genTold(t)
		is, ok := job.DecodeTold(was.Encode())
		if d := cmp.Diff(was, is, cmpopts.EquateEmpty()); !ok || d != "" {
			t.Fatalf("whole: %v, wrong (-want +got):\n%s", ok, d)
		}
		if slices.Equal(was.Encode(), other.Encode()) != was.Equal(other) {
			t.Fatalf("%v and %v: equality and encodings disagree", was, other)
		}
	})
}

func TestToldDecodesOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"a front that is not in the set": {1, 1, 2, 1},
		"a front alone":                  {1, 1},
		"half a key":                     {1, 1, 1, 1, 2},
		"a number without an end":        {1, 1, 1, 1, 2, 0x80},
	} {
		if got, ok := job.DecodeTold(b); ok {
			t.Errorf("%s decodes as %v, want not whole", name, got)
		}
	}
}
