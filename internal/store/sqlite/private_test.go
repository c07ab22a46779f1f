package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"muster/internal/store/sqlite"
)

// TestFilesArePrivate holds that nobody but the owner may read the database,
// whatever the umask says and whatever the folder's mode is.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("rights are not in the mode there")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	private(t, dir, "muster.db", "muster.db-wal", "muster.db-shm", "muster.lock")
	if err := put(t, s, "t", 1); err != nil {
		t.Fatal(err)
	}
	// What an older version left open to all, after a crash with its log.
	copied := t.TempDir()
	for _, name := range []string{"muster.db", "muster.db-wal", "muster.db-shm"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(copied, name)
		write(t, path, data)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, sqlite.Config{Dir: copied})
	private(t, copied, "muster.db", "muster.db-wal", "muster.db-shm", "muster.lock")
	if !has(t, s, "t") {
		t.Error("the thing is gone")
	}
}

func private(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s: got mode %o: others may use it", name, mode)
		}
	}
}
