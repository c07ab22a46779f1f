package bridge_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// script is a broker that does what a test says, packet by packet.
type script struct {
	t        testing.TB
	listener net.Listener
	// what comes in, sorted by client id: of those that publish, and of those that
	// receive requests.
	publishers, receivers chan *peer
}

// peer is a connection of the bridge to a script.
type peer struct {
	t     testing.TB
	nc    net.Conn
	buf   []byte
	hello codec.Connect
}

func newScript(t *testing.T) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, listener: l, publishers: make(chan *peer, 10), receivers: make(chan *peer, 10)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go s.welcome(nc)
		}
	}()
	return s
}

// welcome reads CONNECT and leaves the rest to the test.
func (s *script) welcome(nc net.Conn) {
	p := &peer{t: s.t, nc: nc}
	s.t.Cleanup(func() { _ = nc.Close() })
	packet, err := p.next()
	hello, ok := packet.(*codec.Connect)
	if err != nil || !ok {
		_ = nc.Close()
		return
	}
	p.hello = *hello
	switch id := string(hello.ClientID); {
	case strings.Contains(id, "publish"):
		s.publishers <- p
	case strings.Contains(id, "requests"):
		s.receivers <- p
	default: // a probe, which waits
	}
}

// start starts a bridge at the script. It is closed at the end of the test.
func (s *script) start(handle bridge.Handler, tune ...func(*bridge.Config)) *bridge.Bridge {
	s.t.Helper()
	return startBridge(s.t, "mqtt://"+s.listener.Addr().String(), handle, tune...)
}

// startBridge starts a bridge that tries to connect often.
func startBridge(t testing.TB, url string, handle bridge.Handler, tune ...func(*bridge.Config)) *bridge.Bridge {
	t.Helper()
	c := bridge.Config{
		URL: url, Account: "123456789012", Region: "us-east-1", Log: logger(t),
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
	}
	for _, f := range tune {
		f(&c)
	}
	b, err := bridge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, handle) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the bridge does not end")
		}
	})
	return b
}

// next returns the next packet.
func (p *peer) next() (codec.Packet, error) {
	_ = p.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		f, n, err := codec.Cut(p.buf, 1<<20)
		if err != nil {
			return nil, err
		}
		if n <= len(p.buf) {
			packet, err := codec.Decode(f, codec.V5)
			p.buf = append([]byte(nil), p.buf[n:]...) // what was decoded keeps its memory
			return packet, err
		}
		more := make([]byte, 4096)
		got, err := p.nc.Read(more)
		p.buf = append(p.buf, more[:got]...)
		if err != nil {
			return nil, err
		}
	}
}

// send sends packets.
func (p *peer) send(packets ...codec.Packet) {
	p.t.Helper()
	var buf []byte
	var err error
	for _, packet := range packets {
		buf, err = packet.Append(buf, codec.V5)
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if _, err := p.nc.Write(buf); err != nil {
		p.t.Fatal(err)
	}
}

// expect returns the next packet, which must be a P. Pings are answered.
func expect[P codec.Packet](p *peer) P {
	p.t.Helper()
	for {
		packet, err := p.next()
		if err != nil {
			p.t.Fatalf("got %v, want a packet", err)
		}
		if _, ok := packet.(*codec.Pingreq); ok {
			p.send(&codec.Pingresp{})
			continue
		}
		want, ok := packet.(P)
		if !ok {
			p.t.Fatalf("got %s %+v, want %T", packet.Type(), packet, want)
		}
		return want
	}
}

// nothing checks that nothing comes for a while. A test that it fails has found
// something; one that it passes may have missed it.
func (p *peer) nothing(d time.Duration) {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(d))
	got, err := p.nc.Read(make([]byte, 1))
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		p.t.Fatalf("got %d bytes, %v; want silence", got, err)
	}
}

// accept answers CONNECT.
func (p *peer) accept(resumed bool) *peer {
	p.t.Helper()
	p.send(&codec.Connack{SessionPresent: resumed})
	return p
}

// publisher returns the next connection that publishes, accepted.
func (s *script) publisher() *peer {
	s.t.Helper()
	return await(s.t, s.publishers, "a connection to publish").accept(false)
}

// receiver returns the next connection that receives requests, subscribed.
func (s *script) receiver(resumed bool) *peer {
	s.t.Helper()
	p := await(s.t, s.receivers, "a connection for requests").accept(resumed)
	p.granted()
	return p
}

// granted grants what the bridge subscribes to.
func (p *peer) granted() []codec.Subscription {
	p.t.Helper()
	sub := expect[*codec.Subscribe](p)
	ack := &codec.Suback{PacketID: sub.PacketID}
	for range sub.Filters {
		ack.Reasons = append(ack.Reasons, codec.GrantedQoS1)
	}
	p.send(ack)
	return sub.Filters
}

// await returns what comes over a channel.
func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s does not come", what)
	}
	panic("unreachable")
}

// request is a message of a device.
func request(id uint16, topic, payload string) *codec.Publish {
	p := &codec.Publish{PacketID: id, Message: codec.Message{Topic: []byte(topic), Payload: []byte(payload)}}
	if id != 0 {
		p.QoS = codec.QoS1
	}
	return p
}

// again is a message that comes again.
func again(p *codec.Publish) *codec.Publish {
	dup := *p
	dup.Dup = true
	return &dup
}

// echo answers each request with what it holds.
func echo(_ context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
	return mqttapi.Reply{Topic: r.Topic + "/accepted", Payload: r.Payload, QoS: r.QoS}, true, nil
}

// closed reports whether the other side has closed the connection, after
// whatever it still sends.
func (p *peer) closed() bool {
	_ = p.nc.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, p.nc)
	return err == nil
}
