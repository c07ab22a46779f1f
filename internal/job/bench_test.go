package job_test

import (
	"fmt"
	"testing"

	"muster/internal/job"
)

// BenchmarkUpdate measures what a driver does with a queue for one report of a
// device, without its I/O: load, mark, update, and ask for everything to be stored.
func BenchmarkUpdate(b *testing.B) {
	for _, live := range []int{1, 10} {
		for _, to := range []job.Status{job.InProgress, job.Succeeded} {
			b.Run(fmt.Sprintf("%s/live=%d", to, live), func(b *testing.B) {
				stored := []job.Execution{execution(active("job0", 1), job.InProgress)}
				for i := range live - 1 {
					stored = append(stored, execution(active(fmt.Sprintf("job%d", i+1), int64(i+2)), job.Queued))
				}
				u := job.Update{Status: to, Details: map[string]string{"step": "2"}}
				loaded := make([]job.Execution, live)
				b.ReportAllocs()
				for b.Loop() {
					copy(loaded, stored)
					q := job.NewQueue(thing1, loaded)
					q.Job, q.Ref = stored[0].Job, job.Ref{Thing: thing1.Name, JobID: "job0"}
					m := q.Mark()
					if _, err := q.Update(u, t0+minute); err != nil {
						q.Return(m)
						b.Fatal(err)
					}
					changes, dirty := q.Changes(), q.Dirty()
					if len(changes) != 1 || len(dirty) != int(to-job.InProgress) {
						b.Fatalf("got %d changes and %d dirty namespaces", len(changes), len(dirty))
					}
				}
			})
		}
	}
}
