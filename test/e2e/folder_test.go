package e2e_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/test/internal/harness"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// refuses starts a server that must not start, and returns what it says. It
// says it in one line for people, and ends with code 1.
func refuses(t *testing.T, c harness.Config) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := program.Run(ctx, c, "serve", "--data", c.Data, "--listen", "127.0.0.1:0")
	check(t, "serve", err)
	text := strings.TrimSpace(r.Stderr)
	if r.Code != 1 || r.Stdout != "" || !strings.HasPrefix(text, "muster: ") || strings.Contains(text, "\n") {
		t.Errorf("got code %d, stdout %q, stderr %q", r.Code, r.Stdout, r.Stderr)
	}
	t.Log(text)
	return text
}

// contains ends the test unless a message has all of the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, without %q", text, part)
		}
	}
}

// folder returns a data folder with a thing in it, on which no server runs.
func folder(t *testing.T) string {
	t.Helper()
	s := newStack(t)
	s.things(t, "pump")
	harness.StopNow(t, s.Server)
	return s.Data()
}

// database is the file in a data folder.
func database(data string) string { return filepath.Join(data, "muster.db") }

// TestSecondServerOnAFolder is refused, and the first goes on.
func TestSecondServerOnAFolder(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	s := newStack(t)
	text := refuses(t, harness.Config{Data: s.Data()})
	contains(t, text, s.Data(), "in use by another process", strconv.Itoa(s.PID()))
	s.things(t, "pump")
	if url, err := os.ReadFile(filepath.Join(s.Data(), "endpoint")); err != nil || strings.TrimSpace(string(url)) != s.URL() {
		t.Errorf("endpoint: got %q %v, want %s", url, err, s.URL())
	}
}

// TestDamagedDatabase is told at the start and not touched: what can be saved of
// it must not get worse.
func TestDamagedDatabase(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	for _, test := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"garbage from the start", func(b []byte) []byte { return append([]byte(strings.Repeat("garbage ", 512)), b[4096:]...) }},
		{"no database at all", func([]byte) []byte { return []byte(strings.Repeat("hello\n", 1000)) }},
		{"cut in the first page", func(b []byte) []byte { return b[:1000] }},
		{"the first table overwritten", func(b []byte) []byte {
			for i := 100; i < 4096; i++ { // after the header: the schema
				b[i] = 0xff
			}
			return b
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := folder(t)
			sound, err := os.ReadFile(database(data))
			check(t, "read", err)
			broken := test.damage(append([]byte(nil), sound...))
			check(t, "write", os.WriteFile(database(data), broken, 0o600))
			contains(t, refuses(t, harness.Config{Data: data}), database(data), "not a sound SQLite database", "backup")
			after, err := os.ReadFile(database(data))
			check(t, "read again", err)
			if string(after) != string(broken) {
				t.Error("the file has changed")
			}
			// The backup is put back.
			check(t, "write", os.WriteFile(database(data), sound, 0o600))
			s := harness.Serve(t, program, harness.Config{Data: data})
			hasThing(t, s, "pump")
		})
	}
}

// TestOtherDatabases are not taken for one's own: not that of a newer Muster,
// and not that of another program.
func TestOtherDatabases(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	alter := func(t *testing.T, data, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+database(data))
		check(t, "open", err)
		_, err = db.ExecContext(t.Context(), statement)
		check(t, statement, err)
		check(t, "close", db.Close())
	}
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		data := folder(t)
		alter(t, data, "PRAGMA user_version = 99")
		contains(t, refuses(t, harness.Config{Data: data}), database(data), "version 99", "newer Muster")
	})
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		alter(t, data, "CREATE TABLE recipes (name TEXT)")
		contains(t, refuses(t, harness.Config{Data: data}), database(data), "not one of Muster's")
	})
}

// TestReadOnlyFolder is refused at the start with what to do, be it new or in
// use, and works once it may be written to.
func TestReadOnlyFolder(t *testing.T) {
	harness.OnSQLite(t)
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("folders there have no mode")
	}
	const nobody = 65534
	// Every user may enter, and the server is another one if we are root, for whom modes mean nothing.
	parent, err := os.MkdirTemp("", "muster-folder-") //nolint:usetesting // t.TempDir lets nobody else in
	check(t, "make folder", err)
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(parent, "used"), 0o700)
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	check(t, "open folder", os.Chmod(parent, 0o755))
	mode := func(path string, mode os.FileMode) {
		t.Helper()
		check(t, "chmod", os.Chmod(path, mode))
	}
	give := func(path string) string {
		t.Helper()
		check(t, "make", os.Mkdir(path, 0o700))
		if os.Getuid() == 0 {
			check(t, "give", os.Chown(path, nobody, nobody))
		}
		return path
	}

	fresh := give(filepath.Join(parent, "fresh"))
	mode(fresh, 0o555)
	contains(t, refuses(t, harness.Config{Data: fresh, UID: nobody}), fresh, "permission denied")
	contains(t, refuses(t, harness.Config{Data: filepath.Join(fresh, "below"), UID: nobody}), fresh, "cannot be made")
	mode(fresh, 0o700)

	used := give(filepath.Join(parent, "used"))
	s := harness.Serve(t, program, harness.Config{Data: used, UID: nobody})
	makeThing(t, s, "pump")
	harness.StopNow(t, s)
	mode(used, 0o555)
	mode(filepath.Join(used, "muster.db"), 0o444)
	mode(filepath.Join(used, "muster.lock"), 0o444)
	contains(t, refuses(t, harness.Config{Data: used, UID: nobody}), used, "permission denied")
	mode(filepath.Join(used, "muster.lock"), 0o600)
	contains(t, refuses(t, harness.Config{Data: used, UID: nobody}), used, "permissions")
	mode(filepath.Join(used, "muster.db"), 0o600)
	contains(t, refuses(t, harness.Config{Data: used, UID: nobody}), used, "permissions")
	mode(used, 0o700)
	again := harness.Serve(t, program, harness.Config{Data: used, UID: nobody})
	hasThing(t, again, "pump")
}
