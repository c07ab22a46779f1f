// Package pgtest runs real PostgreSQL servers for tests: one that all tests of a
// binary share, fast and forgetful, and others that a test may stop, kill and
// start again.
//
// A server lives in a folder and on a loopback port of its own, and goes with
// the test process, however that ends.
package pgtest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// errMissing is in the error when the machine has no PostgreSQL.
var errMissing = errors.New("pgtest: no PostgreSQL on this machine: install it (scripts/tools.sh postgres does)")

// shared is the server of the test binary. What it holds need not outlive it.
var shared = sync.OnceValues(func() (*Server, error) {
	return start(context.Background(), "fsync=off", "synchronous_commit=off", "full_page_writes=off")
})

// URL returns the address of an empty schema on the server that the tests of
// this binary share. The schema goes at the end of the test. On a machine
// without PostgreSQL the test is skipped, or fails if CI is set.
func URL(t testing.TB) string {
	t.Helper()
	s, err := shared()
	need(t, err)
	return s.URL(t)
}

// Start starts a server for one test. It keeps what it has acknowledged, as it
// would in production, unless settings ("name=value") say otherwise.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(t.Context(), settings...)
	need(t, err)
	t.Cleanup(s.remove)
	return s
}

// Open starts a server as Start does, for a program that is no test, in a new
// folder in parent; empty is where temporary files are. Close it.
func Open(ctx context.Context, parent string, settings ...string) (*Server, error) {
	return create(ctx, parent, settings, (*Server).initdb)
}

// Close ends the server and removes its folder.
func (s *Server) Close() { s.remove() }

// need ends a test that has got no server.
func need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errMissing) && os.Getenv("CI") == "":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}
