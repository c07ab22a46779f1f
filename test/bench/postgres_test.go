package main

import (
	"log"
	"strings"
	"testing"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// A seeded database is what Muster takes it for, and the raw limits work on
// copies of it. Nothing is timed here.
func TestSeedAndRawLimitsOnPostgres(t *testing.T) {
	t.Parallel()
	d := &database{server: pgtest.Start(t, "fsync=off")}
	seed := &seedDatabase{name: "seed"}
	if err := d.command(t.Context(), `CREATE DATABASE seed`); err != nil {
		t.Fatal(err)
	}
	if err := seed.fill(t.Context(), d, fleet{things: 30, busy: true, grouped: true, probes: 3}); err != nil {
		t.Fatal(err)
	}
	name, drop, err := d.copy(t.Context(), seed.name)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := openStatements(t.Context(), d, seed, name)
	if err != nil {
		t.Fatal(err)
	}
	batch := []*bareChange{{thing: 0, progress: 7}, {thing: 32, progress: 89}, {thing: 0, progress: 8}}
	if err := bare.commit(t.Context(), batch); err != nil {
		t.Error(err)
	}
	bare.close()
	x, err := bareRollout(t.Context(), d, seed, name)
	if err != nil || x.ops != 30 {
		t.Errorf("got %d rows inserted, %v, want 30", x.ops, err)
	}

	s, err := postgres.Open(t.Context(), postgres.Config{URL: d.url(name)})
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]int64)
	err = s.View(t.Context(), func(r store.Reader) error {
		n, err := r.Counts(seed.job)
		if err == nil && n[job.InProgress] != 33 {
			t.Errorf("got %d executions in progress, want 33", n[job.InProgress])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, thing := range []string{thingName(0), thingName(1), probeName(2)} {
		err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: thing, JobID: liveJob}}, func(q *job.Queue) error {
			x, err := q.Update(job.Update{Status: job.InProgress, Details: details(1)}, 1)
			versions[thing] = x.Version
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if versions[thingName(0)] != 4 || versions[thingName(1)] != 3 || versions[probeName(2)] != 4 {
		t.Errorf("got versions %v after updates of all three, of which the raw limit has changed two before", versions)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := drop(); err != nil {
		t.Error(err)
	}
}

func TestParseStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, args, want string
	}{
		{"PostgreSQL has all its rows", "-store postgres", ""},
		{"some rows and nodes", "-store postgres -rows iii -nodes 2,16", ""},
		{"a store that does not exist", "-store oracle", `no store "oracle"`},
		{"a row that is only measured on SQLite", "-store postgres -rows iv", `no row "iv"`},
		{"no nodes", "-store postgres -nodes 0", "no number from 1"},
		{"words", "-store postgres -nodes many", "no number from 1"},
		{"a profile of a real server", "-store postgres -profile x", "only on SQLite"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(strings.Fields(c.args), log.New(t.Output(), "", 0).Writer())
			if c.want == "" && (err != nil || len(o.rows) == 0 || len(o.nodes) == 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
