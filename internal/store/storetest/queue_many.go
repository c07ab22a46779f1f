package storetest

import (
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// testMany asks for many things in order, as a rollout does. A driver may read
// them as a range: what others in between have must not be taken for theirs.
func testMany(open Open) func(*testing.T) {
	return func(t *testing.T) {
		for _, c := range []struct {
			name string
			live func(i int) int // how many executions the i-th thing has
		}{
			{"nobody has anything", func(int) int { return 0 }},
			{"a few have something", func(i int) int { return (i + 1) % 3 % 2 }},
			{"only others in between have something", func(i int) int { return i % 2 }},
			{"most have more than one", func(i int) int { return i % 4 }},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, open)
				ts := b.things("t", 40)
				jobs := []job.Job{b.job("j0"), b.job("j1"), b.job("j2")}
				for k, j := range jobs {
					b.enqueue(j, t0+int64(k), having(ts, c.live, k)...)
				}
				asked := having(ts, func(i int) int { return 1 - i%2 }, 0) // every other thing
				next := b.job("next")
				b.update(func(tx store.Tx) error {
					rs := make([]job.Ref, len(asked))
					for i, x := range asked {
						rs[i] = job.Ref{Thing: x.Name, ThingUID: x.UID, JobUID: next.UID, History: true, Registered: true}
					}
					i := 0
					return tx.Queues(rs, func(q *job.Queue) error {
						same(t, "owner", q.Thing, job.Thing{Name: asked[i].Name, UID: asked[i].UID})
						same(t, "live executions of "+q.Thing.Name, len(q.Live()), c.live(2*i))
						q.Enqueue(next.UID, t0+10)
						i++
						return nil
					})
				})
				for i, x := range ts {
					same(t, "live executions afterwards of "+x.Name, len(b.queue(ref(x, next)).Live()), c.live(i)+1-i%2)
				}
				same(t, "counts", b.counts(next), job.Counts{job.Queued: int64(len(asked))})
			})
		}
	}
}

// having returns the things that have more than k of something.
func having(ts []thing.Thing, n func(i int) int, k int) []thing.Thing {
	var out []thing.Thing
	for i, x := range ts {
		if n(i) > k {
			out = append(out, x)
		}
	}
	return out
}
