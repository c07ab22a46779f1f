package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// How long the outbox and the requests of a thing give way to each other, in
// wall-clock time.
const (
	// patience is how long the outbox passes by a thing that always has a request
	// under way; after that the next request waits for it.
	patience = 100 * time.Millisecond
	// holdMax bounds that wait, in case that the outbox has come to a halt.
	holdMax = time.Second
)

// holds keeps what a device is told and what it is answered in order. The zero
// value is ready.
type holds struct {
	mu       sync.Mutex
	things   map[string]*hold // guarded by mu
	changes  int64            // guarded by mu: how many have been noted
	readings map[int64]int    // guarded by mu: those who have read queues and not told everything yet, by the changes before them
	readers  int              // guarded by mu: how many these are
	moved    map[string]int64 // guarded by mu: the last change of things, if somebody may have read before it
	tidyAt   int              // guarded by mu: how many there may be of moved
}

// hold is what is going on with one thing.
type hold struct {
	requests int           // under way
	waiting  int           // requests that wait for told
	owed     bool          // the outbox is to be woken when the last of them ends
	telling  bool          // the outbox is telling the device
	passed   time.Time     // since when the outbox has passed the thing by; zero if it has not
	told     chan struct{} // closed when the device has been told; nil if nobody waits for that
}

// Hold makes the outbox pass a thing by until release is called. A surface that
// answers over the connection on which the device is told of changes calls it
// before a request that may change the thing's queue, and release, which must
// not be forgotten, when the answer has been handed to the connection or will
// never be. Then the device gets the answer first, and after it nothing that is
// older than the answer.
//
// Hold waits while the device is being told, and, if the thing has had requests
// under way for long, until it has been; never more than a second. release does
// nothing when called again.
func (e *Engine) Hold(ctx context.Context, thing string) (release func()) {
	if e.publisher == nil {
		return func() {}
	}
	h := e.holds.enter(ctx, thing)
	var once sync.Once
	return func() {
		once.Do(func() {
			if e.holds.leave(thing, h) {
				e.rouse(Outbox, e.store.PartOf(thing))
			}
		})
	}
}

// of returns what is going on with a thing. s.mu is held.
func (s *holds) of(thing string) *hold {
	h := s.things[thing]
	if h != nil {
		return h
	}
	if s.things == nil {
		s.things = make(map[string]*hold)
	}
	h = &hold{}
	s.things[thing] = h
	return h
}

// tidy forgets a thing with which nothing goes on. s.mu is held.
func (s *holds) tidy(thing string, h *hold) {
	if h.requests == 0 && h.waiting == 0 && !h.telling && h.passed.IsZero() {
		delete(s.things, thing)
	}
}

func (s *holds) enter(ctx context.Context, thing string) *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.of(thing)
	if h.telling || h.passedFor(patience) {
		h.waiting++
		s.await(ctx, h)
		h.waiting--
	}
	h.requests++
	return h
}

// passedFor reports whether the outbox has passed the thing by for longer than d.
func (h *hold) passedFor(d time.Duration) bool {
	return !h.passed.IsZero() && wall().Sub(h.passed) > d
}

// await waits until the device has been told, or for long enough. s.mu is held,
// but not while it waits.
func (s *holds) await(ctx context.Context, h *hold) {
	if h.told == nil {
		h.told = make(chan struct{})
	}
	told := h.told
	s.mu.Unlock()
	enough := time.NewTimer(holdMax)
	select {
	case <-told:
	case <-enough.C:
	case <-ctx.Done():
	}
	enough.Stop()
	s.mu.Lock()
	h.passed = time.Time{} // nobody waits for an outbox that does not come
}

// leave ends a request and reports whether the outbox must be woken.
func (s *holds) leave(thing string, h *hold) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.requests--
	if h.requests > 0 {
		return false
	}
	owed := h.owed
	h.owed = false
	s.tidy(thing, h)
	return owed
}

// moves records a committed change of a thing's queue. If its device is owed news
// of it, it reports whether the outbox is woken for that later, when the last
// request ends.
func (s *holds) moves(thing string, news bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.readings) > 0 {
		s.changes++
		s.moved[thing] = s.changes
	}
	h := s.things[thing]
	if !news || h == nil || h.requests == 0 {
		return false
	}
	h.owed = true
	return true
}

// read begins a reading of the outbox, which done ends. What it returns is for
// tell and done.
func (s *holds) read() (since int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.readings) == 0 {
		s.readings, s.moved, s.tidyAt = make(map[int64]int), make(map[string]int64), minTidy
	}
	s.readings[s.changes]++
	s.readers++
	return s.changes
}

// minTidy is how many things may have moved before those are looked for that
// everybody has read after.
const minTidy = 1000

func (s *holds) done(since int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
	s.readings[since]--
	if s.readings[since] > 0 {
		return
	}
	delete(s.readings, since)
	switch {
	case len(s.readings) == 0:
		s.moved = nil
	case len(s.moved) >= s.tidyAt: // others read all the time
		oldest := slices.Min(slices.Collect(maps.Keys(s.readings)))
		maps.DeleteFunc(s.moved, func(_ string, change int64) bool { return change <= oldest })
		s.tidyAt = 2*len(s.moved) + minTidy
	}
}

// tell reports whether the device of a thing may be told what a reading has
// found; told must then be called. If not, the thing has requests under way or is
// being told, the end of which wakes the outbox, or it has changed since the
// reading: then another one will do, and stale is set.
func (s *holds) tell(thing string, since int64) (ok, stale bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.of(thing)
	busy := h.requests > 0 || h.telling
	stale = s.moved[thing] > since && !h.passedFor(holdMax)
	if !busy && !stale {
		h.telling = true
		return true, false
	}
	h.owed = h.owed || busy
	if h.passed.IsZero() {
		h.passed = wall()
	}
	return false, stale && !busy
}

// told ends what tell has begun. It reports whether the outbox must be woken,
// for somebody who could not tell at the same time. To those who have read before,
// the thing has moved: if they are slow, what they have read is older than what
// its device knows now.
func (s *holds) told(thing string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers > 1 {
		s.changes++
		s.moved[thing] = s.changes
	}
	h := s.of(thing)
	h.telling, h.passed = false, time.Time{}
	if h.told != nil {
		close(h.told)
		h.told = nil
	}
	owed := h.owed && h.requests == 0
	if owed {
		h.owed = false
	}
	s.tidy(thing, h)
	return owed
}
