package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// These are the mistakes that other brokers have made, each over a socket.

func TestDefectTruncatedSubscribeEndsOneConnectionAlone(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	good := e.connect(codec.V5, "good")
	whole, err := (&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("a/b")}}}).Append(nil, codec.V5)
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < len(whole); n++ {
		p := e.connect(codec.V5, "bad")
		cut := append([]byte(nil), whole[:n]...)
		cut[1] = byte(n - 2) // a packet that ends too early, with the length that it has
		p.write(cut)
		if _, err := p.read(); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	good.quiet()
}

func TestDefectPacketIDsOfTheDirectionsAreApart(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{})
		gone := e.watch()
		p, _ := e.persistent(v, "c")
		p.subscribe(codec.QoS1, "a")
		pub := e.connect(v, "pub")
		pub.publish(codec.QoS1, "a", "waits for its acknowledgement")
		m := expect[*codec.Publish](p)
		// The client publishes under the same id, and subscribes under it.
		own := message(1, "other", "")
		own.PacketID = m.PacketID
		p.send(own)
		if a := expect[*codec.Puback](p); a.PacketID != m.PacketID {
			t.Errorf("got %+v", a)
		}
		p.send(&codec.Subscribe{PacketID: m.PacketID, Filters: []codec.Subscription{{Filter: []byte("b"), QoS: 1}}})
		if a := expect[*codec.Suback](p); a.Reasons[0] != codec.GrantedQoS1 {
			t.Errorf("got %+v", a)
		}
		_ = p.nc.Close()
		gone()
		p, _ = e.persistent(v, "c")
		again := expect[*codec.Publish](p)
		if again.PacketID != m.PacketID || !again.Dup {
			t.Errorf("got %+v, was %+v", again, m)
		}
		p.send(&codec.Subscribe{PacketID: again.PacketID, Filters: []codec.Subscription{{Filter: []byte("c"), QoS: 1}}})
		if a := expect[*codec.Suback](p); a.Reasons[0] != codec.GrantedQoS1 {
			t.Errorf("right after the resumption: got %+v", a)
		}
		p.ack(again)
		p.quiet()
	})
}

func TestDefectReceiveMaximumHoldsNothingBack(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p, _ := e.open(&codec.Connect{Version: 5, ClientID: []byte("c"), ReceiveMaximum: 2, CleanStart: true})
	p.subscribe(codec.QoS1, "a")
	pub := e.connect(codec.V5, "pub")
	for i := range 6 {
		pub.publish(codec.QoS1, "a", fmt.Sprint(i))
	}
	first, second := expect[*codec.Publish](p), expect[*codec.Publish](p)
	p.quiet() // two, and no more
	p.ack(second)
	third := expect[*codec.Publish](p)
	p.quiet()
	for _, m := range []*codec.Publish{first, third} {
		p.ack(m)
	}
	for i := 3; i < 6; i++ {
		p.receive("a", fmt.Sprint(i))
	}
	p.quiet()
}

func TestDefectAliasesAreAuthorizedByTheirTopic(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{CanPublish: func(_ mqtt.Client, topic string) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, topic)
		return topic != "secret"
	}}})
	sub := e.connect(codec.V5, "sub")
	sub.subscribe(codec.QoS1, "#")
	p := e.connect(codec.V5, "c")
	for _, m := range []struct {
		topic string
		want  codec.Reason
	}{{"open", codec.Success}, {"", codec.Success}, {"secret", codec.NotAuthorized}, {"", codec.NotAuthorized}} {
		q := message(1, m.topic, "x")
		q.Alias = 1
		p.send(q)
		if a := expect[*codec.Puback](p); a.Reason != m.want {
			t.Errorf("%q: got %v", m.topic, a.Reason)
		}
	}
	sub.receive("open", "x")
	sub.receive("open", "x")
	sub.quiet()
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(asked); got != "[open open secret secret]" {
		t.Errorf("asked about %s", got)
	}
}

func TestDefectHugeAnnouncementsBeforeAuthentication(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p := e.dial(codec.V311)
	p.write([]byte{0x10, 0xFF, 0xFF, 0xFF, 0x7F}) // 256 MiB to come
	p.ended()
}

func TestDefectCloseDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	entered, stuck := make(chan struct{}), make(chan struct{})
	s, err := mqtt.New(t.Context(), mqtt.Config{Hooks: mqtt.Hooks{
		Handle: func(_ context.Context, _ *mqtt.Request) (mqtt.Response, error) {
			close(entered)
			select {
			case <-stuck: // a hook that does not even listen to its context
			case <-time.After(patience):
			}
			return mqtt.Response{Handled: true}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), l, mqtt.ListenerOptions{}) }()
	e := &endpoint{Server: s, t: t, addr: l.Addr().String()}
	e.dial(codec.V311) // and says nothing
	deaf, half, busy := e.connect(codec.V5, "deaf"), e.connect(codec.V5, "half"), e.connect(codec.V5, "busy")
	half.write([]byte{0x30, 100, 0})
	deaf.subscribe(codec.QoS0, "flood")
	pub := e.connect(codec.V5, "pub")
	for range 300 { // more than sockets hold
		pub.send(message(0, "flood", string(make([]byte, 60_000))))
	}
	pub.quiet()
	busy.send(message(0, "$aws/x", ""))
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begun := time.Now()
	err = s.Close(ctx)
	if took := time.Since(begun); took > 4*time.Second || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed after %v: %v", took, err)
	}
	close(stuck)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// short is a listener that is out of file descriptors for a while.
type short struct {
	net.Listener
	left atomic.Int32
}

func (l *short) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestDefectAcceptErrorsDoNotEndAListener(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := mqtt.New(t.Context(), mqtt.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l := &short{Listener: inner}
	l.left.Store(5)
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), l, mqtt.ListenerOptions{}) }()
	e := &endpoint{Server: s, t: t, addr: inner.Addr().String()}
	e.connect(codec.V311, "c").quiet()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestDefectWillIsAuthorized(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{CanPublish: func(c mqtt.Client, topic string) bool { return topic != "secret" }}})
	gone := e.watch()
	w := e.connect(codec.V5, "w")
	w.subscribe(codec.QoS1, "secret")
	p, _ := e.open(&codec.Connect{Version: 5, ClientID: []byte("c"), HasWill: true, Will: codec.Will{Message: codec.Message{Topic: []byte("secret")}}})
	_ = p.nc.Close()
	gone()
	w.quiet()
}

func TestDefectQoS1IsNotDroppedOnline(t *testing.T) {
	t.Parallel()
	// Many times what a queue holds, to a subscriber that keeps up no better
	// than the network lets it.
	e := start(t, mqtt.Config{Limits: mqtt.Limits{QueueMessages: 150, SlowWait: patience}})
	sub := e.connect(codec.V5, "sub")
	sub.subscribe(codec.QoS1, "a")
	const n = 3000
	var wg sync.WaitGroup
	defer wg.Wait()
	for c := range 2 {
		pub := e.connect(codec.V5, fmt.Sprint("pub", c))
		wg.Go(func() {
			for i := range n {
				pub.send(message(1, "a", fmt.Sprintf("%d %d", c, i)))
				if _, err := pub.read(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	next := [2]int{}
	for range 2 * n {
		m := expect[*codec.Publish](sub)
		sub.ack(m)
		var c, i int
		if _, err := fmt.Sscan(string(m.Payload), &c, &i); err != nil || next[c] != i {
			t.Fatalf("got %s, want %d", m.Payload, next[c])
		}
		next[c]++
	}
}
