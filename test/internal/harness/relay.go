package harness

import (
	"net"
	"sync"
	"testing"
)

// Flow is what a [Relay] does with connections.
type Flow int

// What becomes of connections.
const (
	// Passing lets everything through.
	Passing Flow = iota
	// Mute keeps connections open, also new ones, and lets nothing through, as a
	// cable does that was pulled. What was sent meanwhile arrives afterwards.
	Mute
	// Resetting ends all connections, also new ones, at once.
	Resetting
)

// Relay passes TCP connections on, as long as it is let. Its methods are safe
// for concurrent use.
type Relay struct {
	listener net.Listener

	mu     sync.Mutex
	target string                // guarded by mu
	flow   Flow                  // guarded by mu
	moved  *sync.Cond            // with mu: flow has changed
	conns  map[*net.TCPConn]bool // guarded by mu
}

// NewRelay starts a relay to an address. It ends with the test.
func NewRelay(t testing.TB, target string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: l, target: target, conns: make(map[*net.TCPConn]bool)}
	r.moved = sync.NewCond(&r.mu)
	var pumps sync.WaitGroup
	pumps.Go(func() { r.accept(&pumps) })
	t.Cleanup(func() {
		_ = l.Close() // ends accept
		r.Set(Resetting)
		pumps.Wait()
	})
	return r
}

// Addr is where the relay listens, host:port.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Set says what becomes of connections from now on.
func (r *Relay) Set(f Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flow = f
	if f == Resetting {
		r.reset()
	}
	r.moved.Broadcast()
}

// Lead makes the relay lead to another address, and ends the connections to the
// one before.
func (r *Relay) Lead(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	r.reset()
}

// reset ends all connections, with RST. The caller holds mu.
func (r *Relay) reset() {
	for c := range r.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	clear(r.conns)
}

func (r *Relay) accept(pumps *sync.WaitGroup) {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		pumps.Go(func() { r.serve(in, pumps) })
	}
}

// serve connects somebody to the target.
func (r *Relay) serve(in net.Conn, pumps *sync.WaitGroup) {
	if !r.hold(in) {
		return
	}
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	out, err := net.Dial("tcp", target)
	if err != nil {
		r.let(in)
		return
	}
	if !r.hold(out) {
		r.let(in)
		return
	}
	pumps.Go(func() { r.pump(in, out) })
	r.pump(out, in)
}

// hold takes a connection into the books, once it may pass. It reports whether
// it may.
func (r *Relay) hold(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.flow == Mute {
		r.moved.Wait()
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok || r.flow == Resetting {
		_ = c.Close()
		return false
	}
	r.conns[tcp] = true
	return true
}

// let ends a connection.
func (r *Relay) let(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = c.Close()
	if tcp, ok := c.(*net.TCPConn); ok {
		delete(r.conns, tcp)
	}
}

// pump copies one direction.
func (r *Relay) pump(from, to net.Conn) {
	defer r.let(from)
	defer r.let(to)
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		for r.flow == Mute {
			r.moved.Wait()
		}
		r.mu.Unlock()
		if _, werr := to.Write(b[:n]); werr != nil || err != nil {
			return
		}
	}
}
