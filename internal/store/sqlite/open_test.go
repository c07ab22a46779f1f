package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// put stores a thing.
func put(t testing.TB, s *sqlite.Store, name string, uid int64) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) error {
		return tx.InsertThing(thing.Thing{UID: uid, Name: name, ID: name})
	})
}

func has(t testing.TB, s *sqlite.Store, name string) bool {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error { _, err := r.ThingByName(name); return err })
	if err != nil && !apierr.Is(err, apierr.NotFound) {
		t.Error(err)
	}
	return err == nil
}

// database opens a database in dir, lets change spoil it and closes it.
func database(t *testing.T, dir string, change func(*sqlite.Store)) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	change(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func pragma(t *testing.T, s *sqlite.Store, text string) {
	t.Helper()
	if _, err := s.Exec(`PRAGMA ` + text); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) string // returns the folder to open
		want []string                              // in the message
	}{
		{"no folder", func(*testing.T, string) string { return "" }, []string{"no folder"}},
		{"a folder that cannot be made", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), nil)
			return filepath.Join(dir, "file", "data")
		}, []string{"data folder cannot be made", "choose another"}},
		{"a folder in use", func(t *testing.T, dir string) string {
			open(t, sqlite.Config{Dir: dir})
			return dir
		}, []string{"in use by another process", fmt.Sprintf("pid %d", os.Getpid()), "stop it"}},
		{"a newer schema", func(t *testing.T, dir string) string {
			database(t, dir, func(s *sqlite.Store) { pragma(t, s, `user_version = 999`) })
			return dir
		}, []string{"schema version 999", "knows versions up to", "newer Muster"}},
		{"another program's database", func(t *testing.T, dir string) string {
			database(t, dir, func(s *sqlite.Store) { pragma(t, s, `application_id = 7`) })
			return dir
		}, []string{"not one of Muster's", "move it away"}},
		{"no database", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "muster.db"), []byte(strings.Repeat("this is no database. ", 100)))
			return dir
		}, []string{"not a sound SQLite database", "backup"}},
		{"a damaged schema", func(t *testing.T, dir string) string {
			database(t, dir, func(*sqlite.Store) {})
			file := filepath.Join(dir, "muster.db")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			copy(data[100:], strings.Repeat("\xff", 300))
			write(t, file, data)
			return dir
		}, []string{"not a sound SQLite database", "backup"}},
		{"a database that is a folder", func(t *testing.T, dir string) string {
			if err := os.MkdirAll(filepath.Join(dir, "muster.db"), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, []string{"cannot be opened for writing", "permissions"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := c.make(t, t.TempDir())
			s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
			if err == nil {
				t.Fatal("no error", s.Close())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("got %q, want one line", err)
			}
			if dir != "" && !strings.Contains(err.Error(), filepath.Dir(dir)) {
				t.Errorf("got %q, want it to name the place", err)
			}
			// Nothing stays locked.
			if c.name != "a folder in use" {
				if _, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir}); errors.Is(err, sqlite.ErrInUse) {
					t.Error(err)
				}
			}
		})
	}
}

func TestReadOnlyFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database(t, dir, func(*sqlite.Store) {})
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
		_ = f.Close()
		t.Skip("this user may write everywhere")
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err == nil {
		t.Fatal("no error", s.Close())
	}
	if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "permission") {
		t.Errorf("got %q, want it to name the folder and its permissions", err)
	}
}

func TestOpenMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	// A name that would mean something in a URL.
	dir := filepath.Join(t.TempDir(), "a b", "c?d#e%20f")
	database(t, dir, func(s *sqlite.Store) {
		if err := put(t, s, "t", 1); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "muster.db")); err != nil {
		t.Error(err)
	}
	s := open(t, sqlite.Config{Dir: dir, Parts: 64})
	if !has(t, s, "t") {
		t.Error("the thing is gone")
	}
	if s.Parts() != 1 {
		t.Errorf("%d parts, want 1 as it was made with", s.Parts())
	}
}

// TestPartsAreFixed holds the hash: rows are stored under it.
func TestPartsAreFixed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"": 5, "thing-1": 21, "thing-2": 28, "Lamp_1:a-b": 29} {
		if got := sqlite.PartOf(name, 64); got != want {
			t.Errorf("part of %q is %d, want %d", name, got, want)
		}
		if got := sqlite.PartOf(name, 1); got != 0 {
			t.Errorf("part of %q among 1 is %d", name, got)
		}
	}
}

// TestVirtualTime shows that an idle store does nothing: a year passes at once.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqlite.Config{})
		if err := put(t, s, "t", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(365 * 24 * time.Hour) //nolint:forbidigo // in a bubble
		err := s.UpdateQueues(t.Context(), []job.Ref{{Thing: "t"}}, func(q *job.Queue) error {
			if q.Thing.UID != 1 {
				t.Errorf("got %v, want thing 1", q.Thing)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
