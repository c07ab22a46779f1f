package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"muster/internal/config"
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
