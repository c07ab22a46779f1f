package mqtt_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// pipes is a listener without sockets: for bubbles of synctest, in which time
// passes as soon as everybody waits.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// bubble is a server in a bubble.
type bubble struct {
	*mqtt.Server
	t *testing.T
	l *pipes
}

// inBubble runs a test with a server whose time is made up.
func inBubble(t *testing.T, cfg mqtt.Config, f func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := mqtt.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		b := &bubble{Server: s, t: t, l: newPipes()}
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), b.l, mqtt.ListenerOptions{}) }() //nolint:usetesting // Close ends it
		defer func() {
			if err := s.Close(context.Background()); err != nil { //nolint:usetesting // the same
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		}()
		f(b)
	})
}

func (b *bubble) dial(v codec.Version) *peer {
	client, server := net.Pipe()
	b.l.conns <- server
	return newPeer(b.t, client, v)
}

func (b *bubble) open(c *codec.Connect) *peer {
	b.t.Helper()
	p := b.dial(c.Version)
	p.send(c)
	if a := expect[*codec.Connack](p); a.Reason != codec.Success {
		b.t.Fatalf("connect %s: got %v", c.ClientID, a.Reason)
	}
	return p
}
