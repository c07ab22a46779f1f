package postgres_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/internal/pgtest"
	"muster/internal/store/postgres"
)

// run runs a statement in a database.
func run(t *testing.T, url, sql string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it has done its work
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 4})
			if err != nil {
				t.Error(err)
				return
			}
			if s.Parts() != 64 {
				t.Errorf("%d parts, want 64", s.Parts())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestStatus(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	check := func(fresh bool) {
		t.Helper()
		have, want, err := postgres.Status(t.Context(), url)
		if err != nil || want < 1 || fresh && have != 0 || !fresh && have != want {
			t.Errorf("version %d of %d, error %v", have, want, err)
		}
	}
	check(true)
	_, err := postgres.Open(t.Context(), postgres.Config{URL: url, NoMigrate: true})
	if err == nil || !strings.Contains(err.Error(), "run muster migrate") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
	check(true)
	for range 2 { // the second time there is nothing to do
		if err := postgres.Migrate(t.Context(), url, 5, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		check(false)
	}
	s := open(t, postgres.Config{URL: url, NoMigrate: true, Parts: 7})
	if s.Parts() != 5 {
		t.Errorf("%d parts, want the 5 that the database was made with", s.Parts())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql, want string
	}{
		{"a schema that is newer", `UPDATE meta SET value = value + 1 WHERE key = 'version'`, "use the newer Muster"},
		{"a table meta of somebody else's", `DELETE FROM meta`, "choose another schema"},
		{"a database without parts", `DELETE FROM parts`, "has 0 parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			if err := postgres.Migrate(t.Context(), url, 0, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			run(t, url, c.sql)
			_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q in it", err, c.want)
			}
		})
	}
	for _, table := range []string{"jobs", "meta"} {
		t.Run("a schema with a table "+table+" of somebody else's", func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			run(t, url, "CREATE TABLE "+table+" (x int)")
			_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
			if err == nil || !strings.Contains(err.Error(), "not Muster's: choose an") {
				t.Errorf("got error %v, want one that says what to do", err)
			}
		})
	}
	t.Run("no address", func(t *testing.T) {
		t.Parallel()
		if _, err := postgres.Open(t.Context(), postgres.Config{}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("an address that is none, without repeating its password", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"postgres://user:geheim@127.0.0.1:1/db", "postgres://user:geheim@%zz/db"} {
			_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
			if err == nil || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got error %v", err)
			}
		}
	})
	t.Run("a caller who has left", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := postgres.Open(ctx, postgres.Config{URL: "postgres://127.0.0.1:1/db"}); err == nil {
			t.Error("no error")
		}
	})
}
