package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long a server may take to start.
const patience = time.Minute

// Server is a PostgreSQL server.
type Server struct {
	programs string // folder
	dir      string
	port     int
	settings []string

	process *exec.Cmd     // nil while it is stopped
	ended   chan struct{} // closed when process has ended
	guard   io.Closer     // see watch
	admin   *pgxpool.Pool
	schemas atomic.Int64
}

// start makes a database in a new folder and starts its server.
func start(ctx context.Context, settings ...string) (*Server, error) {
	return create(ctx, "", settings, (*Server).initdb)
}

// create starts a server in a new folder in parent, or where temporary files are,
// once fill has made the database there.
func create(ctx context.Context, parent string, settings []string, fill func(*Server) error) (*Server, error) {
	s := &Server{settings: settings}
	var err error
	s.programs, err = programs()
	if err != nil {
		return nil, err
	}
	s.dir, err = os.MkdirTemp(parent, "muster-pg-")
	if err != nil {
		return nil, err
	}
	s.guard, err = watch(s.dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	err = s.open(ctx, fill)
	if err != nil {
		s.remove()
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, fill func(*Server) error) error {
	err := own(s.dir)
	if err != nil {
		return err
	}
	err = fill(s)
	if err != nil {
		return err
	}
	for range 5 {
		// Below the ports that the system hands out: nobody gets it while the server is down.
		s.port = 20_000 + rand.IntN(10_000)
		err = s.run(ctx)
		if err == nil || !strings.Contains(s.log(), "Address already in use") {
			break
		}
	}
	if err != nil {
		return err
	}
	s.admin, err = pgxpool.New(ctx, s.url("").String())
	return err
}

// initdb makes the database. Its order of text is not that of the bytes, so that
// tests notice who relies on the one or the other.
func (s *Server) initdb() error {
	args := []string{"-D", s.data(), "-U", "muster", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"}
	out, err := s.command("initdb", append(args, "--locale-provider=icu", "--icu-locale=en-US")...).CombinedOutput()
	if err != nil { // a PostgreSQL without ICU
		out, err = s.command("initdb", args...).CombinedOutput()
	}
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// run starts the server and waits until it answers.
func (s *Server) run(ctx context.Context) error {
	args := []string{"-D", s.data(), "-k", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)}
	for _, set := range slices.Concat([]string{
		"shared_buffers=128MB", "max_connections=400", "max_locks_per_transaction=256",
		"max_prepared_transactions=0", "log_min_messages=warning", "max_wal_size=2GB",
	}, s.settings) {
		args = append(args, "-c", set)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	c := s.command("postgres", args...)
	c.Stdout, c.Stderr = log, log
	err = errors.Join(c.Start(), log.Close())
	if err != nil {
		return err
	}
	s.process, s.ended = c, make(chan struct{})
	go func() {
		_ = c.Wait() // how it ends is in its log
		close(s.ended)
	}()
	return s.ready(ctx)
}

// ready waits until the server answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.url("").String())
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("PostgreSQL has ended:\n%s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, s.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// url returns the address of a schema, or of the database if it is empty.
func (s *Server) url(schema string) *url.URL {
	u := &url.URL{
		Scheme: "postgres", User: url.User("muster"), Host: s.Addr(),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	if schema != "" {
		u.RawQuery += "&search_path=" + schema
	}
	return u
}

// URL returns the address of an empty schema. It goes at the end of the test, by
// which time nobody may use it any more.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	// A schema costs a millisecond, a database fifty.
	name := fmt.Sprintf("test%d", s.schemas.Add(1))
	_, err := s.admin.Exec(t.Context(), `CREATE SCHEMA `+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.process == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		_, err := s.admin.Exec(ctx, `SET lock_timeout = '10s'; SET client_min_messages = 'error'; DROP SCHEMA `+name+` CASCADE`)
		if err != nil {
			t.Errorf("pgtest: after the test: %v", err)
		}
	})
	return s.url(name).String()
}

// Pid returns the process id of the server.
func (s *Server) Pid() int { return s.process.Process.Pid }

// Stop ends the server: SIGINT disconnects everybody and ends in order, SIGQUIT
// ends at once as in a crash, SIGKILL leaves nobody to clear up. It returns when the server has ended.
func (s *Server) Stop(t testing.TB, how os.Signal) {
	t.Helper()
	err := s.stop(how)
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Server) stop(how os.Signal) error {
	if s.process == nil {
		return nil
	}
	err := s.process.Process.Signal(how)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	s.process = nil
	s.admin.Reset() // its connections are gone
	return nil
}

// Run starts the server again after Stop, with what it has stored and under the
// same address.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	err := s.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// remove ends the server and removes its folder.
func (s *Server) remove() {
	if s.admin != nil {
		s.admin.Close()
	}
	_ = s.guard.Close() // it does the rest
	if s.process != nil {
		<-s.ended
	}
}

// programs returns the folder of PostgreSQL's programs: of the newest version
// where Debian has them, else where PATH finds them.
func programs() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		v, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // not a version: the oldest
		return v
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errMissing
	}
	return filepath.Dir(path), nil
}
