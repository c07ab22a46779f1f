package transfer_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
	"muster/internal/store/storetest"
	"muster/internal/store/transfer"
	"muster/internal/thing"
)

func TestMove(t *testing.T) {
	t.Parallel()
	for _, parts := range [][2]int{{1, 64}, {1, 1}, {8, 5}} {
		t.Run(fmt.Sprintf("from %d parts to %d", parts[0], parts[1]), func(t *testing.T) {
			dir, url := t.TempDir(), pgtest.URL(t)
			storetest.RunMove(t, func(t *testing.T) store.Store {
				return openSQLite(t, dir, parts[0])
			}, func(t *testing.T, from store.Store) store.Store {
				closeStore(t, from)
				before := hash(t, dir)
				moved, err := transfer.Move(t.Context(), dir, url, transfer.Options{Parts: parts[1]})
				if err != nil {
					t.Fatal(err)
				}
				if hash(t, dir) != before {
					t.Error("the source was changed")
				}
				checkReport(t, moved)
				return openPostgres(t, url)
			})
		})
	}
}

// checkReport holds a report to tell of every table, and most to have rows.
func checkReport(t *testing.T, moved []transfer.Table) {
	t.Helper()
	var names []string
	for _, m := range moved {
		names = append(names, m.Name)
		if m.Rows == 0 {
			t.Errorf("no row of %s was moved: the test does not show that they are", m.Name)
		}
		if (m.Rows == 0) != (m.Sum == "0") {
			t.Errorf("%s: sum %s of %d rows", m.Name, m.Sum, m.Rows)
		}
	}
	want := transfer.Names()
	slices.Sort(want)
	slices.Sort(names)
	if !slices.Equal(names, slices.DeleteFunc(want, func(n string) bool { return n == "nodes" })) {
		t.Errorf("moved %v, want %v", names, want)
	}
}

func openSQLite(t *testing.T, dir string, parts int) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Parts: parts, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openPostgres(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func hash(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "muster.db"))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// fleet makes a data folder with n things that have a job each.
func fleet(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	refs := make([]job.Ref, n)
	j := job.New(job.Spec{ID: "j", Selection: job.Snapshot}, 7, 1)
	err = s.Update(t.Context(), func(tx store.Tx) error {
		for i := range refs {
			x := thing.Thing{UID: int64(1000 + i), Name: fmt.Sprint("t", i), ID: "i", Version: 1}
			refs[i] = job.Ref{Thing: x.Name, ThingUID: x.UID, JobUID: j.UID}
			err := tx.InsertThing(x)
			if err != nil {
				return err
			}
		}
		return tx.InsertJob(j, "{}")
	})
	if err == nil {
		err = s.UpdateQueues(t.Context(), refs, func(q *job.Queue) error { q.Enqueue(j.UID, 1); return nil })
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exec(t *testing.T, url, script string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(t.Context(), script)
	if err := errors.Join(err, c.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir, url string)
		want    string
	}{
		{"a target that has rows", func(t *testing.T, _, url string) {
			s := openPostgres(t, url)
			err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutTags("r", []store.Tag{{Key: "k"}}) })
			if err != nil {
				t.Fatal(err)
			}
		}, "not empty: its table tags"},
		{"a folder that a server runs on", func(t *testing.T, dir, _ string) {
			s := openSQLite(t, dir, 1)
			t.Cleanup(func() { closeStore(t, s) })
		}, "in use by another process"},
		{"a folder without a database", func(t *testing.T, dir, _ string) {
			if err := os.Remove(filepath.Join(dir, "muster.db")); err != nil {
				t.Fatal(err)
			}
		}, "is not a data folder"},
		{"a source of an older schema", func(t *testing.T, dir, _ string) { spoil(t, dir, `PRAGMA user_version = 1`) }, "let muster serve bring it up to date first"},
		{"a source whose counts do not agree", func(t *testing.T, dir, _ string) { spoil(t, dir, `UPDATE counts SET n = n + 1`) }, "table counts: what is stored is not what was read"},
		{"a target that changes what it is given", func(t *testing.T, _, url string) {
			openPostgres(t, url)
			exec(t, url, `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := NEW.updated_at + 1; RETURN NEW; END $$;
				CREATE TRIGGER spoil BEFORE INSERT ON live FOR EACH ROW WHEN (NEW.thing = 't33') EXECUTE FUNCTION spoil()`)
		}, "table live: what is stored is not what was read"},
		{"a target that loses what it is given", func(t *testing.T, _, url string) {
			openPostgres(t, url)
			exec(t, url, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
				CREATE TRIGGER lose BEFORE INSERT ON things FOR EACH ROW WHEN (NEW.name = 't7') EXECUTE FUNCTION lose()`)
		}, "table things: 49 rows are stored of the 50 that were read"},
		{"no database", func(t *testing.T, _, _ string) {}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, url := fleet(t, 50), pgtest.URL(t)
			c.prepare(t, dir, url)
			if c.want == "" {
				url, c.want = "postgres://127.0.0.1:1/none", "connect"
			}
			_, err := transfer.Move(t.Context(), dir, url, transfer.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// spoil changes a data folder's database behind its back.
func spoil(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "muster.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptedMove(t *testing.T) {
	t.Parallel()
	dir, url := fleet(t, 2000), pgtest.URL(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := transfer.Move(ctx, dir, url, transfer.Options{Progress: func(p transfer.Progress) {
		if p.Step == "copying live" && p.Done > 2500 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err == nil {
		t.Fatal("the target can be opened", s.Close())
	}
	if !strings.Contains(err.Error(), "being moved into the database") || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("got error %v, want one that says what to do", err)
	}

	var last transfer.Progress
	_, err = transfer.Move(t.Context(), dir, url, transfer.Options{Progress: func(p transfer.Progress) {
		if p.Total > 0 && p.Done < last.Done {
			t.Errorf("progress went from %+v to %+v", last, p)
		}
		if p.Total > 0 {
			last = p
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total < 6000 {
		t.Errorf("progress ended at %+v, want all of things, executions and dirty rows", last)
	}
	n := 0
	err = openPostgres(t, url).View(t.Context(), func(r store.Reader) error {
		counts, err := r.Counts(7)
		n = int(counts[job.Queued])
		return err
	})
	if err != nil || n != 2000 {
		t.Errorf("%d executions are queued, %v; want 2000", n, err)
	}
}

func TestTwoMovesAtOnce(t *testing.T) {
	t.Parallel()
	dir, other, url := fleet(t, 600), fleet(t, 10), pgtest.URL(t)
	var second error
	tried := false
	_, err := transfer.Move(t.Context(), dir, url, transfer.Options{Progress: func(p transfer.Progress) {
		if p.Step == "copying live" && !tried {
			tried = true
			_, second = transfer.Move(t.Context(), other, url, transfer.Options{})
		}
	}})
	if err != nil {
		t.Error(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another move into the target is under way") {
		t.Errorf("got error %v of the second, want it refused", second)
	}
}

// TestTables shows that no table of either side is forgotten.
func TestTables(t *testing.T) {
	t.Parallel()
	dir, url := fleet(t, 1), pgtest.URL(t)
	openPostgres(t, url)
	known := append(transfer.Names(), "meta", "parts", "fences")
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.Query(t.Context(), `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err := errors.Join(err, c.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	d, err := sqlite.OpenDump(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Rows(`SELECT name FROM sqlite_schema WHERE type = 'table'`, func(row []any) error {
		name, _ := row[0].(string)
		names = append(names, name)
		return nil
	})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("table %s is not moved: add it to tables", name)
		}
	}
}
