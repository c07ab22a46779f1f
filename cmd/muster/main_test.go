package main

// The tests are in the package itself, because a program cannot be imported.
// They call run, which is all that main does, and see what a terminal would.

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// asProgram makes the test binary be the program, for tests of what only a
// process can show.
const asProgram = "MUSTER_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	_ = os.Unsetenv("COLUMNS") // or help would be as wide as the terminal of who tests
	os.Exit(m.Run())
}

// patience is how long a test waits for something that should take no time.
const patience = 30 * time.Second

// result is what a command has done.
type result struct {
	stdout, stderr string
	code           int
}

// muster runs a command to its end, without any environment.
func muster(t *testing.T, args ...string) result {
	t.Helper()
	return musterWith(t, nil, "", args...)
}

// musterWith runs a command with an environment and a standard input.
func musterWith(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	err := run(ctx, args, system{
		getenv: func(name string) string { return env[name] },
		stdin:  strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
	})
	code := report(&stderr, err)
	return result{stdout.String(), stderr.String(), code}
}

// ok fails the test if the command has failed, and returns its output.
func (r result) ok(t *testing.T) string {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("got exit code %d, want 0; it says: %s", r.code, r.stderr)
	}
	return r.stdout
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s\nrun the test with -update to accept this", path, diff)
	}
}

// screen is an output that a test can wait on.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder // guarded by mu
	changed chan struct{}   // guarded by mu; closed and replaced by each write
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

// Write implements io.Writer.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

// String returns all that was written.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait returns when text has been written.
func (s *screen) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		found, changed := strings.Contains(s.text.String(), text), s.changed
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("got no %q after %s in:\n%s", text, patience, s)
		}
	}
}

// process is a command that goes on until it is stopped.
type process struct {
	stdout, stderr *screen
	interrupt      context.CancelFunc
	ended          chan struct{}
	err            error // after ended
}

// start runs a command in the background. It is stopped at the end of the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &process{stdout: newScreen(), stderr: newScreen(), interrupt: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = run(ctx, args, system{
			getenv: func(string) string { return "" },
			stdin:  strings.NewReader(""), stdout: p.stdout, stderr: p.stderr,
		})
	}()
	t.Cleanup(func() { _ = p.stop(t) })
	return p
}

// stop interrupts the command and returns its error.
func (p *process) stop(t *testing.T) error {
	t.Helper()
	p.interrupt()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		t.Fatalf("the command has not stopped after %s; it says:\n%s", patience, p.stderr)
		return nil
	}
}

// serve starts a server on a data folder and returns it with its URL.
func serve(t *testing.T, data string, flags ...string) (*process, string) {
	t.Helper()
	p := start(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	select {
	case <-p.ended:
		t.Fatalf("the server has not started: %v", p.err)
	case <-p.ready(t):
	}
	url, err := readEndpoint(data)
	if err != nil || url == "" {
		t.Fatalf("got endpoint %q and error %v, want a URL", url, err)
	}
	return p, url
}

// ready is closed when the server has said that it is.
func (p *process) ready(t *testing.T) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		for {
			p.stdout.mu.Lock()
			found, changed := strings.Contains(p.stdout.text.String(), "is ready"), p.stdout.changed
			p.stdout.mu.Unlock()
			if found {
				return
			}
			select {
			case <-changed:
			case <-p.ended:
				return
			case <-t.Context().Done():
				return
			}
		}
	}()
	return ready
}
