package registry

import (
	"sync"
	"time"
)

// secretLife is how long a secret is believed without asking the store.
const secretLife = 5 * time.Second

// secrets remembers the secrets of access keys that work, so that a signed
// request costs no read. There is one entry a key at most: ids that do not exist
// are not remembered, or strangers could fill the memory.
type secrets struct {
	now func() time.Time

	mu sync.Mutex
	// known and changes are guarded by mu. changes counts the calls of forget.
	known   map[string]knownSecret
	changes uint64
}

type knownSecret struct {
	secret string
	until  time.Time
}

func newSecrets(now func() time.Time) *secrets {
	if now == nil {
		now = time.Now //nolint:forbidigo // the default of the wall clock
	}
	return &secrets{now: now, known: make(map[string]knownSecret)}
}

// get returns a secret that is still believed. If there is none, the ticket is
// for put.
func (s *secrets) get(id string) (secret string, ticket uint64, ok bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[id]
	if ok && now.Before(k.until) {
		return k.secret, 0, true
	}
	return "", s.changes, false
}

// put remembers what was read after get gave the ticket, unless a key has been
// changed since: it may have been read before that.
func (s *secrets) put(id, secret string, ticket uint64) {
	until := s.now().Add(secretLife)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == ticket {
		s.known[id] = knownSecret{secret, until}
	}
}

// forget must be called after every change of a key.
func (s *secrets) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	delete(s.known, id)
}
