package postgres_test

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"muster/internal/pgtest"
)

// proxy stands between a store and its server, and loses connections when told.
type proxy struct {
	listener net.Listener
	target   string
	url      string
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu
	next  fate              // of what the next client says; guarded by mu
}

// fate is what becomes of what a client says, and of its connection.
type fate int

const (
	passed   fate = iota // it goes on
	dropped              // it is lost on the way, and with it the connection
	orphaned             // the server gets it, but its answer is lost, and with it the connection
)

// newProxy returns a proxy before an empty schema.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: u.Host, conns: make(map[net.Conn]bool)}
	u.Host = l.Addr().String()
	p.url = u.String()
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		answers := make(chan fate, 1)
		p.wg.Go(func() { p.ask(client, server, answers) })
		p.wg.Go(func() { p.answer(client, server, answers) })
	}
}

// ask carries what the client says.
func (p *proxy) ask(client, server net.Conn, answers chan fate) {
	defer p.end(server)
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		what := p.next
		p.next = passed
		p.mu.Unlock()
		if what != passed {
			answers <- what
		}
		if what == dropped {
			p.end(client)
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answer carries what the server says.
func (p *proxy) answer(client, server net.Conn, answers chan fate) {
	defer p.end(client)
	buf := make([]byte, 1<<20)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-answers:
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) end(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// then decides the fate of what is said next.
func (p *proxy) then(f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// cut loses all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}
