package postgres_test

import (
	"fmt"
	"log/slog"
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

func TestStore(t *testing.T) {
	t.Parallel()
	for _, parts := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d parts", parts), func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				return open(t, postgres.Config{Parts: parts})
			})
			storetest.RunReopen(t, func(t *testing.T) func() store.Store {
				url := pgtest.URL(t)
				return func() store.Store { return open(t, postgres.Config{URL: url, Parts: parts}) }
			})
		})
	}
}
