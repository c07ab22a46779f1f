package job

import "sync"

// UIDs makes internal identities: positive, unique within a process and
// growing with time, also when the clock steps back. The zero value is ready.
// It is safe for concurrent use.
type UIDs struct {
	mu   sync.Mutex
	last int64 // guarded by mu
}

const uidShift = 20 // a million uids a millisecond before they run ahead of the clock

// Next returns a uid for time now, in milliseconds since the epoch.
func (u *UIDs) Next(now int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = max(u.last+1, now<<uidShift)
	return u.last
}

// Seen makes later uids greater than uid. A store that is opened again tells
// the highest it holds, so that order survives a clock that went back.
func (u *UIDs) Seen(uid int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = max(u.last, uid)
}
