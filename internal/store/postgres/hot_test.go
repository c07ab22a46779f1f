package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store/postgres"
)

// TestUpdatesAreHeapOnly reports progress again and again and asks the server how
// it has stored that: what devices do most must not write to indexes, and must
// clear away behind itself.
func TestUpdatesAreHeapOnly(t *testing.T) {
	t.Parallel()
	const things, rounds = 200, 30
	server := pgtest.Start(t, "fsync=off") // of its own: nobody else's snapshot keeps old rows
	s := open(t, postgres.Config{URL: server.URL(t), Parts: 4})
	stock(t, s, things)
	for range rounds {
		var wg sync.WaitGroup
		for i := range things {
			wg.Go(func() {
				err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: fmt.Sprint("t", i), JobID: "job1"}}, func(q *job.Queue) error {
					_, err := q.Update(job.Update{Status: job.InProgress, Details: map[string]string{"progress": "50%"}, StepTimeoutMinutes: 5}, t0)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	c := dial(t, s)
	stat := func(table string) (updates, hot, size int64) {
		err := c.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd, pg_relation_size(relid) FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = $1`, table).
			Scan(&updates, &hot, &size)
		if err != nil {
			t.Error(err)
		}
		return updates, hot, size
	}
	eventually(t, "the server has counted", func() bool { n, _, _ := stat("live"); return n >= things*rounds })
	for _, table := range []string{"live", "counts"} {
		updates, hot, size := stat(table)
		if hot*100 < updates*90 {
			t.Errorf("%s: %d of %d updates were heap-only, want nearly all", table, hot, updates)
		}
		if size > 1<<20 {
			t.Errorf("%s has grown to %d bytes", table, size)
		}
	}
	n := counts(t, s, 1)
	if n[job.InProgress] != things {
		t.Errorf("counts %v", n)
	}
}
