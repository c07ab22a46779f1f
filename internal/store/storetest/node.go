package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
)

func testNodes(t *testing.T, open Open) {
	t.Run("a node is replaced as a whole and removed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		same(t, "at first", read(b, store.Reader.Nodes), nil)
		x := store.Node{ID: "x", Slot: 1023, Address: "ü.example:1", StartedAt: t0, SeenAt: t0 + 1, Until: t0 + 2}
		y := store.Node{ID: "Y", Slot: 1}
		b.update(func(tx store.Tx) error { return errors.Join(tx.PutNode(x), tx.PutNode(y)) })
		same(t, "put", read(b, store.Reader.Nodes), []store.Node{y, x})
		x = store.Node{ID: "x", Until: t0}
		b.update(func(tx store.Tx) error { return errors.Join(tx.PutNode(x), tx.DeleteNode("Y"), tx.DeleteNode("z")) })
		same(t, "replaced", read(b, store.Reader.Nodes), []store.Node{x})
	})
	t.Run("the clock goes on", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		first := read(b, store.Reader.Clock)
		b.update(func(tx store.Tx) error {
			again, err := tx.Clock()
			if again < first || again > first+3_600_000 {
				t.Errorf("%d after %d", again, first)
			}
			// Not the time at which the transaction began.
			for start := time.Now(); err == nil && again == first; again, err = tx.Clock() {
				if time.Since(start) > 5*time.Second {
					t.Error("the clock stands still during a transaction")
					break
				}
			}
			return err
		})
	})
	t.Run("every part has a lease", testLeases(open))
	t.Run("of many who take a part one gets it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		last := b.s.Parts() - 1
		var taken atomic.Int32
		race(func(i int) {
			mine := false
			check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
				ls, err := tx.Leases()
				mine = err == nil && ls[last].Node == ""
				if !mine {
					return err
				}
				return tx.PutLease(store.Lease{Part: last, Node: fmt.Sprint(i), Fence: ls[last].Fence + 1})
			}))
			if mine {
				taken.Add(1)
			}
		})
		same(t, "taken", taken.Load(), int32(1))
		same(t, "fence", b.lease(last).Fence, int64(1))
	})
	t.Run("no change of a node is lost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		race(func(int) {
			check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
				n := store.Node{ID: "x"}
				ns, err := tx.Nodes()
				if err != nil {
					return err
				}
				if len(ns) > 0 {
					n = ns[0]
				}
				n.SeenAt++
				return tx.PutNode(n)
			}))
		})
		same(t, "changes", read(b, store.Reader.Nodes), []store.Node{{ID: "x", SeenAt: racers}})
	})
	t.Run("a transaction that fails keeps nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		_ = b.fails(func(tx store.Tx) error {
			return errors.Join(tx.PutNode(store.Node{ID: "x"}), tx.PutLease(store.Lease{Node: "x", Fence: 4}), errStop)
		})
		same(t, "nodes", read(b, store.Reader.Nodes), nil)
		same(t, "lease", b.lease(0), store.Lease{})
	})
	t.Run("who has lost a part writes nothing", testTakeover(open))
}

func testLeases(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		last := b.s.Parts() - 1
		want := make([]store.Lease, last+1)
		for part := range want {
			want[part].Part = part
		}
		same(t, "at first", read(b, store.Reader.Leases), want)
		put := func(l store.Lease) error {
			return b.s.Update(t.Context(), func(tx store.Tx) error { return tx.PutLease(l) })
		}
		want[last] = store.Lease{Part: last, Node: "x", Fence: 7}
		must(t, put(want[last]))
		same(t, "taken", read(b, store.Reader.Leases), want)
		kind(t, put(store.Lease{Part: last, Node: "y", Fence: 6}), apierr.Conflict)
		same(t, "after an older fence", read(b, store.Reader.Leases), want)
		want[last].Node = ""
		must(t, put(want[last]))
		same(t, "given up", read(b, store.Reader.Leases), want)

		// What UpdatePart has seen counts, too.
		must(t, b.s.UpdatePart(t.Context(), last, 9, func(store.Tx) error { return nil }))
		kind(t, put(store.Lease{Part: last, Node: "y", Fence: 8}), apierr.Conflict)
		must(t, put(store.Lease{Part: last, Node: "y", Fence: 9}))
		for _, part := range []int{-1, last + 1} {
			if put(store.Lease{Part: part, Node: "x", Fence: 1}) == nil {
				t.Errorf("there is no part %d, but it was taken", part)
			}
		}
	}
}

// lease returns the lease of a part.
func (b *bundle) lease(part int) store.Lease {
	b.Helper()
	return read(b, store.Reader.Leases)[part]
}

// testTakeover shows that from the commit of PutLease on nothing is written with
// an older fence, neither by those who come later nor by those who were at it.
func testTakeover(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		last := b.s.Parts() - 1
		take := func(fence int64, before func()) error {
			return b.s.Update(t.Context(), func(tx store.Tx) error {
				err := tx.PutLease(store.Lease{Part: last, Node: fmt.Sprint(fence), Fence: fence})
				before()
				return err
			})
		}
		write := func(fence int64, before func()) error {
			return b.s.UpdatePart(t.Context(), last, fence, func(tx store.Tx) error {
				before()
				return tx.PutTags("r", []store.Tag{{Key: "fence", Value: fmt.Sprint(fence)}})
			})
		}
		wrote := func(want string) {
			t.Helper()
			same(t, "written", read(b, func(r store.Reader) ([]store.Tag, error) { return r.Tags("r") }), []store.Tag{{Key: "fence", Value: want}})
		}
		nothing := func() {}
		must(t, take(1, nothing))
		must(t, write(1, nothing))
		must(t, take(2, nothing))
		kind(t, write(1, nothing), apierr.Conflict)
		wrote("1")
		must(t, write(2, nothing))
		wrote("2")

		// One that is at it is waited for.
		started, taken := make(chan struct{}), make(chan error, 1)
		written := make(chan error, 1)
		go func() {
			first := true
			written <- write(2, func() {
				if !first {
					return
				}
				first = false
				close(started)
				select {
				case err := <-taken:
					t.Errorf("the part was taken while somebody was at it: %v", err)
				case <-time.After(100 * time.Millisecond):
				}
			})
		}()
		<-started
		err := take(3, nothing)
		select {
		case taken <- err:
		default:
		}
		must(t, err)
		must(t, <-written)
		kind(t, write(2, nothing), apierr.Conflict)

		// One that comes while the part is being taken waits and is refused.
		begun := make(chan struct{})
		started = make(chan struct{})
		go func() {
			<-started
			close(begun)
			written <- write(3, nothing)
		}()
		again := false
		must(t, take(4, func() {
			if !again {
				again = true
				close(started)
				<-begun
			}
		}))
		// It may also have come before, and then the part was taken after it.
		if err := <-written; err == nil {
			wrote("3")
		} else {
			kind(t, err, apierr.Conflict)
			wrote("2")
		}
		kind(t, write(3, nothing), apierr.Conflict)
	}
}
