package harness

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"muster/internal/pgtest"
)

// StoreEnv names the store of every server that a test starts. "postgres" is PostgreSQL:
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

// storeFile is the file in a data folder with the address of its database.
const storeFile = "test-store"

// giveStore gives a data folder a database of its own, if it has none.
func giveStore(t testing.TB, data string) {
	t.Helper()
	file := filepath.Join(data, storeFile)
	_, err := os.Stat(file)
	if !OnPostgres() || err == nil {
		return
	}
	err = errors.Join(os.MkdirAll(data, 0o700), os.WriteFile(file, []byte(pgtest.URL(t)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// storeOf returns the environment in which a program finds the database of a data folder.
func storeOf(data string) []string {
	url, err := os.ReadFile(filepath.Join(data, storeFile))
	if err != nil {
		return nil // SQLite, in the folder
	}
	return []string{"MUSTER_STORE=" + string(url)}
}
