package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/thing"
)

// ignored are the settings of a connection that PgBouncer does not know.
const ignored = "extra_float_digits,statement_timeout,lock_timeout,idle_in_transaction_session_timeout," +
	"plan_cache_mode,enable_seqscan,enable_hashjoin,enable_mergejoin,jit"

// serverConns is how many connections PgBouncer makes.
const serverConns = 5

// pgbouncer starts a PgBouncer in front of a database and returns its address.
func pgbouncer(t *testing.T, database, mode, ignore string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("no PgBouncer on this machine")
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir, err := os.MkdirTemp("", "muster-pgbouncer-") //nolint:usetesting // another user must be able to get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{
		"users": `"muster" ""` + "\n",
		"ini": strings.Join([]string{
			"[databases]", fmt.Sprintf("* = host=%s port=%s", u.Hostname(), u.Port()),
			"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + port, "unix_socket_dir =", "auth_type = trust",
			"auth_file = " + filepath.Join(dir, "users"), "pool_mode = " + mode, fmt.Sprint("default_pool_size = ", serverConns), "ignore_startup_parameters = " + ignore, "",
		}, "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join(dir, "ini")}
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody") // it refuses to run as root
	}
	cmd := exec.Command(program, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	u.Host = net.JoinHostPort("127.0.0.1", port)
	eventually(t, "PgBouncer listens", func() bool {
		c, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return u.String()
}

// TestPgBouncer tries what the documentation says. In mode transaction a client
// gets another connection for each transaction, so that statements cannot be kept
// there, at least by versions before 1.21.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	want := answers(t, open(t, postgres.Config{}))
	server := pgtest.Start(t)
	base := server.URL(t)
	for _, setting := range []string{"statement_timeout = '10s'", "plan_cache_mode = force_generic_plan", "enable_seqscan = off"} {
		run(t, base, `ALTER ROLE muster SET `+setting)
	}
	database := func(t *testing.T, name string) string {
		run(t, base, `CREATE DATABASE `+name)
		return "postgres://muster@" + server.Addr() + "/" + name + "?sslmode=disable"
	}
	for _, c := range []struct {
		name, mode string
		conns      int // of which mode session needs as many
		parameters []string
	}{
		{"session", "session", serverConns, nil},
		{"describing", "transaction", 0, []string{"default_query_exec_mode=cache_describe"}},
		{"asking", "transaction", 0, []string{"default_query_exec_mode=describe_exec"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := with(t, pgbouncer(t, database(t, c.name), c.mode, ignored), c.parameters...)
			s := open(t, postgres.Config{URL: address, MaxConns: c.conns})
			if got := answers(t, s); got != want {
				t.Errorf("got %s", got)
			}
			for _, err := range crowd(t, s) {
				t.Error(err)
			}
		})
	}
	t.Run("without a word about prepared statements", func(t *testing.T) {
		t.Parallel()
		text := refusal(t, pgbouncer(t, database(t, "forgetful"), "transaction", ignored))
		if !strings.Contains(text, "does not keep prepared statements") || !strings.Contains(text, "default_query_exec_mode=cache_describe") {
			t.Errorf("got %q", text)
		}
	})
	t.Run("without leave to ignore our settings", func(t *testing.T) {
		t.Parallel()
		text := refusal(t, pgbouncer(t, database(t, "strict"), "session", "extra_float_digits"))
		if !strings.Contains(text, "unsupported startup parameter") || !strings.Contains(text, "ignore_startup_parameters") {
			t.Errorf("got %q", text)
		}
	})
}

// crowd has many devices report at once, and returns what has failed.
func crowd(t *testing.T, s *postgres.Store) (failed []error) {
	t.Helper()
	const things, reports = 8, 20
	err := s.Update(t.Context(), func(tx store.Tx) error {
		errs := []error{tx.InsertJob(job.New(job.Spec{ID: "job1", Selection: job.Snapshot}, 11, t0), "{}")}
		refs := make([]job.Ref, things)
		for i := range things {
			name := fmt.Sprint("crowd", i)
			errs = append(errs, tx.InsertThing(thing.Thing{UID: int64(200 + i), Name: name, ID: name}))
			refs[i] = job.Ref{Thing: name, JobUID: 11, History: true}
		}
		return errors.Join(append(errs, tx.Queues(refs, func(q *job.Queue) error {
			q.Enqueue(11, t0)
			return nil
		}))...)
	})
	if err != nil {
		return []error{err}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range things {
		wg.Go(func() {
			for range reports {
				err := report(t.Context(), s, fmt.Sprint("crowd", i), job.InProgress)
				if err == nil {
					_, err = s.Floor(t.Context())
				}
				if err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for i := range things {
		if x := asked(t, s, fmt.Sprint("crowd", i)); len(failed) == 0 && x.Version != 1+reports {
			failed = append(failed, fmt.Errorf("thing %d has version %d", i, x.Version))
		}
	}
	return failed
}
