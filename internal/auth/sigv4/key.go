package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// scope is what a signing key is made for.
type scope struct{ keyID, date, region, service string }

// signingKey signs all requests of one scope. It is safe for concurrent use.
type signingKey struct {
	key [sha256.Size]byte
	// states holds *keyState. Setting up an HMAC costs more than using it, so
	// the states are used again.
	states sync.Pool
}

type keyState struct {
	mac  hash.Hash
	text []byte // the string to sign
	sum  []byte
}

// newSigningKey derives the key for a scope: a chain of MACs.
func newSigningKey(secret string, s scope) *signingKey {
	key := []byte("AWS4" + secret)
	for _, part := range [...]string{s.date, s.region, s.service, terminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return &signingKey{key: [sha256.Size]byte(key)}
}

// sign returns the signature of a canonical request, in lower-case hex.
func (k *signingKey) sign(stamp, scope string, canonical []byte) []byte {
	st, ok := k.states.Get().(*keyState)
	if !ok {
		st = &keyState{mac: hmac.New(sha256.New, k.key[:])}
	}
	defer k.states.Put(st)

	digest := sha256.Sum256(canonical)
	t := append(st.text[:0], algorithm+"\n"...)
	t = append(t, stamp...)
	t = append(t, '\n')
	t = append(t, scope...)
	t = append(t, '\n')
	st.text = hex.AppendEncode(t, digest[:])

	st.mac.Reset()
	st.mac.Write(st.text)
	st.sum = st.mac.Sum(st.sum[:0])
	return hex.AppendEncode(nil, st.sum)
}

// maxKeys bounds a keyCache to a few megabytes.
const maxKeys = 1024

// keyCache remembers signing keys, since making one costs more than all the
// rest of a verification. The zero value is ready and empty.
type keyCache struct {
	mu   sync.RWMutex // guards keys
	keys map[scope]cachedKey
}

type cachedKey struct {
	secret string // what key was derived from: a key must not outlive a changed secret
	key    *signingKey
}

// get returns the key of s for secret, and whether it came from the cache.
func (c *keyCache) get(secret string, s scope) (key *signingKey, cached bool) {
	c.mu.RLock()
	k, ok := c.keys[s]
	c.mu.RUnlock()
	if ok && k.secret == secret {
		return k.key, true
	}
	return newSigningKey(secret, s), false
}

// put remembers a key. If there are too many it forgets some other one: it is
// only a cache, and the ids, dates and services in use are few.
func (c *keyCache) put(secret string, s scope, key *signingKey) {
	// The strings of s are parts of a request, which must not stay in memory.
	s = scope{strings.Clone(s.keyID), strings.Clone(s.date), strings.Clone(s.region), strings.Clone(s.service)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[scope]cachedKey)
	}
	if _, ok := c.keys[s]; !ok && len(c.keys) >= maxKeys {
		for old := range c.keys {
			delete(c.keys, old)
			break
		}
	}
	c.keys[s] = cachedKey{secret: secret, key: key}
}
