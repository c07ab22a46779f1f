package postgres_test

import (
	"flag"
	"log/slog"
	"os"
	"testing"

	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/storetest"
)

// open opens a store that is closed at the end of the test.
func open(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = pgtest.URL(t)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestMain makes the random tests shorter than elsewhere, unless the command line
// says how long they are: a step takes a hundred transactions, each of them a few
// round trips.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if f := flag.Lookup("rapid.checks"); f != nil && !given {
		if err := f.Value.Set("20"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	t.Parallel()
	var seen postgres.Statements
	t.Run("suite", func(t *testing.T) {
		for _, c := range []struct {
			name string
			cfg  postgres.Config
		}{
			{"64 parts", postgres.Config{Parts: 64}},
			{"8 parts, a statement each", postgres.Split(postgres.Config{Parts: 8})},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				seen.Watch(&c.cfg)
				storetest.Run(t, func(t *testing.T) store.Store {
					return open(t, c.cfg)
				})
				storetest.RunReopen(t, func(t *testing.T) func() store.Store {
					cfg := c.cfg
					cfg.URL = pgtest.URL(t)
					return func() store.Store { return open(t, cfg) }
				})
			})
		}
	})
	t.Run("discipline", func(t *testing.T) { checkDiscipline(t, seen.All()) })
	t.Run("plans", func(t *testing.T) { checkPlans(t, seen.All()) })
}
