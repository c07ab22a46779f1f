package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// testPaging shows for each list that what is there all the time appears
// exactly once, whatever comes and goes between the pages.
func testPaging(t *testing.T, open Open) {
	t.Run("things", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var others []thing.Thing
		put := func(tx store.Tx, name string) thing.Thing {
			x := b.newThing(name)
			check(t, tx.InsertThing(x))
			return x
		}
		paged(b, func(tx store.Tx, i int) string { return put(tx, fmt.Sprintf("%03d", i)).Name },
			func(tx store.Tx, i int) { others = append(others, put(tx, fmt.Sprintf("%03d-%d", rand.IntN(200), i))) },
			func(tx store.Tx) { check(t, tx.DeleteThing(pick(&others))) },
			func(r store.Reader, p store.Page[string]) ([]thing.Thing, string, bool, error) {
				return r.Things(store.ThingFilter{}, p)
			}, func(x thing.Thing) string { return x.Name })
	})
	t.Run("groups", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		root := b.group("root", thing.Group{})
		var others []thing.Group
		put := func(tx store.Tx, name string) thing.Group {
			uid := b.next()
			g := thing.Group{UID: uid, Name: name, ID: name, Path: []int64{root.UID, uid}}
			check(t, tx.InsertGroup(g))
			return g
		}
		paged(b, func(tx store.Tx, i int) string { return put(tx, fmt.Sprintf("%03d", i)).Name },
			func(tx store.Tx, i int) { others = append(others, put(tx, fmt.Sprintf("%03d-%d", rand.IntN(200), i))) },
			func(tx store.Tx) { check(t, tx.DeleteGroup(pick(&others))) },
			func(r store.Reader, p store.Page[string]) ([]thing.Group, string, bool, error) {
				return r.Groups(store.GroupFilter{ParentUID: root.UID, Recursive: true}, p)
			}, func(g thing.Group) string { return g.Name })
	})
	t.Run("members", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var others []thing.Member
		put := func(tx store.Tx, name string) thing.Member {
			m := thing.Member{UID: b.next(), GroupUID: 7, ThingUID: b.next(), Thing: name}
			check(t, tx.InsertMember(m))
			return m
		}
		paged(b, func(tx store.Tx, i int) string { return put(tx, fmt.Sprintf("%03d", i)).Thing },
			func(tx store.Tx, i int) { others = append(others, put(tx, fmt.Sprintf("%03d-%d", rand.IntN(200), i))) },
			func(tx store.Tx) { check(t, tx.DeleteMember(pick(&others))) },
			named(func(r store.Reader, p store.Page[string]) ([]thing.Member, bool, error) { return r.MembersByName(7, p) },
				func(m thing.Member) string { return m.Thing }), func(m thing.Member) string { return m.Thing })
	})
	t.Run("jobs", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var others []job.Job
		put := func(tx store.Tx, id string) job.Job {
			j := b.newJob(id, func(j *job.Job) { j.State, j.CreatedAt = job.State(1+rand.IntN(5)), t0+int64(rand.IntN(100)) })
			check(t, tx.InsertJob(j, "{}"))
			return j
		}
		paged(b, func(tx store.Tx, i int) string { return put(tx, fmt.Sprint(i)).ID },
			func(tx store.Tx, i int) { others = append(others, put(tx, fmt.Sprint("other", i))) },
			func(tx store.Tx) { check(t, tx.DeleteJob(pick(&others).UID)) },
			func(r store.Reader, p store.Page[store.JobKey]) ([]job.Job, store.JobKey, bool, error) {
				return r.Jobs(store.JobFilter{}, p)
			}, func(j job.Job) string { return j.ID })
	})
	t.Run("executions of a job", testExecutionPaging(open))
	t.Run("executions of a thing", testThingPaging(open))
}

// pick removes a random element and returns it.
func pick[T any](from *[]T) T {
	i := rand.IntN(len(*from))
	x := (*from)[i]
	(*from)[i] = (*from)[len(*from)-1]
	*from = (*from)[:len(*from)-1]
	return x
}

// paged reads a list page by page, several times over, with changes between the
// pages. stay stores a row that stays, add one that may go, and remove lets one go.
func paged[T, K any](b *bundle, stay func(store.Tx, int) string, add func(store.Tx, int), remove func(store.Tx),
	list func(store.Reader, store.Page[K]) ([]T, K, bool, error), name func(T) string,
) {
	b.Helper()
	want := map[string]int{}
	added, left := 0, 0
	change := func(adds, removes int) {
		b.update(func(tx store.Tx) error {
			for range adds {
				add(tx, added)
				added++
				left++
			}
			for range min(removes, left) {
				remove(tx)
				left--
			}
			return nil
		})
	}
	b.update(func(tx store.Tx) error {
		for i := range 70 {
			want[stay(tx, i)] = 1
		}
		return nil
	})
	change(35, 0)
	for _, limit := range []int{1, 7, 50} {
		got := map[string]int{}
		for _, x := range pages(b, limit, func(r store.Reader, p store.Page[K]) ([]T, K, bool, error) {
			change(rand.IntN(5), rand.IntN(5))
			return list(r, p)
		}) {
			if n := name(x); want[n] == 1 {
				got[n]++
			}
		}
		same(b.T, fmt.Sprintf("how often each appears, by %d", limit), got, want)
	}
}

// testExecutionPaging lets executions finish between the pages: they stay where they were.
func testExecutionPaging(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		j := b.job("j")
		ts := b.things("t", 60)
		others := b.things("u", 60)
		b.enqueue(j, t0, ts...)
		next := ts
		want, got := map[string]int{}, map[string]int{}
		for _, x := range ts {
			want[x.Name] = 1
		}
		for _, x := range pages(b, 4, func(r store.Reader, p store.Page[store.JobExecutionKey]) ([]job.Execution, store.JobExecutionKey, bool, error) {
			if len(next) > 3 {
				for range 3 {
					b.report(pick(&next), j, job.Succeeded, t0)
				}
				u := pick(&others)
				b.enqueue(j, t0, u)
				if rand.IntN(2) == 0 {
					must(t, b.change(refs(j, u)[0], func(q *job.Queue) error { return q.Delete(true, t0) }))
				}
			}
			return r.JobExecutions(j.UID, store.ExecutionFilter{}, p)
		}) {
			if want[x.Thing] == 1 {
				got[x.Thing]++
			}
		}
		same(t, "how often each appears", got, want)
	}
}

func testThingPaging(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x := b.things("t", 1)[0]
		var running, others []job.Job
		want, got := map[string]int{}, map[string]int{}
		for i := range 60 {
			j := b.job(fmt.Sprint("j", i))
			b.enqueue(j, t0+int64(i%7), x)
			running = append(running, j)
			want[j.ID] = 1
			others = append(others, b.job(fmt.Sprint("other", i)))
		}
		for _, e := range pages(b, 4, func(r store.Reader, p store.Page[store.ThingExecutionKey]) ([]job.Execution, store.ThingExecutionKey, bool, error) {
			if len(running) > 3 {
				for range 3 {
					b.report(x, pick(&running), job.Failed, t0+9)
				}
				o := pick(&others)
				b.enqueue(o, t0+int64(rand.IntN(9)), x)
				if rand.IntN(2) == 0 {
					must(t, b.change(refs(o, x)[0], func(q *job.Queue) error { return q.Delete(true, t0) }))
				}
			}
			return r.ThingExecutions(x.Name, x.UID, store.ExecutionFilter{}, p)
		}) {
			if want[e.Job.ID] == 1 {
				got[e.Job.ID]++
			}
		}
		same(t, "how often each appears", got, want)
	}
}
