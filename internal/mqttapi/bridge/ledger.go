package bridge

import (
	"hash/maphash"
	"sync"

	"muster/internal/mqtt/codec"
)

// ledger keeps account of the requests of QoS 1 of one session: they are
// acknowledged in the order in which they came [MQTT-4.6.0-2], each after it has
// been served, and one that comes again because its acknowledgement was lost is
// not served again. It is safe for concurrent use.
type ledger struct {
	seed maphash.Seed

	mu      sync.Mutex
	to      *conn             // guarded by mu: where acknowledgements go; nil: nowhere
	order   []*entry          // guarded by mu: came over to, and not acknowledged
	known   map[uint16]*entry // guarded by mu: the last one of each packet id, until the broker is known to have its acknowledgement
	sent    int64             // guarded by mu: how many acknowledgements have been sent
	sending bool              // guarded by mu: somebody is acknowledging
}

// entry is a request of QoS 1.
type entry struct {
	id     uint16
	sum    uint64 // of topic and payload
	served bool
	acked  int64 // the number of its acknowledgement; 0: it has none
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), known: make(map[uint16]*entry)}
}

// open begins with a new connection, before anything has come over it. goes is
// whether the session goes on: then what has not been acknowledged comes again,
// with its packet id and marked as a duplicate [MQTT-4.4.0-1]. If not, the
// broker has forgotten it, and packet ids mean other requests.
func (l *ledger) open(c *conn, goes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to, l.order = c, nil
	if !goes {
		clear(l.known)
	}
}

// arrive notes a request and returns its entry, or nil if it is known: then it
// has been served or is about to be, and will be acknowledged without the caller.
func (l *ledger) arrive(p *codec.Publish) *entry {
	e := &entry{id: p.PacketID, sum: l.sum(p)}
	l.mu.Lock()
	old := l.known[p.PacketID]
	again := p.Dup && old != nil && old.sum == e.sum
	if again {
		e = old
	}
	l.known[p.PacketID] = e
	l.order = append(l.order, e)
	l.mu.Unlock()
	if !again {
		return e
	}
	l.settle()
	return nil
}

func (l *ledger) sum(p *codec.Publish) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.Write(p.Topic) // never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(p.Payload)
	return h.Sum64()
}

// forget takes back a request that will not be served: when it comes again it is
// another one. Its connection must have ended.
func (l *ledger) forget(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[e.id] == e {
		delete(l.known, e.id)
	}
}

// done says that a request has been served. It is acknowledged now, or after
// those before it; if its connection has ended, when it comes again.
func (l *ledger) done(e *entry) {
	l.mu.Lock()
	e.served = true
	l.mu.Unlock()
	l.settle()
}

// settle acknowledges what is served. Of those who call it at the same time one
// does it for all, so that the order stays and many go at once.
func (l *ledger) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sending {
		return
	}
	l.sending = true
	defer func() { l.sending = false }()
	for {
		n := 0
		for n < len(l.order) && l.order[n].served {
			n++
		}
		if n == 0 {
			return
		}
		c, batch := l.to, l.order[:n:n]
		l.order = l.order[n:]
		ids := make([]uint16, n)
		for i, e := range batch {
			ids[i] = e.id
		}
		l.mu.Unlock()
		err := c.acknowledge(ids)
		l.mu.Lock()
		if err != nil {
			continue // it has ended: they come again
		}
		for _, e := range batch {
			l.sent++
			e.acked = l.sent
		}
	}
}

// ping returns what to call when the broker has answered a ping that is sent
// now: it has then read all that was sent before, so that what was acknowledged
// does not come again.
func (l *ledger) ping() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	return func() { l.confirm(sent) }
}

func (l *ledger) confirm(sent int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.known {
		if e.acked > 0 && e.acked <= sent {
			delete(l.known, id)
		}
	}
}
