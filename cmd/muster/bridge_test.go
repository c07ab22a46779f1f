package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/engine"
	"muster/internal/job"
)

// election is a leader that a test chooses.
type election struct {
	mu      sync.Mutex
	won     bool     // guarded by mu
	changes []func() // guarded by mu
}

func (e *election) Leader() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.won
}

func (e *election) OnChange(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes = append(e.changes, fn)
}

func (e *election) set(won bool) {
	e.mu.Lock()
	e.won = won
	changes := e.changes
	e.mu.Unlock()
	for _, fn := range changes {
		fn()
	}
}

// TestWhileLeader is active from one election to the next.
func TestWhileLeader(t *testing.T) {
	t.Parallel()
	e := new(election)
	active := whileLeader(e)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 3 {
		got := make(chan (<-chan struct{}), 1)
		go func() {
			lost, err := active(ctx)
			if err != nil {
				t.Error(err)
			}
			got <- lost
		}()
		e.set(false) // nothing has changed
		select {
		case <-got:
			t.Fatal("active without being the leader")
		default:
		}
		e.set(true)
		lost := <-got
		e.set(true)
		select {
		case <-lost:
			t.Fatal("lost without a reason")
		default:
		}
		e.set(false)
		select {
		case <-lost:
		case <-ctx.Done():
			t.Fatal("still active without being the leader")
		}
	}
	cancel()
	if _, err := active(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
}

// TestBrokerLogin reads the password anew, without the line break that editors add.
func TestBrokerLogin(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	login := brokerLogin(config.Config{MQTTBrokerUsername: "u", MQTTBrokerPasswordFile: file})
	if _, _, err := login(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is no file", err)
	}
	for text, want := range map[string]string{"one": "one", "two\r\n": "two", " three \n": " three "} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if user, password, err := login(); user != "u" || string(password) != want || err != nil {
			t.Errorf("%q: got %q, %q, %v", text, user, password, err)
		}
	}
	if user, password, err := brokerLogin(config.Config{})(); user != "" || password != nil || err != nil {
		t.Errorf("without a user: got %q, %q, %v", user, password, err)
	}
}

// tellers is engine.Peers of which some nodes do not tell their devices.
type tellers struct {
	engine.Peers
	deaf map[string]bool
}

func (p tellers) Tell(_ context.Context, node string, _ engine.Owed) (job.Told, bool, error) {
	if p.deaf[node] {
		return job.Told{}, false, errors.New("deaf")
	}
	return job.Told{}, true, nil
}

// TestThroughActive has the active node tell devices, and this one while that one
// cannot.
func TestThroughActive(t *testing.T) {
	t.Parallel()
	active := ""
	p := &throughActive{Peers: tellers{deaf: map[string]bool{"b": true}}, active: func() string { return active }}
	for _, c := range []struct {
		name, active, want string // want is the node, or nothing for this one
		told               bool
	}{
		{"nobody else is active", "", "", true},
		{"another one is", "a", "a", true},
		{"it goes on", "a", "a", true},
		{"one that does not tell", "b", "b", false},
		{"it is left alone", "b", "", true},
		{"but not the one that follows it", "a", "a", true},
	} {
		active = c.active
		holders, others := p.Route("thing", "")
		if got := strings.Join(holders, " "); got != c.want || others != (c.want == "") {
			t.Errorf("%s: got %q, others: %t, want %q", c.name, got, others, c.want)
		}
		for _, node := range holders {
			if _, ok, err := p.Tell(t.Context(), node, engine.Owed{}); ok != c.told || (err == nil) != c.told {
				t.Errorf("%s: told: %t, %v", c.name, ok, err)
			}
		}
	}
}
