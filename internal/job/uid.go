package job

import "sync"

// A uid is a time in milliseconds, a number within it, and the slot of the node
// that has made it.
const (
	uidShift = 20
	slotBits = 10

	// MaxSlot is the highest slot of a node.
	MaxSlot = 1<<slotBits - 1
)

// UIDs makes internal identities: positive, unique among all nodes of a cluster
// and growing with time, also when the clock steps back. A thousand a millisecond
// can be made before they run ahead of the clock. The zero value is ready. It is
// safe for concurrent use.
//
// Two nodes' clocks differ, so their uids say nothing about what came first,
// unless whoever came later has Seen what was there: see store.Tx, Newest.
type UIDs struct {
	mu   sync.Mutex
	last int64 // guarded by mu; without the slot
	slot int64 // guarded by mu
}

// SetSlot makes later uids those of a slot, from 0 to MaxSlot. No other node may
// have it.
func (u *UIDs) SetSlot(slot int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.slot = int64(slot) & MaxSlot
}

// Next returns a uid for time now, in milliseconds since the epoch.
func (u *UIDs) Next(now int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = max(u.last+1, now<<(uidShift-slotBits))
	return u.last<<slotBits | u.slot
}

// Seen makes later uids greater than uid. A store that is opened again tells
// the highest it holds, so that order survives a clock that went back; whoever
// makes a uid that will be compared with others tells the highest of those.
func (u *UIDs) Seen(uid int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = max(u.last, uid>>slotBits)
}
