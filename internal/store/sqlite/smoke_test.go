package sqlite_test

import (
	"fmt"
	"sync"
	"testing"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Parts: 8})
	if err != nil {
		t.Fatal(err)
	}
	j := job.New(job.Spec{ID: "j", Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: "a", UID: 1}}}, 5, 1000)
	var refs []job.Ref
	err = s.Update(t.Context(), func(tx store.Tx) error {
		for i := range 500 {
			n := fmt.Sprint("t", i)
			if err := tx.InsertThing(thing.Thing{Name: n, UID: int64(100 + i), ID: n}); err != nil {
				return err
			}
			refs = append(refs, job.Ref{Thing: n, JobUID: 5, History: true})
		}
		if err := tx.InsertJob(j, "{}"); err != nil {
			return err
		}
		return tx.Queues(refs, func(q *job.Queue) error { q.Enqueue(5, 2000); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, r := range refs {
		wg.Go(func() {
			for _, st := range []job.Status{job.InProgress, job.InProgress, job.Succeeded} {
				err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: r.Thing, JobID: "j"}}, func(q *job.Queue) error {
					_, err := q.Update(job.Update{Status: st, StepTimeoutMinutes: 10}, 3000)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	err = s.View(t.Context(), func(r store.Reader) error {
		c, err := r.Counts(5)
		t.Log(c, err)
		d, err := r.NextDue(0)
		t.Log(d, err)
		m, err := r.MarkedJobs(5)
		t.Log(m, err)
		dd, err := r.Dirty(3, 3)
		t.Log(dd, err)
		xs, next, more, err := r.JobExecutions(5, store.ExecutionFilter{}, store.Page[store.JobExecutionKey]{Limit: 2})
		t.Log(len(xs), next, more, err)
		xs, tnext, more, err := r.ThingExecutions("t5", 105, store.ExecutionFilter{}, store.Page[store.ThingExecutionKey]{Limit: 2})
		t.Log(xs, tnext, more, err)
		return nil
	})
	t.Log(err)
	t.Log(s.Floor(t.Context()))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
