package mqttapi

import (
	"cmp"
	"container/list"
	"sync"
	"time"
)

// InspectorConfig bounds what an inspector keeps. Zero fields take the defaults,
// with which it holds 40 MiB at the very most.
type InspectorConfig struct {
	// Things is for how many things messages are kept: those that had one last. 0 is 1000.
	Things int
	// Messages is how many are kept of each thing. 0 is 20.
	Messages int
	// Payload is how many bytes of each payload are kept. 0 is 1024.
	Payload int
	// Now is a clock by which messages are numbered, so that those of several nodes
	// can be put in order; nil is that of the machine.
	Now func() time.Time
}

// Inspector keeps the last job messages of the things that had any, in memory,
// for operators who wonder what a device does. A message costs a lock and a
// copy, never I/O or a wait for whoever reads. A nil Inspector keeps nothing.
// It is safe for concurrent use.
type Inspector struct {
	things, messages, payload int
	now                       func() time.Time

	mu        sync.Mutex
	seq       int64                    // guarded by mu: the last one
	tapes     map[string]*list.Element // guarded by mu: of *tape, by thing
	recent    list.List                // guarded by mu: of *tape, the last to change in front
	forgotten int64                    // guarded by mu: no message of a thing without a tape is later
}

// tape is a ring of one thing's messages.
type tape struct {
	thing     string
	ring      []Logged // grows up to the limit; then the oldest is overwritten
	next      int      // where the next one goes once the ring is full
	forgotten int64    // no message that is missing is later
}

// NewInspector returns an inspector that has seen nothing.
func NewInspector(c InspectorConfig) *Inspector {
	if c.Now == nil {
		c.Now = time.Now
	}
	i := &Inspector{
		now: c.Now, things: cmp.Or(c.Things, 1000), messages: cmp.Or(c.Messages, 20), payload: cmp.Or(c.Payload, 1024),
		seq:   c.Now().UnixMicro(), // beyond what an earlier process has numbered, yet exact as a JSON number
		tapes: make(map[string]*list.Element),
	}
	i.forgotten = i.seq
	return i
}

// Messages returns what is kept of a thing's messages after the one with the
// number given, oldest first, and whether some may be missing in between. After
// 0 it returns all that is kept, and nothing counts as missing.
func (i *Inspector) Messages(thing string, after int64) (messages []Logged, missing bool) {
	if i == nil {
		return nil, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.tapes[thing]
	if e == nil {
		return nil, after != 0 && after < i.forgotten
	}
	t := tapeOf(e)
	messages = make([]Logged, 0, len(t.ring))
	for _, part := range [][]Logged{t.ring[t.next:], t.ring[:t.next]} {
		for _, m := range part {
			if m.Seq > after {
				messages = append(messages, m)
			}
		}
	}
	return messages, after != 0 && after < t.forgotten
}

// record keeps messages of a thing, in order, and numbers them.
func (i *Inspector) record(thing string, messages ...Logged) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.tape(thing)
	for _, m := range messages {
		i.seq = max(i.seq+1, i.now().UnixMicro())
		m.Seq = i.seq
		if len(t.ring) < i.messages {
			t.ring = append(t.ring, m)
			continue
		}
		t.forgotten = t.ring[t.next].Seq
		t.ring[t.next] = m
		t.next = (t.next + 1) % len(t.ring)
	}
}

// tape returns the thing's tape as the most recent one. A new one may throw away
// another thing's. i.mu is held.
func (i *Inspector) tape(thing string) *tape {
	if e := i.tapes[thing]; e != nil {
		i.recent.MoveToFront(e)
		return tapeOf(e)
	}
	if i.recent.Len() >= i.things {
		last := i.recent.Back()
		t := tapeOf(last)
		i.forgotten = max(i.forgotten, t.last())
		delete(i.tapes, t.thing)
		i.recent.Remove(last)
	}
	t := &tape{thing: thing, forgotten: i.forgotten}
	i.tapes[thing] = i.recent.PushFront(t)
	return t
}

func tapeOf(e *list.Element) *tape {
	t, _ := e.Value.(*tape) // nothing else is in the list
	return t
}

// last returns the number of the latest message.
func (t *tape) last() int64 {
	n := len(t.ring)
	return t.ring[(t.next+n-1)%n].Seq
}
