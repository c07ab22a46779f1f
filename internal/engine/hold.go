package engine

import (
	"sync"
	"time"
)

// holdMax bounds how long the outbox passes a thing by, in wall-clock time.
const holdMax = time.Second

// holds are the things whose devices wait for an answer. The zero value is ready.
type holds struct {
	mu     sync.Mutex
	things map[string]*hold // guarded by mu
	reads  uint64           // guarded by mu: how often the outbox has begun to read
}

// hold is one thing's. It outlives the requests that made it while something may
// be owed, so that one request right after the other cannot put that off for ever.
type hold struct {
	requests int    // under way
	owed     bool   // the outbox must look at the thing again
	changed  uint64 // the reading that may not have seen the last change
	late     bool   // holdMax is over
	timer    *time.Timer
}

// Hold makes the outbox pass a thing by until release is called. A surface that
// answers over the connection on which the device is told of changes calls it
// before a request that may change the thing's queue, and release when the
// answer has been handed to the connection, or will never be: then the device
// gets the answer first, and after it no state that is older than the answer.
//
// Without release it ends after a second, and a device that always has a
// request under way is told once a second: nothing is lost. release does
// nothing when called again.
func (e *Engine) Hold(thing string) (release func()) {
	if e.publisher == nil {
		return func() {}
	}
	h := e.holds.add(thing, func(h *hold) {
		if e.holds.expire(thing, h) {
			e.rouse(&e.outbox)
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			if e.holds.release(thing, h) {
				e.rouse(&e.outbox)
			}
		})
	}
}

func (s *holds) add(thing string, expired func(*hold)) *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.things[thing]
	if h == nil {
		if s.things == nil {
			s.things = make(map[string]*hold)
		}
		h = &hold{}
		h.timer = time.AfterFunc(holdMax, func() { expired(h) })
		s.things[thing] = h
	}
	h.requests++
	return h
}

// drop forgets h, unless it is forgotten already. s.mu is held.
func (s *holds) drop(thing string, h *hold) {
	if s.things[thing] == h {
		delete(s.things, thing)
	}
	h.timer.Stop()
}

// release ends a request and reports whether the outbox must be woken.
func (s *holds) release(thing string, h *hold) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.requests--
	if h.requests > 0 {
		return false
	}
	if h.late || !h.owed {
		s.drop(thing, h)
	}
	return h.owed
}

// expire ends what has lasted too long and reports whether the outbox must be woken.
func (s *holds) expire(thing string, h *hold) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.requests == 0 || !h.owed {
		s.drop(thing, h)
		return false
	}
	h.late = true
	return true
}

// owe records a committed change of a thing and reports whether the outbox is
// woken for it later, when the hold ends.
func (s *holds) owe(thing string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.things[thing]
	if h == nil {
		return false
	}
	h.owed, h.changed = true, s.reads
	return h.requests > 0 && !h.late
}

// read begins a reading of the outbox.
func (s *holds) read() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
}

// ready reports whether the device of a thing may be told what the present
// reading has found. If not, the outbox is woken again.
func (s *holds) ready(thing string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.things[thing]
	if h == nil {
		return true
	}
	if !h.late && (h.requests > 0 || h.changed == s.reads) {
		h.owed = true
		return false
	}
	s.drop(thing, h)
	return true
}
