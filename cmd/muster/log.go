package main

import (
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"muster/internal/config"
)

// A busy server writes one line for each request: a system call each would cost
// more than the rest of the line. Lines wait for others no longer than logDelay.
const (
	logDelay = 50 * time.Millisecond
	logBytes = 64 << 10
)

// logBuffer writes lines in bunches. It is safe for concurrent use.
type logBuffer struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte // guarded by mu
	armed bool   // guarded by mu: a flush is on its way
}

// Write takes a line and never fails: there is nowhere to tell.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	if len(b.lines) >= logBytes {
		b.flush()
	} else if !b.armed {
		b.armed = true
		time.AfterFunc(logDelay, b.Flush)
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *logBuffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	b.flush()
}

// flush is Flush with b.mu held.
func (b *logBuffer) flush() {
	if len(b.lines) > 0 {
		_, _ = b.w.Write(b.lines) // there is nowhere to tell
		b.lines = b.lines[:0]
	}
}

// newLogger returns the log of a server, and what writes its last lines.
func newLogger(w io.Writer, c config.Config) (log *slog.Logger, flush func()) {
	b := &logBuffer{w: w}
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(b, o)), b.Flush
	}
	return slog.New(slog.NewTextHandler(b, o)), b.Flush
}

// gcPercent lets the heap of a server grow further than the runtime would before
// it is collected: what lives in it is small, what passes through is much.
const gcPercent = 400

// tuneGC applies gcPercent, unless the operator has decided otherwise.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
