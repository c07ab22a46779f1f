package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/cluster"
	"muster/internal/store"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	t.Run("a node alone takes everything at its first beat", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		if ps := a.Parts(); ps != nil || a.Leader() {
			t.Errorf("it has %v, want nothing before the first beat", ps)
		}
		w.beat(a)
		w.even(a)
		if !a.Leader() || a.Lead() != a.ID() || a.Parts()[0].Fence != 1 || a.told == 0 {
			t.Errorf("leader %t, lead %s, first part %v, told %d times", a.Leader(), a.Lead(), a.Parts()[0], a.told)
		}
	})
	t.Run("those who come get their share, by no more changes than it takes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		w.beat(a)
		b := w.join(0)
		w.pass(2 * beat)
		w.even(a, b)
		c := w.join(0)
		w.pass(2 * beat)
		w.even(a, b, c)
		changes := 0
		for _, l := range w.db.owners() {
			changes += int(l.Fence)
		}
		if want := parts + parts/2 + parts/3; changes != want {
			t.Errorf("parts have had %d owners, want %d", changes, want)
		}
		for _, n := range []*member{a, b, c} {
			if n.Lead() == "" || n.Leader() != (n.Lead() == n.ID()) {
				t.Errorf("node %s is the leader: %t, and knows %q", n.ID(), n.Leader(), n.Lead())
			}
		}
		w.peers(a, ids(b, c), nil)
	})
	t.Run("two who come at the same moment get different slots", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var b *member
		w.db.set(func(d *database) {
			d.meanwhile = func() {
				d.set(func(d *database) { d.meanwhile = nil })
				b = w.join(0)
			}
		})
		a := w.join(0)
		if a.Slot() == b.Slot() {
			t.Errorf("both have slot %d", a.Slot())
		}
	})
	t.Run("many who come at once get different slots and their share", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		joined := make(chan *member)
		for range 8 {
			go func() {
				n, err := cluster.Join(t.Context(), cluster.Config{Store: w.db, Now: func() time.Time { return w.time(0) }})
				if err == nil {
					err = n.Beat(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
				joined <- &member{Node: n}
			}()
		}
		used := make(map[int]bool)
		for range 8 {
			m := <-joined
			used[m.Slot()] = true
			w.members = append(w.members, m)
		}
		if len(used) != 8 {
			t.Errorf("%d slots, want 8", len(used))
		}
		w.pass(4 * beat)
		w.even(w.members...)
	})
	t.Run("what cannot be is refused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, cfg := range []cluster.Config{{Beat: -1}, {Beat: time.Second, TTL: 2 * time.Second}, {TTL: time.Second}} {
			cfg.Store = w.db
			if _, err := cluster.Join(t.Context(), cfg); err == nil {
				t.Errorf("no error for %v", cfg)
			}
		}
		w.db.set(func(d *database) { d.down = errDown })
		if _, err := w.tryJoin(0); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got error %v, want unavailable", err)
		}
	})
}

func TestClocksMinutesApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.three()
	before := w.db.owners()
	for range 60 {
		w.pass(beat)
		w.later(300 * time.Millisecond)
		for _, m := range w.members {
			if off := m.Now().Sub(w.time(0)); off.Abs() > time.Millisecond {
				t.Fatalf("the time is off by %v", off)
			}
		}
	}
	if after := w.db.owners(); !slices.Equal(before, after) {
		t.Errorf("parts have changed hands:\n%v\n%v", before, after)
	}
}

func TestDatabaseClockIsSet(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, 20 * time.Second, -20 * time.Second, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b, c := w.three()
			before, last := w.db.owners(), a.Now()
			w.setClock(by)
			for range 20 {
				w.pass(beat)
				d := w.join(0) // one that comes then
				for _, m := range []*member{a, b, c, d} {
					now := m.Now()
					if now.Before(last) {
						t.Fatalf("time goes back from %v to %v", last, now)
					}
					if off := now.Sub(last); off > 2*time.Second && by < 0 {
						t.Fatalf("time jumps by %v", off)
					}
				}
				last = a.Now()
				if err := d.Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.members = w.members[:3]
			}
			w.even(a, b, c)
			if after := w.db.owners(); !slices.Equal(before, after) {
				t.Errorf("parts have changed hands:\n%v\n%v", before, after)
			}
		})
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	t.Run("a node that hangs has nothing at the end of its time, and others take over", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.three()
		had, slot := c.Parts(), c.Slot()
		c.hangs = true
		w.pass(timeToLive - beat)
		if !slices.Equal(c.Parts(), had) {
			t.Errorf("it has %v, want %v until the end of its time", c.Parts(), had)
		}
		w.later(beat)
		if c.Parts() != nil || c.Leader() {
			t.Errorf("it has %v, want nothing", c.Parts())
		}
		w.pass(2 * beat)
		w.even(a, b)
		w.peers(a, ids(b), ids(c))
		leases := w.db.owners()
		for _, p := range had {
			if l := leases[p.Part]; l.Fence <= p.Fence {
				t.Errorf("part %d was taken with fence %d after %d", p.Part, l.Fence, p.Fence)
			}
		}

		c.hangs = false
		w.beat(c)
		if c.Parts() != nil {
			t.Errorf("back again it has %v, want nothing at first", c.Parts())
		}
		w.pass(3 * beat)
		w.even(a, b, c)
		w.peers(a, ids(b, c), nil)
		if c.Slot() != slot {
			t.Errorf("slot %d, was %d", c.Slot(), slot)
		}
	})
	t.Run("one that comes back before others have taken over goes on", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		w.beat(a)
		before := a.Parts()
		w.later(time.Minute)
		if a.Parts() != nil {
			t.Error("it has parts after the end of its time")
		}
		w.beat(a)
		if !slices.Equal(a.Parts(), before) {
			t.Errorf("it has %v, want %v", a.Parts(), before)
		}
	})
	t.Run("a node that comes back while another takes over, and is first, keeps its parts", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.join(0), w.join(0)
		w.pass(4 * beat)
		before := b.Parts()
		b.hangs = true
		w.pass(timeToLive - beat)
		w.later(beat)
		commits := 0
		w.db.set(func(d *database) {
			d.meanwhile = func() {
				if commits++; commits == 2 { // first it says that it lives, then it takes
					d.set(func(d *database) { d.meanwhile = nil })
					w.beat(b)
				}
			}
		})
		w.beat(a)
		w.even(a, b)
		if !slices.Equal(b.Parts(), before) {
			t.Errorf("it has %v, want %v", b.Parts(), before)
		}
	})
	t.Run("a node that comes back while another takes over, and is second, sees what it has lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.join(0), w.join(0)
		w.pass(4 * beat)
		b.hangs = true
		w.pass(timeToLive - beat)
		w.later(beat)
		w.db.set(func(d *database) {
			d.meanwhile = func() {
				d.set(func(d *database) { d.meanwhile = nil })
				w.beat(a)
			}
		})
		w.beat(b)
		w.even(a)
		if b.Parts() != nil {
			t.Errorf("it has %v, want nothing", b.Parts())
		}
	})
	t.Run("who was away for so long that its slot was given to another gets a new one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		w.beat(a)
		b := w.join(0)
		b.hangs = true
		slot := b.Slot()
		w.pass(20 * beat)
		w.peers(a, nil, ids(b))
		w.later(time.Hour) // a hangs, too
		w.pass(2 * timeToLive)
		w.peers(a, nil, nil)
		if n := len(w.db.rows()); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		c := w.join(0)
		if c.Slot() != slot {
			t.Errorf("slot %d, want that of the one forgotten, %d", c.Slot(), slot)
		}
		told := b.told
		w.beat(b)
		if b.Slot() == slot || b.told == told {
			t.Errorf("slot %d, was %d; told %d times", b.Slot(), slot, b.told-told)
		}
		b.hangs = false
		w.pass(3 * beat)
		w.even(a, b, c)
	})
}

// TestSlotOfAnother lets a node come back whose slot had to be given to another.
func TestSlotOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join(0)
	w.later(2 * timeToLive)
	now := w.time(0).UnixMilli()
	err := w.db.Update(t.Context(), func(tx store.Tx) error {
		for i := 1; i < cluster.Slots; i++ {
			n := store.Node{ID: fmt.Sprint(i), Slot: i, SeenAt: now, Until: now + time.Hour.Milliseconds()}
			if i == 500 {
				n.Until = now - 1 // gone for less long than a
			}
			if err := tx.PutNode(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b := w.join(0)
	if b.Slot() != a.Slot() {
		t.Fatalf("slot %d, want that of the node that has been gone for longest, %d", b.Slot(), a.Slot())
	}
	w.beat(a)
	if a.Slot() != 500 {
		t.Errorf("slot %d, want the only one that is free, 500", a.Slot())
	}
	w.later(2 * timeToLive)
	w.beat(b)
	if b.Slot() != 0 {
		t.Errorf("slot %d, want 0 as before: nobody else has it", b.Slot())
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.three()
	w.db.set(func(d *database) { d.down = errDown })
	if err := c.Leave(t.Context()); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got error %v, want unavailable", err)
	}
	w.db.set(func(d *database) { d.down = nil })
	if err := c.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Parts() != nil {
		t.Errorf("it has %v, want nothing", c.Parts())
	}
	w.beat(a, b)
	w.even(a, b)
	w.later(beat)
	w.beat(a, b)
	w.peers(a, ids(b), ids(c))
	if err := c.Leave(t.Context()); err != nil {
		t.Errorf("left twice: %v", err)
	}
	if err := c.Beat(t.Context()); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got error %v, want unavailable", err)
	}
	if _, err := w.tryJoin(0); err != nil {
		t.Error(err)
	}

	// Who has been taken care of is forgotten, by all; who lives is not.
	for _, id := range []string{c.ID(), b.ID(), "nobody"} {
		if err := a.Forget(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.peers(a, ids(b), nil)
	w.pass(3 * beat)
	w.peers(b, slices.Sorted(slices.Values(append(ids(a), w.members[3].ID()))), nil)
	if w.members[3].Slot() == c.Slot() {
		t.Error("the slot of a node that has left was given to another at once")
	}
}

func TestBury(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join(0)
	w.beat(a)
	w.later(beat)
	w.members = nil // killed
	for _, id := range []string{a.ID(), "nobody"} {
		if err := cluster.Bury(t.Context(), w.db, id); err != nil {
			t.Fatal(err)
		}
	}
	b := w.join(0)
	w.beat(b)
	w.even(b)
	w.peers(b, nil, ids(a))
	if b.Parts()[0].Fence != 2 {
		t.Errorf("fence %d, want 2", b.Parts()[0].Fence)
	}

	// One that was not dead finds out and gets its share.
	w.members = append(w.members, a)
	w.pass(4 * beat)
	w.even(a, b)
}

func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	t.Run("who cannot reach it stops, and goes on when all can", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.three()
		before := w.db.owners()
		for _, away := range []time.Duration{beat, 4 * beat, timeToLive, time.Minute} {
			w.db.set(func(d *database) { d.down = errDown })
			w.pass(away)
			if stopped := a.Parts() == nil; stopped != (away >= timeToLive) {
				t.Errorf("after %v: stopped %t", away, stopped)
			}
			w.peers(a, ids(b, c), nil)
			w.db.set(func(d *database) { d.down = nil })
			w.later(beat)
			for _, m := range []*member{b, a, c} {
				w.beat(m)
				w.peers(m, slices.DeleteFunc(ids(a, b, c), func(id string) bool { return id == m.ID() }), nil)
			}
			w.even(a, b, c)
			w.pass(2 * timeToLive)
			if after := w.db.owners(); !slices.Equal(before, after) {
				t.Errorf("after %v parts have changed hands:\n%v\n%v", away, before, after)
			}
		}
	})
	t.Run("who has died meanwhile is found to be dead", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.three()
		w.db.set(func(d *database) { d.down = errDown })
		c.hangs = true
		w.pass(time.Minute)
		w.db.set(func(d *database) { d.down = nil })
		w.pass(timeToLive)
		w.peers(a, ids(b, c), nil)
		w.pass(2 * beat)
		w.peers(a, ids(b), ids(c))
		w.even(a, b)
	})
	t.Run("who could not reach it does not hold it against others", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.three()
		had := c.Parts()
		c.hangs = true
		w.pass(3 * beat)
		w.db.set(func(d *database) { d.down = errDown })
		w.pass(beat)
		w.db.set(func(d *database) { d.down = nil })
		w.pass(2 * beat) // the time of c is up
		w.peers(a, ids(b, c), nil)
		c.hangs = false
		w.pass(beat)
		if !slices.Equal(c.Parts(), had) {
			t.Errorf("it has %v, want %v", c.Parts(), had)
		}
	})
	t.Run("whoever joins then does not take what those have who were there", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		w.beat(a)
		before := w.db.owners()
		w.later(time.Minute)
		b := w.join(0)
		w.beat(b)
		w.beat(a)
		if after := w.db.owners(); !slices.Equal(before[:parts/2], after[:parts/2]) {
			t.Errorf("parts have changed hands:\n%v\n%v", before, after)
		}
		w.pass(beat)
		w.even(a, b)
	})
	t.Run("a commit without an answer is found out about", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a := w.join(0)
		w.beat(a)
		b := w.join(0)
		for _, m := range []*member{a, b, a, b} {
			w.db.set(func(d *database) { d.silent = true })
			for range 2 {
				_ = m.Beat(t.Context())
				w.apart()
			}
			w.db.set(func(d *database) { d.silent = false })
			for _, other := range []*member{b, a} {
				w.beat(other)
				w.apart()
			}
		}
		w.pass(2 * beat)
		w.even(a, b)
	})
}

// TestGivenUpIsKeptQuietBefore shows that a node stops working on a part before
// others can see that it is free.
func TestGivenUpIsKeptQuietBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join(0)
	w.beat(a)
	w.join(0)
	w.db.set(func(d *database) {
		d.meanwhile = func() {
			d.mu.Lock()
			first := d.leases[0].row.Fence
			d.mu.Unlock()
			if first != 1 {
				t.Errorf("fence %d, want 1", first)
			}
			w.seen = append(w.seen, len(a.Parts()))
		}
	})
	w.beat(a)
	if !slices.Equal(w.seen, []int{parts, parts / 2}) {
		t.Errorf("at the commits it has %v parts, want %v", w.seen, []int{parts, parts / 2})
	}
}

// TestSlotsRunOut lets more nodes come than there are slots.
func TestSlotsRunOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	until := w.time(0).Add(time.Hour).UnixMilli()
	err := w.db.Update(t.Context(), func(tx store.Tx) error {
		for i := range cluster.Slots {
			if err := tx.PutNode(store.Node{ID: fmt.Sprint(i), Slot: i, Until: until}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.tryJoin(0); !apierr.Is(err, apierr.LimitExceeded) {
		t.Errorf("got error %v, want that there are too many", err)
	}
}
