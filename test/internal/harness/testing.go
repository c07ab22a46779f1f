package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// How long a server may take to start and to stop on a busy machine.
const (
	startGrace = 30 * time.Second
	stopGrace  = 30 * time.Second
)

// Main is a TestMain: it builds the program, once, and runs the tests. It
// returns the exit code.
func Main(m *testing.M, p *Program) int {
	dir, err := os.MkdirTemp("", "muster-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder that stays in /tmp harms nobody
	// Tests run the program as other users, too.
	err = os.Chmod(dir, 0o755)
	if err == nil {
		*p, err = Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Serve starts a server for a test, on a new folder if c names none. At the end
// of the test it is stopped, which must go well, unless the test has ended it.
// Its log is shown if the test has failed; a panic or a data race in it fails the test.
func Serve(t testing.TB, p Program, c Config) *Server {
	t.Helper()
	if c.Data == "" {
		c.Data = t.TempDir()
	}
	giveStore(t, c.Data)
	ctx, cancel := context.WithTimeout(t.Context(), startGrace)
	defer cancel()
	s, err := Start(ctx, p, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.Ended() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stopGrace)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
		}
		log := s.Log()
		for _, alarm := range []string{"panic", "DATA RACE"} {
			if strings.Contains(log, alarm) {
				t.Errorf("the log tells of a %s", alarm)
			}
		}
		if t.Failed() && log != "" {
			t.Logf("log of the server on %s:\n%s", s.Data(), log)
		}
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StopNow stops a server in the middle of a test.
func StopNow(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stopGrace)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// Wait is [Until] for tests: it polls gently and fails the test if check does
// not return nil within d. what says what was waited for.
func Wait(t testing.TB, d time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := Until(ctx, 10*time.Millisecond, check); err != nil {
		t.Fatal(errors.Join(errors.New("waiting for "+what), err))
	}
}
