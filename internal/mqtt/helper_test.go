package mqtt_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// endpoint is a server and its TCP listener.
type endpoint struct {
	*mqtt.Server
	t    testing.TB
	addr string
}

// start starts a server on a TCP port of its own.
func start(t testing.TB, cfg mqtt.Config) *endpoint {
	t.Helper()
	s, err := mqtt.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, mqtt.ListenerOptions{Name: "tcp"})
}

func serve(t testing.TB, s *mqtt.Server, o mqtt.ListenerOptions) *endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), l, o) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) //nolint:usetesting // the test's context has ended
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &endpoint{Server: s, t: t, addr: l.Addr().String()}
}

// peer is a client that says exactly what a test tells it to.
type peer struct {
	t       testing.TB
	nc      net.Conn
	r       *bufio.Reader
	version codec.Version
	buf     []byte
}

// dial opens a connection and says nothing yet.
func (e *endpoint) dial(v codec.Version) *peer {
	e.t.Helper()
	nc, err := net.Dial("tcp", e.addr)
	if err != nil {
		e.t.Fatal(err)
	}
	return newPeer(e.t, nc, v)
}

func newPeer(t testing.TB, nc net.Conn, v codec.Version) *peer {
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc), version: v}
}

// connect connects a client with a clean session.
func (e *endpoint) connect(v codec.Version, id string) *peer {
	e.t.Helper()
	p, _ := e.open(&codec.Connect{Version: v, ClientID: []byte(id), CleanStart: true, KeepAlive: 60})
	return p
}

// persistent connects a client whose session outlives the connection, and
// returns whether it has been resumed.
func (e *endpoint) persistent(v codec.Version, id string) (*peer, bool) {
	e.t.Helper()
	c := &codec.Connect{Version: v, ClientID: []byte(id), KeepAlive: 60}
	if v == codec.V5 {
		c.SessionExpiry = 3600
	}
	p, a := e.open(c)
	return p, a.SessionPresent
}

func (e *endpoint) open(c *codec.Connect) (*peer, *codec.Connack) {
	e.t.Helper()
	p := e.dial(c.Version)
	p.send(c)
	a := expect[*codec.Connack](p)
	if a.Reason != codec.Success {
		e.t.Fatalf("connect %s: got %v", c.ClientID, a.Reason)
	}
	return p, a
}

// send sends a packet.
func (p *peer) send(q codec.Packet) {
	p.t.Helper()
	b, err := q.Append(nil, p.version)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next packet.
func (p *peer) read() (codec.Packet, error) {
	if err := p.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		f, n, err := codec.Cut(p.buf, codec.MaxSize)
		if err != nil {
			return nil, err
		}
		if n <= len(p.buf) {
			q, err := codec.Decode(f, p.version)
			p.buf = append([]byte(nil), p.buf[n:]...)
			return q, err
		}
		chunk := make([]byte, 4096)
		got, err := p.r.Read(chunk)
		p.buf = append(p.buf, chunk[:got]...)
		if got == 0 && err != nil {
			return nil, err
		}
	}
}

// expect returns the next packet, which must be of type P.
func expect[P codec.Packet](p *peer) P {
	p.t.Helper()
	q, err := p.read()
	if err != nil {
		var want P
		p.t.Fatalf("got %v, want %v", err, want.Type())
	}
	want, ok := q.(P)
	if !ok {
		p.t.Fatalf("got %v %+v, want %v", q.Type(), q, want.Type())
	}
	return want
}

// ended waits for the end of the connection, with nothing more to read.
func (p *peer) ended() {
	p.t.Helper()
	q, err := p.read()
	var timeout net.Error
	switch {
	case err == nil:
		p.t.Fatalf("got %v %+v, want the end of the connection", q.Type(), q)
	case errors.As(err, &timeout) && timeout.Timeout():
		p.t.Fatal("the connection has not been closed")
	case !errors.Is(err, io.EOF):
		p.t.Logf("ended with %v", err)
	}
}

// refused waits for a DISCONNECT with the given reason and the end.
func (p *peer) refused(want codec.Reason) {
	p.t.Helper()
	if p.version == codec.V5 {
		if got := expect[*codec.Disconnect](p).Reason; got != want {
			p.t.Fatalf("disconnected for %v, want %v", got, want)
		}
	}
	p.ended()
}

// quiet shows that nothing is under way to the client: the answer to a ping is
// the next packet.
func (p *peer) quiet() {
	p.t.Helper()
	p.send(&codec.Pingreq{})
	expect[*codec.Pingresp](p)
}

// subscribe subscribes to filters and expects the QoS to be granted.
func (p *peer) subscribe(qos codec.QoS, filters ...string) {
	p.t.Helper()
	s := &codec.Subscribe{PacketID: 9}
	want := make([]codec.Reason, len(filters))
	for i, f := range filters {
		s.Filters = append(s.Filters, codec.Subscription{Filter: []byte(f), QoS: qos})
		want[i] = codec.Reason(qos)
	}
	p.send(s)
	a := expect[*codec.Suback](p)
	if diff := cmp.Diff(want, a.Reasons); diff != "" {
		p.t.Fatalf("subscribe (-want +got):\n%s", diff)
	}
}

// publish publishes and waits for the acknowledgement.
func (p *peer) publish(qos codec.QoS, topic, payload string) {
	p.t.Helper()
	m := &codec.Publish{Message: codec.Message{Topic: []byte(topic), Payload: []byte(payload), QoS: qos}}
	if qos > 0 {
		m.PacketID = 7
	}
	p.send(m)
	if qos > 0 {
		if a := expect[*codec.Puback](p); a.PacketID != 7 || a.Reason != codec.Success {
			p.t.Fatalf("publish to %s: got %+v", topic, a)
		}
	}
}

// ack acknowledges a message.
func (p *peer) ack(m *codec.Publish) {
	p.t.Helper()
	p.send(&codec.Puback{PacketID: m.PacketID})
}

// receive returns the next message, acknowledged, and checks topic and payload.
func (p *peer) receive(topic, payload string) *codec.Publish {
	p.t.Helper()
	m := expect[*codec.Publish](p)
	if string(m.Topic) != topic || string(m.Payload) != payload {
		p.t.Fatalf("got %s %q, want %s %q", m.Topic, m.Payload, topic, payload)
	}
	if m.QoS > 0 {
		p.ack(m)
	}
	return m
}

// versions runs a test with both versions of the protocol.
func versions(t *testing.T, f func(t *testing.T, v codec.Version)) {
	t.Helper()
	for _, v := range []codec.Version{codec.V311, codec.V5} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f(t, v)
		})
	}
}

// watch returns a function that waits until the server has noticed the end of
// another connection.
func (e *endpoint) watch() (gone func()) {
	e.t.Helper()
	w := e.connect(codec.V5, "watcher")
	w.subscribe(codec.QoS1, "$aws/events/presence/disconnected/+")
	return func() {
		e.t.Helper()
		w.ack(expect[*codec.Publish](w))
	}
}
