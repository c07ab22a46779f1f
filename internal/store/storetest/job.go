package storetest

import (
	"fmt"
	"slices"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

func testJobs(t *testing.T, open Open) {
	t.Run("a job is read as it was stored", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		j := b.job("first", full)
		b.job("second")
		b.view(func(r store.Reader) error {
			got, err := r.JobByID("first")
			check(t, err)
			same(t, "by id", got, j)
			got, err = r.JobByUID(j.UID)
			check(t, err)
			same(t, "by uid", got, j)
			document, err := r.Document(j.UID)
			check(t, err)
			same(t, "document", document, `{"job":"first"}`)
			return nil
		})
		same(t, "counts", b.counts(j), job.Counts{})
	})
	t.Run("an update stores what may change", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		j := b.job("j")
		k := j
		full(&k)
		k.State, k.Forced, k.Namespace, k.Selection = job.Stopped, true, j.Namespace, j.Selection
		b.update(func(tx store.Tx) error { return tx.UpdateJob(k) })
		same(t, "job", read(b, func(r store.Reader) (job.Job, error) { return r.JobByUID(j.UID) }), k)
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		b.view(func(r store.Reader) error {
			_, err := r.JobByID("nothing")
			kind(t, err, apierr.NotFound)
			_, err = r.JobByUID(7)
			kind(t, err, apierr.NotFound)
			_, err = r.Document(7)
			kind(t, err, apierr.NotFound)
			return nil
		})
		kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateJob(b.newJob("nothing")) }), apierr.NotFound)
	})
	t.Run("an id is taken until its job is deleted", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		j := b.job("j")
		again := b.newJob("j")
		kind(t, b.fails(func(tx store.Tx) error { return tx.InsertJob(again, "{}") }), apierr.AlreadyExists)
		b.update(func(tx store.Tx) error { return tx.DeleteJob(j.UID) })
		b.update(func(tx store.Tx) error { return tx.InsertJob(again, "{}") })
		b.view(func(r store.Reader) error {
			_, err := r.JobByUID(j.UID)
			kind(t, err, apierr.NotFound)
			_, err = r.Document(j.UID)
			kind(t, err, apierr.NotFound)
			return nil
		})
	})
	t.Run("lists are ordered, filtered and paged", testJobLists(open))
	t.Run("continuous jobs are found by group", testContinuousJobs(open))
}

// full gives every member of a job a value.
func full(j *job.Job) {
	j.Namespace, j.TimeoutMinutes = "ns", 17
	j.Description, j.Selection = `"quoted" and ünïcode`, job.Continuous
	j.Targets = []job.Target{{Kind: job.ThingTarget, Name: "t", UID: 3}, {Kind: job.GroupTarget, Name: `g"1`, UID: 4}}
	j.ReasonCode, j.Comment = "WHY", "because\n"
	j.UpdatedAt, j.CompletedAt = t0+5, t0+6
}

func testJobLists(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var all []job.Job
		for i := range 60 {
			all = append(all, b.job(fmt.Sprint("j", i), func(j *job.Job) {
				j.State = job.State(1 + i%5)
				j.CreatedAt = t0 + int64(i%7) // ties, which the uid decides
				j.UID += int64(i*7%60) << 30
				if i%2 == 0 {
					j.Selection = job.Continuous
				}
				if i%3 == 0 {
					j.Namespace = "ns"
				}
				if i%4 == 0 {
					j.Targets = append(j.Targets, job.Target{Kind: job.GroupTarget, Name: "g", UID: 99})
				}
			}))
		}
		slices.SortFunc(all, func(x, y job.Job) int {
			return slices.Compare([]int64{int64(x.State), -x.CreatedAt, x.UID}, []int64{int64(y.State), -y.CreatedAt, y.UID})
		})
		for _, c := range []struct {
			name  string
			f     store.JobFilter
			match func(job.Job) bool
		}{
			{"all", store.JobFilter{}, func(job.Job) bool { return true }},
			{"state", store.JobFilter{State: job.Completed}, func(j job.Job) bool { return j.State == job.Completed }},
			{"selection", store.JobFilter{Selection: job.Continuous}, func(j job.Job) bool { return j.Selection == job.Continuous }},
			{"namespace", store.JobFilter{Namespace: "ns"}, func(j job.Job) bool { return j.Namespace == "ns" }},
			{"group", store.JobFilter{GroupUID: 99}, func(j job.Job) bool { return len(j.Targets) == 2 }},
			{"state and group", store.JobFilter{State: job.Active, GroupUID: 99}, func(j job.Job) bool { return j.State == job.Active && len(j.Targets) == 2 }},
			{"a thing is no group", store.JobFilter{GroupUID: 1}, func(job.Job) bool { return false }},
		} {
			var want []job.Job
			for _, j := range all {
				if c.match(j) {
					want = append(want, j)
				}
			}
			for _, limit := range []int{1, 7, 60, 100} {
				got := pages(b, limit, func(r store.Reader, p store.Page[store.JobKey]) ([]job.Job, store.JobKey, bool, error) {
					return r.Jobs(c.f, p)
				})
				same(t, fmt.Sprintf("%s by %d", c.name, limit), got, want)
			}
		}
		b.view(func(r store.Reader) error {
			for limit, want := range map[int]int{5: 5, 12: 12, 100: 12} {
				n, err := r.CountJobs(job.Deleting, limit)
				check(t, err)
				same(t, "count", n, want)
			}
			return nil
		})
	}
}

func testContinuousJobs(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		follows := func(groups ...int64) func(*job.Job) {
			return func(j *job.Job) {
				j.Selection, j.Targets = job.Continuous, nil
				for _, g := range groups {
					j.Targets = append(j.Targets, job.Target{Kind: job.GroupTarget, Name: fmt.Sprint(g), UID: g})
				}
			}
		}
		both := b.job("both", follows(10, 11))
		one := b.job("one", follows(11))
		b.job("snapshot", follows(11), func(j *job.Job) { j.Selection = job.Snapshot })
		b.job("stopped", follows(11), func(j *job.Job) { j.State = job.Stopped })
		b.job("thing", func(j *job.Job) { j.Selection = job.Continuous; j.Targets[0].UID = 11 })
		check := func(want []int64, groups ...int64) {
			t.Helper()
			same(t, fmt.Sprint("jobs of ", groups), read(b, func(r store.Reader) ([]int64, error) { return r.ContinuousJobs(groups) }), want)
		}
		check([]int64{both.UID, one.UID}, 11, 10)
		check([]int64{both.UID}, 10)
		check(nil, 12)
		check(nil)

		one.Targets = append(one.Targets, job.Target{Kind: job.GroupTarget, Name: "12", UID: 12})
		b.update(func(tx store.Tx) error { return tx.UpdateJob(one) })
		check([]int64{one.UID}, 12)
		both.State = job.Stopped
		b.update(func(tx store.Tx) error { return tx.UpdateJob(both) })
		check([]int64{one.UID}, 10, 11)
		b.update(func(tx store.Tx) error { return tx.DeleteJob(one.UID) })
		check(nil, 10, 11, 12)
	}
}
