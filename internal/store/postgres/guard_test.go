package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// way is a way to change queues.
type way struct {
	name string
	do   func(context.Context, *postgres.Store, []job.Ref, func(*job.Queue) error) error
}

var ways = []way{
	{"UpdateQueues", func(ctx context.Context, s *postgres.Store, refs []job.Ref, fn func(*job.Queue) error) error {
		return s.UpdateQueues(ctx, refs, fn)
	}},
	{"UpdatePart", func(ctx context.Context, s *postgres.Store, refs []job.Ref, fn func(*job.Queue) error) error {
		return s.UpdatePart(ctx, s.PartOf(refs[0].Thing), 0, func(tx store.Tx) error { return tx.Queues(refs, fn) })
	}},
	{"Update", func(ctx context.Context, s *postgres.Store, refs []job.Ref, fn func(*job.Queue) error) error {
		return s.Update(ctx, func(tx store.Tx) error { return tx.Queues(refs, fn) })
	}},
}

// TestGuards lets another node come in between the reading and the writing of a
// change. Where the change depends on what the other has done, it must be made
// once more, on what is now there; where not, it need not.
func TestGuards(t *testing.T) {
	t.Parallel()
	start := func(q *job.Queue) error { _, err := q.Update(job.Update{Status: job.InProgress}, t0); return err }
	end := func(q *job.Queue) error { _, err := q.Update(job.Update{Status: job.Succeeded}, t0); return err }
	enqueue := func(q *job.Queue) error { q.Enqueue(50, t0+5); return nil }
	first := func(q *job.Queue) error { q.Enqueue(50, t0+1); return nil }
	remove := func(q *job.Queue) error { return q.Delete(true, t0) }
	leave := func(q *job.Queue) error { q.Leave(60, t0); return nil }
	back := func(q *job.Queue) error { q.Enqueue(70, t0+7); return nil }
	for _, c := range []struct {
		name string
		// before is done to job1 and job2, which nobody has been given yet.
		before1, before2 []func(*job.Queue) error
		mine             func(*job.Queue) error // to job1
		theirs1, theirs2 []func(*job.Queue) error
		runs             int
	}{
		{name: "the same execution is changed",
			before1: list(enqueue, start), mine: start, theirs1: list(start), runs: 2},
		{name: "another execution starts: which is the front depends on both",
			before1: list(enqueue), before2: list(enqueue), mine: start, theirs2: list(start), runs: 2},
		{name: "another execution ends",
			before1: list(enqueue), before2: list(enqueue), mine: start, theirs2: list(end), runs: 2},
		{name: "another execution is queued behind the front",
			before1: list(enqueue), mine: start, theirs2: list(enqueue), runs: 1},
		{name: "another execution is queued before the front",
			before1: list(enqueue), mine: start, theirs2: list(first), runs: 2},
		{name: "one is queued before the front while another starts",
			before2: list(enqueue), mine: first, theirs2: list(start), runs: 2},
		{name: "one is queued behind the front while another starts",
			before2: list(first), mine: enqueue, theirs2: list(start), runs: 1},
		{name: "one is queued while another starts",
			before2: list(enqueue), mine: enqueue, theirs2: list(start), runs: 2},
		{name: "one is queued while another makes progress, which moves nothing",
			before2: list(enqueue, start), mine: enqueue, theirs2: list(start), runs: 1},
		{name: "both make progress, which moves nothing",
			before1: list(enqueue, start), before2: list(enqueue, start), mine: start, theirs2: list(start), runs: 1},
		{name: "the same is queued",
			mine: enqueue, theirs1: list(enqueue), runs: 2},
		{name: "the same is queued and has ended",
			mine: enqueue, theirs1: list(enqueue, end), runs: 2},
		{name: "the same is queued and deleted",
			mine: enqueue, theirs1: list(enqueue, remove), runs: 2},
		{name: "the same is queued, through which the caller takes it at once",
			mine: func(q *job.Queue) error { return errors.Join(enqueue(q), end(q)) }, theirs1: list(enqueue), runs: 2},
		{name: "the same is queued and has ended, through which the caller takes it at once",
			mine: func(q *job.Queue) error { return errors.Join(enqueue(q), end(q)) }, theirs1: list(enqueue, end), runs: 2},
		{name: "the thing leaves",
			before1: list(enqueue), mine: end, theirs1: list(leave), runs: 2},
		{name: "the thing leaves twice",
			before1: list(enqueue, end), mine: leave, theirs1: list(leave), runs: 2},
		{name: "a thing that has left comes back twice",
			before1: list(enqueue, leave), mine: back, theirs1: list(back), runs: 2},
		{name: "what has ended is deleted twice",
			before1: list(enqueue, end), mine: remove, theirs1: list(remove), runs: 2},
		{name: "another job is queued on a thing that had nothing",
			mine: enqueue, theirs2: list(enqueue), runs: 1},
	} {
		for _, w := range ways {
			t.Run(c.name+" by "+w.name, func(t *testing.T) {
				t.Parallel()
				ss := nodes(t, 2, postgres.Config{})
				stockEmpty(t, ss[0])
				refs := func(uid int64) []job.Ref {
					return []job.Ref{{Thing: "t", ThingUID: 100, JobUID: uid, History: true}}
				}
				all := func(s *postgres.Store, uid int64, fns []func(*job.Queue) error) {
					for _, fn := range fns {
						if err := s.UpdateQueues(t.Context(), refs(uid), fn); err != nil {
							t.Error(err)
						}
					}
				}
				all(ss[0], 1, c.before1)
				all(ss[0], 2, c.before2)
				runs := 0
				err := w.do(t.Context(), ss[0], refs(1), func(q *job.Queue) error {
					if runs++; runs == 1 {
						all(ss[1], 1, c.theirs1)
						all(ss[1], 2, c.theirs2)
					}
					_ = c.mine(q) // refused, perhaps, by what the other has done
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				// A snapshot is stricter: it is also passed by what merely shares a row.
				if runs != c.runs && (w.name != "Update" || runs < c.runs) {
					t.Errorf("%d runs, want %d", runs, c.runs)
				}
				agree(t, ss[0], 1)
				agree(t, ss[0], 2)
			})
		}
	}
}

func list(fns ...func(*job.Queue) error) []func(*job.Queue) error { return fns }

// stockEmpty stores thing t and two jobs that it has not been given.
func stockEmpty(t testing.TB, s store.Store) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		errs := []error{tx.InsertThing(thingOf(100, "t"))}
		for uid := range int64(2) {
			errs = append(errs, tx.InsertJob(job.New(job.Spec{ID: fmt.Sprint("job", uid+1), Selection: job.Snapshot}, uid+1, t0), "{}"))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGates lets changes come that take the ground from under work on queues
// that is under way: they must wait for it.
func TestGates(t *testing.T) {
	t.Parallel()
	cancel := func(tx store.Tx) error {
		j, err := tx.JobByUID(1)
		if err != nil {
			return err
		}
		j.State = job.Stopped
		return tx.UpdateJob(j)
	}
	remove := func(tx store.Tx) error {
		x, err := tx.ThingByName("t")
		if err != nil {
			return err
		}
		return tx.DeleteThing(x)
	}
	enqueue := func(q *job.Queue) { q.Enqueue(50, t0) }
	for _, c := range []struct {
		name   string
		change func(store.Tx) error
	}{
		{"a job is canceled", cancel},
		{"a thing is deleted", remove},
	} {
		for _, w := range ways {
			t.Run(c.name+" during "+w.name, func(t *testing.T) {
				t.Parallel()
				ss := nodes(t, 2, postgres.Config{})
				stockEmpty(t, ss[0])
				probe := dial(t, ss[0])
				changed := make(chan error, 1)
				runs, waited := 0, false
				err := w.do(t.Context(), ss[0], []job.Ref{{Thing: "t", JobUID: 1, History: true}}, func(q *job.Queue) error {
					enqueue(q)
					if runs++; runs > 1 {
						return nil
					}
					go func() { changed <- ss[1].Update(t.Context(), c.change) }()
					eventually(t, "the change waits or is made", func() bool {
						waited = waits(t, probe)
						return waited || len(changed) > 0
					})
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := <-changed; err != nil {
					t.Fatal(err)
				}
				// If it has not waited, the queues are read again after it.
				n := counts(t, ss[0], 1)
				if waited && (runs != 1 || n != (job.Counts{job.Queued: 1})) || !waited && (runs == 1 || n != (job.Counts{})) {
					t.Errorf("it has waited: %t; %d runs, counts %v", waited, runs, n)
				}
			})
		}
	}
}

// dial opens a connection of the test's own to the database of a store.
func dial(t testing.TB, s *postgres.Store) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// waits reports whether something waits for a lock on a table of the schema.
func waits(t testing.TB, c *pgx.Conn) bool {
	t.Helper()
	var n int
	err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks w WHERE NOT w.granted AND EXISTS (
		SELECT 1 FROM pg_locks o JOIN pg_class r ON r.oid = o.relation WHERE o.pid = w.pid AND r.relnamespace = current_schema()::regnamespace)`).Scan(&n)
	if err != nil {
		t.Error(err)
	}
	return n > 0
}
