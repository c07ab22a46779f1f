// Package storetest is the conformance suite of the store contract: what a
// driver passes here, the engine may rely on. A fault found in one driver
// becomes a case for all.
package storetest

import (
	"context"
	"sync/atomic"
	"testing"

	"muster/internal/store"
)

// Open returns an empty store that lives as long as the test.
type Open func(t *testing.T) store.Store

// Run runs the suite. Each test opens stores of its own.
func Run(t *testing.T, open Open) {
	for _, g := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"jobs", testJobs},
		{"things", testThings},
		{"types", testTypes},
		{"groups", testGroups},
		{"members", testMembers},
		{"changes", testChanges},
		{"newest", testNewest},
		{"tags", testTags},
		{"keys", testKeys},
		{"sessions", testSessions},
		{"nodes", testNodes},
		{"work", testWork},
		{"marks", testMarks},
		{"queues", testQueues},
		{"history", testHistory},
		{"deadlines", testDeadlines},
		{"outbox", testOutbox},
		{"executions", testExecutions},
		{"transactions", testTransactions},
		{"parts", testParts},
		{"busy", testBusy},
		{"floor", testFloor},
		{"concurrency", testConcurrency},
		{"skew", testSkew},
		{"paging", testPaging},
		{"random", testRandom},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.run(t, open)
		})
	}
}

// bundle is one store under test.
type bundle struct {
	*testing.T
	s   store.Store
	uid atomic.Int64 // the last one given out
}

func setup(t *testing.T, open Open) *bundle {
	t.Helper()
	return newBundle(t, open(t))
}

func newBundle(t *testing.T, s store.Store) *bundle {
	b := &bundle{T: t, s: s}
	b.uid.Store(1 << 50)
	return b
}

// next returns a uid that is greater than those before.
func (b *bundle) next() int64 {
	return b.uid.Add(1)
}

// update runs fn in a transaction that must succeed.
func (b *bundle) update(fn func(store.Tx) error) {
	b.Helper()
	must(b.T, b.s.Update(b.Context(), fn))
}

// view runs fn on a snapshot and must succeed.
func (b *bundle) view(fn func(store.Reader) error) {
	b.Helper()
	must(b.T, b.s.View(b.Context(), fn))
}

// read returns what fn reads from a snapshot.
func read[T any](b *bundle, fn func(store.Reader) (T, error)) T {
	b.Helper()
	var v T
	b.view(func(r store.Reader) error {
		var err error
		v, err = fn(r)
		return err
	})
	return v
}

// fails returns the error of a transaction that must fail.
func (b *bundle) fails(fn func(store.Tx) error) error {
	b.Helper()
	err := b.s.Update(b.Context(), fn)
	if err == nil {
		b.Fatal("no error")
	}
	return err
}

// check is must for other goroutines than the test's own.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// canceled returns a context that has ended.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
