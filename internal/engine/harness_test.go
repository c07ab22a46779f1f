package engine_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

var (
	t0       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIATEST", Account: "123456789012", Region: "us-east-1", Service: "iot"}
	device   = auth.Principal{Kind: auth.AccessKey, ID: "AKIATEST", Account: "123456789012", Region: "us-east-1", Service: "iot-jobs-data"}
)

// world is an engine on a real store, with a clock that the test moves.
type world struct {
	*engine.Engine
	t     *testing.T
	dir   string
	url   string // of the database, if it is PostgreSQL
	store store.Store
	uids  *job.UIDs
	conf  engine.Config

	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newWorld(t *testing.T, parts int, adjust ...func(*engine.Config)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: t0}
	w.conf = engine.Config{Account: "123456789012", Clock: engine.Clock{Now: w.clock}}
	for _, f := range adjust {
		f(&w.conf)
	}
	w.open(parts)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

func (w *world) open(parts int) {
	w.t.Helper()
	var err error
	w.store, err = w.openStore(parts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.uids = new(job.UIDs)
	w.conf.Store, w.conf.UIDs = w.store, w.uids
	w.Engine, err = engine.New(w.t.Context(), w.conf)
	if err != nil {
		w.t.Fatal(err)
	}
}

// openStore opens a store: SQLite, or PostgreSQL if MUSTER_TEST_STORE says so.
func (w *world) openStore(parts int) (store.Store, error) {
	if os.Getenv("MUSTER_TEST_STORE") != "postgres" {
		return sqlite.Open(w.t.Context(), sqlite.Config{Dir: w.dir, Parts: parts})
	}
	if w.url == "" {
		w.url = pgtest.URL(w.t)
	}
	return postgres.Open(w.t.Context(), postgres.Config{URL: w.url, Parts: parts, MaxConns: 8})
}

// restart closes the store, as a stopped process would, and opens it again.
func (w *world) restart() {
	w.t.Helper()
	w.must(w.store.Close())
	w.open(0)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) uid() int64 { return w.uids.Next(w.clock().UnixMilli()) }

// things registers things, as the registry would.
func (w *world) things(names ...string) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		for _, n := range names {
			err := tx.InsertThing(thing.Thing{UID: w.uid(), Name: n, ID: n, Version: 1})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) group(name, parent string) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		g := thing.Group{UID: w.uid(), Name: name, ID: name, Version: 1}
		if parent != "" {
			p, err := tx.GroupByName(parent)
			if err != nil {
				return err
			}
			g.Path = append(g.Path, p.Path...)
		}
		g.Path = append(g.Path, g.UID)
		return tx.InsertGroup(g)
	}))
}

func (w *world) join(group string, things ...string) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		g, err := tx.GroupByName(group)
		if err != nil {
			return err
		}
		for _, n := range things {
			x, err := tx.ThingByName(n)
			if err != nil {
				return err
			}
			m := thing.Member{UID: w.uid(), GroupUID: g.UID, ThingUID: x.UID, Thing: n}
			err = tx.InsertMember(m)
			if err != nil {
				return err
			}
			err = tx.AddChange(thing.Change{Seq: m.UID, Kind: thing.Joined, Thing: n, ThingUID: x.UID, GroupPath: g.Path})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	w.Kick()
}

func (w *world) leave(group string, names ...string) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		g, err := tx.GroupByName(group)
		if err != nil {
			return err
		}
		for _, n := range names {
			x, err := tx.ThingByName(n)
			if err != nil {
				return err
			}
			err = tx.DeleteMember(thing.Member{GroupUID: g.UID, ThingUID: x.UID, Thing: n})
			if err != nil {
				return err
			}
			err = tx.AddChange(thing.Change{Seq: w.uid(), Kind: thing.Left, Thing: n, ThingUID: x.UID, GroupPath: g.Path})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	w.Kick()
}

func (w *world) deleteThing(name string) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		x, err := tx.ThingByName(name)
		if err != nil {
			return err
		}
		err = tx.DeleteThing(x)
		if err != nil {
			return err
		}
		return tx.AddChange(thing.Change{Seq: w.uid(), Kind: thing.Deleted, Thing: name, ThingUID: x.UID})
	}))
	w.Kick()
}

// fleet registers n things in a group and returns their names.
func (w *world) fleet(group string, n int) []string {
	w.t.Helper()
	w.group(group, "")
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", group, i)
	}
	w.things(names...)
	w.join(group, names...)
	w.settle()
	return names
}

func (w *world) settle() {
	w.t.Helper()
	w.must(w.Settle(w.ctx()))
}

// once runs the loop that has the name once.
func (w *world) once(name string) {
	w.t.Helper()
	for _, l := range w.Loops() {
		if l.Name == name {
			_, err := l.Once(w.ctx(), w.clock())
			w.must(err)
		}
	}
}

func toThing(name string) job.Target { return job.Target{Kind: job.ThingTarget, Name: name} }
func toGroup(name string) job.Target { return job.Target{Kind: job.GroupTarget, Name: name} }

type option func(*job.Spec)

func continuous(s *job.Spec)                   { s.Selection = job.Continuous }
func timeout(minutes int64) option             { return func(s *job.Spec) { s.TimeoutMinutes = minutes } }
func namespace(ns string) option               { return func(s *job.Spec) { s.Namespace = ns } }
func document(text string) option              { return func(s *job.Spec) { s.Document = text } }
func targets(targets ...job.Target) option     { return func(s *job.Spec) { s.Targets = targets } }
func (w *world) create(id string, o ...option) { w.t.Helper(); w.must(w.tryCreate(id, o...)) }

func (w *world) tryCreate(id string, o ...option) error {
	s := job.Spec{ID: id, Document: `{"do":"` + id + `"}`, Selection: job.Snapshot}
	for _, f := range o {
		f(&s)
	}
	_, err := w.CreateJob(w.ctx(), operator, s, nil)
	return err
}

func (w *world) update(thing, id string, s job.Status) {
	w.t.Helper()
	_, err := w.tryUpdate(thing, id, job.Update{Status: s})
	w.must(err)
}

func (w *world) tryUpdate(thing, id string, u job.Update) (job.Execution, error) {
	d, err := w.UpdateJobExecution(w.ctx(), device, engine.UpdateRequest{Thing: thing, JobID: id, Update: u})
	return d.Execution, err
}

// status returns "STATUS vVERSION #NUMBER" of a thing's latest execution of a job.
func (w *world) status(thing, id string) string {
	w.t.Helper()
	x, _, err := w.DescribeJobExecution(w.ctx(), operator, thing, id, 0)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s v%d #%d", x.Status, x.Version, x.Number)
}

func (w *world) wantStatus(thing, id, want string) {
	w.t.Helper()
	if got := w.status(thing, id); got != want {
		w.t.Errorf("%s on %s: got %s, want %s", id, thing, got, want)
	}
}

func (w *world) describe(id string) engine.JobDetails {
	w.t.Helper()
	d, err := w.DescribeJob(w.ctx(), operator, id)
	w.must(err)
	return d
}

func (w *world) wantJob(id string, state job.State, counts map[job.Status]int64) {
	w.t.Helper()
	d := w.describe(id)
	var want job.Counts
	for s, n := range counts {
		want[s] = n
	}
	if d.State != state || d.Counts != want {
		w.t.Errorf("%s: got %s %v, want %s %v", id, d.State, d.Counts, state, want)
	}
}

// all returns every execution of a job, page by page.
func (w *world) all(id string, limit int) []job.Execution {
	w.t.Helper()
	var out []job.Execution
	for after := ""; ; {
		xs, next, err := w.ListJobExecutionsForJob(w.ctx(), operator, id, job.None, after, limit)
		w.must(err)
		out = append(out, xs...)
		if next == "" {
			return out
		}
		after = next
	}
}
