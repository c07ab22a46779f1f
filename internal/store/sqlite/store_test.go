package sqlite_test

import (
	"fmt"
	"log/slog"
	"testing"

	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/store/storetest"
)

// open opens a store that is closed at the end of the test.
func open(t testing.TB, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := sqlite.Open(t.Context(), cfg)
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
	var seen sqlite.Statements
	t.Run("suite", func(t *testing.T) {
		for _, parts := range []int{1, 8} {
			t.Run(fmt.Sprintf("%d parts", parts), func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, func(t *testing.T) store.Store {
					cfg := sqlite.Config{Parts: parts}
					seen.Watch(&cfg)
					return open(t, cfg)
				})
				storetest.RunReopen(t, func(t *testing.T) func() store.Store {
					dir := t.TempDir()
					return func() store.Store { return open(t, sqlite.Config{Dir: dir, Parts: parts}) }
				})
			})
		}
	})
	t.Run("plans", func(t *testing.T) { checkPlans(t, seen.All()) })
}
