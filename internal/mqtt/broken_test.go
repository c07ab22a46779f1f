package mqtt_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// observed tells of the first write on a connection that fails.
type observed struct {
	net.Conn
	once   *sync.Once
	failed chan struct{}
}

func (c observed) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		c.once.Do(func() { close(c.failed) })
	}
	return n, err
}

// observer makes the connections of a listener observed.
type observer struct {
	net.Listener
	failed chan struct{} // of any of them
	once   sync.Once
}

func (l *observer) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return observed{nc, &l.once, l.failed}, err
}

// A client takes two messages, acknowledges them, says goodbye and closes with
// more on the way to it, as mosquitto_sub -C 2 does. The server comes to read
// that only after it has failed to write: it must not send the two again.
func TestWhatAClientSaidBeforeItWentCounts(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"TCP": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, v codec.Version) { sayAndGo(t, v, secure) })
		})
	}
}

func sayAndGo(t *testing.T, v codec.Version, secure bool) {
	busy, release := make(chan struct{}), make(chan struct{})
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{Handle: func(ctx context.Context, _ *mqtt.Request) (mqtt.Response, error) {
		close(busy)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return mqtt.Response{Handled: true}, nil
	}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{Listener: l, failed: make(chan struct{})}
	server := certificate(t, "server")
	var options mqtt.ListenerOptions
	if secure {
		options.TLS = &tls.Config{Certificates: []tls.Certificate{server}}
	}
	go func() { _ = e.Serve(t.Context(), o, options) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	socket, ok := nc.(*net.TCPConn)
	if !ok {
		t.Fatalf("got a %T", nc)
	}
	if secure {
		nc = tls.Client(nc, &tls.Config{RootCAs: roots(t, server), ServerName: "localhost"})
	}
	p := newPeer(t, nc, v)
	c := &codec.Connect{Version: v, ClientID: []byte("c"), KeepAlive: 60}
	if v == codec.V5 {
		c.SessionExpiry = 3600
	}
	p.send(c)
	expect[*codec.Connack](p)
	p.subscribe(codec.QoS1, "a")

	watcher, pub := e.connect(codec.V5, "watcher"), e.connect(codec.V311, "pub")
	watcher.subscribe(codec.QoS1, "$aws/events/presence/disconnected/c")
	pub.publish(codec.QoS1, "a", "first")
	pub.publish(codec.QoS1, "a", "second")
	first, second := expect[*codec.Publish](p), expect[*codec.Publish](p)
	p.send(message(0, "$busy", "")) // the server reads nothing for a while
	select {
	case <-busy:
	case <-time.After(patience):
		t.Fatal("the request does not arrive")
	}
	p.ack(first)
	p.ack(second)
	p.send(&codec.Disconnect{})
	if err := socket.SetLinger(0); err != nil { // the end comes as a reset
		t.Fatal(err)
	}
	_ = socket.Close()
	for more := 0; ; more++ {
		pub.publish(codec.QoS1, "a", fmt.Sprint("more ", more))
		select {
		case <-o.failed:
		case <-time.After(10 * time.Millisecond): // the reset is on its way
			continue
		}
		break
	}
	close(release)
	if m := expect[*codec.Publish](watcher); !strings.Contains(string(m.Payload), "CLIENT_INITIATED_DISCONNECT") {
		t.Errorf("got %s", m.Payload)
	}
	p, present := e.persistent(v, "c")
	if !present {
		t.Error("the session is lost")
	}
	p.receive("a", "more 0")
}

// mute is a connection on which writing fails and reading waits.
type mute struct {
	net.Conn
	err    error
	broken chan struct{}
}

func (c mute) Write(b []byte) (int, error) {
	select {
	case <-c.broken:
		return 0, &net.OpError{Op: "write", Err: c.err}
	default:
		return c.Conn.Write(b)
	}
}

// However a write fails, the connection ends soon, also if reading does not.
func TestBrokenConnectionEndsSoon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want time.Duration
	}{
		{syscall.ECONNRESET, time.Second},
		{syscall.EPIPE, time.Second},
		{syscall.ETIMEDOUT, 0},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, mqtt.Config{}, func(b *bubble) {
				client, server := net.Pipe()
				broken := make(chan struct{})
				b.l.conns <- mute{server, tt.err, broken}
				p := newPeer(b.t, client, codec.V5)
				p.send(&codec.Connect{Version: 5, ClientID: []byte("c"), KeepAlive: 60})
				expect[*codec.Connack](p)
				close(broken)
				begun := time.Now()
				p.send(&codec.Pingreq{})
				p.ended()
				if took := time.Since(begun); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}
