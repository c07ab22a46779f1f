package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// testExecutions shows the two lists of executions, live and finished in one order.
func testExecutions(t *testing.T, open Open) {
	t.Run("of a job, by part, thing and number", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts, j := b.things("t", 25), b.job("j")
		for i, x := range ts {
			if i%5 == 0 {
				b.rerun(x, j)
				continue
			}
			b.enqueue(j, t0+int64(i*i%11), x)
			if i%3 == 0 {
				b.report(x, j, job.InProgress, t0+20)
			}
			if i%2 == 0 {
				b.report(x, j, job.Succeeded, t0+20)
			}
		}
		all := b.executions(j, store.ExecutionFilter{}, 1000)
		same(t, "how many", len(all), 20+5*3)
		if !slices.IsSortedFunc(all, func(x, y job.Execution) int {
			return cmp.Or(cmp.Compare(b.s.PartOf(x.Thing), b.s.PartOf(y.Thing)), cmp.Compare(x.ThingUID, y.ThingUID), cmp.Compare(x.Number, y.Number))
		}) {
			t.Error("not in order")
		}
		for _, s := range append(job.Statuses(), job.None) {
			var want []job.Execution
			for _, x := range all {
				if s == job.None || x.Status == s {
					want = append(want, x)
				}
			}
			for _, limit := range []int{1, 4, 100} {
				same(t, fmt.Sprintf("%s by %d", s, limit), b.executions(j, store.ExecutionFilter{Status: s}, limit), want)
			}
		}
	})
	t.Run("of a thing, newest first", testThingExecutions(open))
}

func testThingExecutions(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		ts := b.things("t", 2)
		x := ts[0]
		var all []job.Execution
		for i := range 30 {
			j := b.job(fmt.Sprint("j", i), func(j *job.Job) {
				if i%4 == 0 {
					j.Namespace = "ns"
				}
			})
			if i == 7 {
				b.rerun(x, j)
			} else {
				b.enqueue(j, t0+int64(i*i%13), ts...) // ties, and an order unlike that of the jobs
			}
			if i%2 == 0 {
				b.report(x, j, job.Failed, t0+20)
			}
			all = append(all, b.of(x, j)...)
		}
		slices.SortFunc(all, func(x, y job.Execution) int {
			return cmp.Or(cmp.Compare(y.QueuedAt, x.QueuedAt), cmp.Compare(y.Job.UID, x.Job.UID), cmp.Compare(y.Number, x.Number))
		})
		same(t, "how many", len(all), 32)
		for _, f := range []store.ExecutionFilter{
			{}, {Status: job.Failed}, {Status: job.Queued}, {Status: job.Canceled}, {Namespace: "ns"}, {Namespace: "none"},
			{JobUID: all[5].Job.UID}, {JobUID: 3}, {Status: job.Failed, Namespace: "ns"}, {Status: job.Removed, JobUID: b.queueJob(x, "j7")},
		} {
			var want []job.Execution
			for _, x := range all {
				if (f.Status == job.None || x.Status == f.Status) && (f.Namespace == "" || x.Job.Namespace == f.Namespace) && (f.JobUID == 0 || x.Job.UID == f.JobUID) {
					want = append(want, x)
				}
			}
			for _, limit := range []int{1, 7, 100} {
				got := pages(b, limit, func(r store.Reader, p store.Page[store.ThingExecutionKey]) ([]job.Execution, store.ThingExecutionKey, bool, error) {
					return r.ThingExecutions(x.Name, x.UID, f, p)
				})
				same(t, fmt.Sprintf("%+v by %d", f, limit), got, want)
			}
		}
	}
}

// of returns the executions of j on x.
func (b *bundle) of(x thing.Thing, j job.Job) []job.Execution {
	b.Helper()
	return slices.DeleteFunc(b.executions(j, store.ExecutionFilter{}, 1000), func(e job.Execution) bool { return e.ThingUID != x.UID })
}

func (b *bundle) queueJob(x thing.Thing, id string) int64 {
	b.Helper()
	q := b.queue(job.Ref{Thing: x.Name, JobID: id})
	return q.Job.UID
}
