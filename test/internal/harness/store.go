package harness

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/pgtest"
)

// StoreEnv, if it is "postgres", makes every server of a test work on PostgreSQL:
// each data folder gets a database of its own. The same tests then say the same
// of both stores.
const StoreEnv = "MUSTER_TEST_STORE"

// OnPostgres reports whether servers work on PostgreSQL.
func OnPostgres() bool { return os.Getenv(StoreEnv) == "postgres" }

// OnSQLite skips a test that is about the files of SQLite, when it would be
// run on another store: it has its turn when it is not.
func OnSQLite(t testing.TB) {
	t.Helper()
	if OnPostgres() {
		t.Skip("about the files of SQLite")
	}
}

// storeOf returns the environment that gives a server on a data folder its
// database: always the same for the same folder.
func storeOf(t testing.TB, data string) []string {
	t.Helper()
	if !OnPostgres() {
		return nil
	}
	file := filepath.Join(data, "test-store")
	url, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		url = []byte(pgtest.URL(t))
		err = errors.Join(os.MkdirAll(data, 0o700), os.WriteFile(file, url, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{"MUSTER_STORE=" + strings.TrimSpace(string(url))}
}
