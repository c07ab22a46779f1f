package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/cluster"
)

// nodes returns the buses of three nodes, which may be one and the same.
type nodes func(t *testing.T) [3]cluster.Bus

func TestBus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open nodes
	}{
		{"hub of three", openHub},
		{"hub of one", one(func(*testing.T) cluster.Bus { return cluster.NewHub().Bus() })},
		{"embedded NATS of three", func(t *testing.T) [3]cluster.Bus { return buses(openEmbedded(t, nil)) }},
		{"embedded NATS of one", one(func(t *testing.T) cluster.Bus { return openNATS(t, cluster.NATSConfig{Name: "alone"}) })},
		{"NATS elsewhere", openExternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testBus(t, c.open)
		})
	}
}

func openHub(*testing.T) [3]cluster.Bus {
	h := cluster.NewHub()
	return [3]cluster.Bus{h.Bus(), h.Bus(), h.Bus()}
}

func one(open func(*testing.T) cluster.Bus) nodes {
	return func(t *testing.T) [3]cluster.Bus {
		b := open(t)
		return [3]cluster.Bus{b, b, b}
	}
}

// inbox receives the messages of a subject.
type inbox chan cluster.Message

func subscribe(t *testing.T, b cluster.Bus, subject string) (inbox, func()) {
	t.Helper()
	in := make(inbox, 1<<15)
	cancel, err := b.Subscribe(subject, func(m cluster.Message) { in <- m })
	if err != nil {
		t.Fatal(err)
	}
	return in, cancel
}

func (in inbox) next(t *testing.T) cluster.Message {
	t.Helper()
	select {
	case m := <-in:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no message")
		return cluster.Message{}
	}
}

func (in inbox) want(t *testing.T, data string) {
	t.Helper()
	if m := in.next(t); string(m.Data) != data {
		t.Fatalf("got %.99q, want %.99q", m.Data, data)
	}
}

// settle returns once each bus knows of the subscriptions of the others.
func settle(t testing.TB, all ...cluster.Bus) {
	t.Helper()
	for _, b := range all {
		subject := "settle." + strings.ReplaceAll(fmt.Sprintf("%p", b), "0x", "")
		cancel, err := b.Subscribe(subject, func(m cluster.Message) { m.Respond(nil) })
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range all {
			eventually(t, func() error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := from.Request(ctx, subject, nil)
				return err
			})
		}
		cancel()
	}
}

// eventually tries until fn succeeds.
func eventually(t testing.TB, fn func() error) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(20 * time.Second)
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatal(err)
		case <-again.C:
		}
	}
}

func publish(t *testing.T, b cluster.Bus, subject, data string) {
	t.Helper()
	if err := b.Publish(subject, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func testBus(t *testing.T, open nodes) {
	for _, c := range []struct {
		name string
		test func(*testing.T, [3]cluster.Bus)
	}{
		{"all who have subscribed get a message, the publisher, too", testAll},
		{"messages of a publisher come in order", testOrder},
		{"nothing comes after a subscription has ended", testCancel},
		{"a request gets the first answer", testRequest},
		{"a request that nobody hears fails at once", testNobody},
		{"a request that nobody answers ends with its context", testUnanswered},
		{"what cannot be sent is refused", testRefused},
		{"large messages come as they were when they were published", testLarge},
		{"a subscriber that is slow holds nobody up", testSlow},
		{"a bus that is closed has sent what was published before", testClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func testAll(t *testing.T, b [3]cluster.Bus) {
	var ins []inbox
	for _, x := range b {
		in, _ := subscribe(t, x, "a.b-1_C")
		ins = append(ins, in)
	}
	other, _ := subscribe(t, b[1], "a")
	settle(t, b[:]...)
	for i, x := range b {
		publish(t, x, "a.b-1_C", fmt.Sprint(i))
		for _, in := range ins {
			m := in.next(t)
			if m.Subject != "a.b-1_C" || string(m.Data) != fmt.Sprint(i) {
				t.Errorf("got %q on %q", m.Data, m.Subject)
			}
			m.Respond([]byte("nobody waits for it"))
		}
	}
	publish(t, b[0], "a", "last")
	other.want(t, "last")
}

func testOrder(t *testing.T, b [3]cluster.Bus) {
	const messages = 5000
	in, _ := subscribe(t, b[2], "s")
	settle(t, b[:]...)
	var wg sync.WaitGroup
	for i, x := range b {
		wg.Go(func() {
			for n := range messages {
				if err := x.Publish("s", fmt.Appendf(nil, "%d %d", i, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var next [3]int
	for range 3 * messages {
		var i, n int
		if _, err := fmt.Sscan(string(in.next(t).Data), &i, &n); err != nil {
			t.Fatal(err)
		}
		if n != next[i] {
			t.Fatalf("message %d of publisher %d, want %d", n, i, next[i])
		}
		next[i]++
	}
}

func testCancel(t *testing.T, b [3]cluster.Bus) {
	in, cancel := subscribe(t, b[1], "s")
	stays, _ := subscribe(t, b[1], "s")
	settle(t, b[:]...)
	publish(t, b[0], "s", "1")
	in.want(t, "1")
	cancel()
	cancel()
	publish(t, b[0], "s", "2")
	publish(t, b[0], "s", "3")
	stays.want(t, "1")
	stays.want(t, "2")
	stays.want(t, "3")
	select {
	case m := <-in:
		t.Errorf("got %q", m.Data)
	default:
	}
}

func testRequest(t *testing.T, b [3]cluster.Bus) {
	asked, _ := subscribe(t, b[1], "ask")
	also, _ := subscribe(t, b[2], "ask")
	settle(t, b[:]...)
	type answer struct {
		data []byte
		err  error
	}
	got := make(chan answer)
	go func() {
		data, err := b[0].Request(t.Context(), "ask", []byte("what?"))
		got <- answer{data, err}
	}()
	m := asked.next(t)
	late := also.next(t)
	if string(m.Data) != "what?" || m.Subject != "ask" {
		t.Errorf("asked %q on %q", m.Data, m.Subject)
	}
	go m.Respond([]byte("that"))
	a := <-got
	if a.err != nil || string(a.data) != "that" {
		t.Errorf("got %q, %v", a.data, a.err)
	}
	late.Respond([]byte("too late"))
	go func() {
		data, err := b[0].Request(t.Context(), "ask", nil)
		got <- answer{data, err}
	}()
	asked.next(t).Respond(nil)
	if a = <-got; a.err != nil || len(a.data) != 0 {
		t.Errorf("got %q, %v, want an empty answer", a.data, a.err)
	}
}

func testNobody(t *testing.T, b [3]cluster.Bus) {
	_, cancel := subscribe(t, b[1], "s")
	cancel()
	settle(t, b[:]...)
	if _, err := b[0].Request(t.Context(), "s", nil); !errors.Is(err, cluster.ErrNobody) {
		t.Errorf("got error %v, want %v", err, cluster.ErrNobody)
	}
}

func testUnanswered(t *testing.T, b [3]cluster.Bus) {
	in, _ := subscribe(t, b[1], "s")
	settle(t, b[:]...)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := b[0].Request(ctx, "s", nil)
		failed <- err
	}()
	m := in.next(t)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	m.Respond([]byte("too late"))
	if err := b[1].Healthy(); err != nil {
		t.Error(err)
	}
}

func testRefused(t *testing.T, b [3]cluster.Bus) {
	for _, subject := range []string{"", ".", "a.", ".a", "a..b", "a.*", ">", "a b", "ü", "a\n", "$SYS", strings.Repeat("a", 201)} {
		if b[0].Publish(subject, nil) == nil {
			t.Errorf("published to %q", subject)
		}
		if _, err := b[0].Subscribe(subject, func(cluster.Message) {}); err == nil {
			t.Errorf("subscribed to %q", subject)
		}
		if _, err := b[0].Request(t.Context(), subject, nil); err == nil || errors.Is(err, cluster.ErrNobody) {
			t.Errorf("request to %q: %v", subject, err)
		}
	}
	tooMuch := make([]byte, cluster.MaxData+1)
	if err := b[0].Publish("a", tooMuch); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("published too much: %v", err)
	}
	if _, err := b[0].Request(t.Context(), "a", tooMuch); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("asked too much: %v", err)
	}
	asked, _ := subscribe(t, b[1], "ask")
	settle(t, b[:]...)
	go func() { (<-asked).Respond(tooMuch) }()
	if _, err := b[0].Request(t.Context(), "ask", nil); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("answered too much: %v", err)
	}
	if err := b[0].Publish(strings.Repeat("a", 200), nil); err != nil {
		t.Error(err)
	}
}

func testLarge(t *testing.T, b [3]cluster.Bus) {
	in, _ := subscribe(t, b[1], "s")
	settle(t, b[:]...)
	data := bytes.Repeat([]byte{0, 1, 0xFF, '\n'}, cluster.MaxData/4)
	want := bytes.Clone(data)
	for range 8 {
		if err := b[0].Publish("s", data); err != nil {
			t.Fatal(err)
		}
	}
	clear(data)
	for range 8 {
		if got := in.next(t).Data; !bytes.Equal(got, want) {
			t.Fatalf("got %d other bytes", len(got))
		}
	}
}

func testSlow(t *testing.T, b [3]cluster.Bus) {
	going := make(chan struct{})
	slow := make(inbox, 100)
	_, err := b[1].Subscribe("s", func(m cluster.Message) {
		<-going
		slow <- m
	})
	if err != nil {
		t.Fatal(err)
	}
	quick, _ := subscribe(t, b[1], "s")
	settle(t, b[:]...)
	for i := range 100 {
		publish(t, b[0], "s", fmt.Sprint(i))
		quick.want(t, fmt.Sprint(i))
	}
	close(going)
	for i := range 100 {
		slow.want(t, fmt.Sprint(i))
	}
}

func testClose(t *testing.T, b [3]cluster.Bus) {
	in, _ := subscribe(t, b[1], "s")
	settle(t, b[:]...)
	const messages = 1000
	for i := range messages {
		publish(t, b[0], "s", fmt.Sprint(i))
	}
	if b[0] == b[1] {
		in.next(t)
	}
	for range 2 {
		if err := b[0].Close(); err != nil {
			t.Error(err)
		}
	}
	if b[0] != b[1] {
		for i := range messages {
			in.want(t, fmt.Sprint(i))
		}
	}
	_, requested := b[0].Request(t.Context(), "s", nil)
	_, subscribed := b[0].Subscribe("s", func(cluster.Message) {})
	for _, err := range []error{b[0].Publish("s", nil), requested, subscribed, b[0].Healthy()} {
		if !errors.Is(err, cluster.ErrClosed) {
			t.Errorf("got error %v, want %v", err, cluster.ErrClosed)
		}
	}
}
