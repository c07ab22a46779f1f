//go:build unix

package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/internal/pgtest"
)

// query returns the one value that a query returns at an address.
func query(t *testing.T, url, sql string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) }) // all was asked
	var v string
	err = c.QueryRow(t.Context(), sql).Scan(&v)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestURL(t *testing.T) {
	t.Parallel()
	const tables = `SELECT count(*)::text FROM pg_tables WHERE schemaname = current_schema()`
	var was string
	t.Run("each test has a schema of its own", func(t *testing.T) {
		a, b := pgtest.URL(t), pgtest.URL(t)
		was = a
		c, err := pgx.Connect(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(t.Context(), `CREATE TABLE t (a text); INSERT INTO t VALUES ('x')`)
		if err := errors.Join(err, c.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if here, there := query(t, a, tables), query(t, b, tables); here != "1" || there != "0" {
			t.Errorf("%s tables here and %s there, want 1 and 0", here, there)
		}
	})
	t.Run("it goes with the test", func(t *testing.T) {
		if n := query(t, was, `SELECT count(current_schema())::text`); n != "0" {
			t.Error("it is still there")
		}
	})
}

func TestServerKeepsWhatItHasStored(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	u := s.URL(t)
	for _, how := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		c, err := pgx.Connect(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS t (a text); INSERT INTO t VALUES ('x')`)
		if err != nil {
			t.Fatal(err)
		}
		s.Stop(t, how)
		if _, err := pgx.Connect(t.Context(), u); err == nil {
			t.Error("it can be reached while it is stopped")
		}
		s.Run(t)
		_ = c.Close(t.Context()) // the server has closed it
	}
	if n := query(t, u, `SELECT count(*)::text FROM t`); n != "2" {
		t.Errorf("%s rows, want 2", n)
	}
	if v := query(t, u, `SHOW fsync`); v != "on" {
		t.Errorf("fsync is %s", v)
	}
}

func TestStandbyHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	u := s.URL(t)
	b := s.Standby(t)
	c, err := pgx.Connect(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(t.Context(), `CREATE TABLE t (a text); INSERT INTO t VALUES ('x')`)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t, syscall.SIGKILL)
	_ = c.Close(t.Context()) // the server is gone
	b.Promote(t)
	u = strings.Replace(u, s.Addr(), b.Addr(), 1)
	if n := query(t, u, `WITH more AS (INSERT INTO t VALUES ('y') RETURNING 1) SELECT count(*)::text FROM t, more`); n != "1" {
		t.Errorf("%s rows, want 1", n)
	}
}

// TestKilled shows that nothing stays behind a test process that is killed.
func TestKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv("PGTEST_VICTIM") != "" {
		pgtest.URL(t)
		s := pgtest.Start(t)
		fmt.Printf("victim %d %s\n", s.Pid(), query(t, s.URL(t), `SHOW data_directory`)) //nolint:forbidigo // the parent reads it
		_, _ = io.Copy(io.Discard, os.Stdin)                                             // until it is killed, or the parent is
		return
	}
	pgtest.URL(t) // skips the test where there is no server
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$", "-test.v")
	c.Env = append(os.Environ(), "PGTEST_VICTIM=1")
	_, inErr := c.StdinPipe()
	out, outErr := c.StdoutPipe()
	if err := errors.Join(inErr, outErr, c.Start()); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "victim "); ok {
			if _, err := fmt.Sscan(text, &pid, &dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pid == 0 {
		t.Fatal("it has not started a server")
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		_, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("server %d or its folder %s is still there", pid, dir)
		}
	}
}

func BenchmarkURL(b *testing.B) {
	for b.Loop() {
		pgtest.URL(b)
	}
}
