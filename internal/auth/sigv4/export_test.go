package sigv4

// PathSpellings is exported for the test of its law.
var PathSpellings = pathSpellings

// MaxKeys is the bound of the key cache.
const MaxKeys = maxKeys

// CachedKeys returns how many signing keys v remembers.
func (v *Verifier) CachedKeys() int {
	v.keys.mu.RLock()
	defer v.keys.mu.RUnlock()
	return len(v.keys.keys)
}
