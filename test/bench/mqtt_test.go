package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a child where the benchmark starts itself.
func TestMain(m *testing.M) {
	if o := os.Getenv(childVariable); o != "" {
		if err := child(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestUpdatePacket(t *testing.T) {
	t.Parallel()
	u, err := newUpdatePacket()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ thing, progress int }{{0, 0}, {1234567, 89}, {42, 91}} {
		body := bytes.TrimSuffix(appendUpdateBody(nil, c.progress), []byte("}"))
		want, err := messageOf("$aws/things/"+thingName(c.thing)+"/jobs/"+liveJob+"/update", append(body, `,"clientToken":"0123456789abcdef"}`...))
		if err != nil {
			t.Fatal(err)
		}
		if got := u.of(c.thing, c.progress); !bytes.Equal(got, want) {
			t.Errorf("thing %d: got %q, want %q", c.thing, got, want)
		}
	}
}

// small is a session of rows that take a moment.
func small(t *testing.T) *session {
	t.Helper()
	return &session{
		options: options{rounds: 1, executions: 30, idle: 5, listening: 7, interval: interval{10 * time.Millisecond, 50 * time.Millisecond}},
		temp:    t.TempDir(), log: log.New(t.Output(), "", 0), seeds: make(map[string]string),
	}
}

// started starts a child that ends with the test.
func started(t *testing.T, o childOptions) *process {
	t.Helper()
	p, err := startChild(context.WithoutCancel(t.Context()), o) // it ends by stop
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// The bare endpoint and the jobs on a store answer what the devices of row ii
// send, and say what memory they use.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := small(t)
	dir := filepath.Join(s.temp, "seed")
	if err := seed(t.Context(), dir, fleet{things: 30, busy: true}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []childOptions{{Serve: serveEndpoint}, {Serve: serveDevices, Dir: dir}} {
		p := started(t, o)
		x, err := s.ask(t.Context(), p, 4)
		if err != nil || x.ops == 0 {
			t.Errorf("%s: got %d answers, %v", o.Serve, x.ops, err)
		}
		m, err := p.memory()
		if err != nil || m.Heap == 0 || m.Goroutines == 0 {
			t.Errorf("%s: got memory %+v, %v", o.Serve, m, err)
		}
	}
	empty := filepath.Join(s.temp, "empty")
	if err := seed(t.Context(), empty, fleet{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.ask(t.Context(), started(t, childOptions{Serve: serveDevices, Dir: empty}), 4)
	if err == nil || !strings.Contains(err.Error(), "rejected") {
		t.Errorf("got %v, want a rejection", err)
	}
}

func TestFanOutOfTheBareEndpoint(t *testing.T) {
	t.Parallel()
	x, err := small(t).fanOutBare(t.Context(), [2][]byte{[]byte("a"), []byte("b")})
	if err != nil || x.ops != 14 {
		t.Errorf("got %d messages, %v, want 14", x.ops, err)
	}
}

func TestMemoryRow(t *testing.T) {
	t.Parallel()
	s := small(t)
	if err := s.memories(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.entries) != 2 {
		t.Errorf("got %d lines, want one in clear and one over TLS", len(s.entries))
	}
}

func TestChurn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "churn")
	if err := seed(t.Context(), dir, fleet{things: 64}); err != nil {
		t.Fatal(err)
	}
	c := &churning{to: broker{address: started(t, childOptions{Serve: serveDevices, Dir: dir}).mqtt}, devices: make([]churner, 64)}
	for range 2 {
		if err := c.phase(t.Context(), 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.visits.Load(); n < 128 {
		t.Errorf("got %d visits, want each device twice at least", n)
	}
}

func TestPaced(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	x, err := paced(t.Context(), 3, 1000, interval{20 * time.Millisecond, 200 * time.Millisecond}, ownCPU, func(i int) (func() error, error) {
		return func() error { return nil }, nil
	})
	if took := time.Since(begin); err != nil || x.ops != 200 || took < 200*time.Millisecond {
		t.Errorf("got %d operations in %s, %v, want 200", x.ops, took, err)
	}
	fault := errors.New("fault")
	_, err = paced(t.Context(), 3, 1000, interval{0, time.Minute}, ownCPU, func(int) (func() error, error) {
		return func() error { return fault }, nil
	})
	if !errors.Is(err, fault) {
		t.Errorf("got %v, want the error of the operation", err)
	}
}
