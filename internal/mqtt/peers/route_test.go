package peers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestMessagesReachSubscribersOnEveryNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	var subs []*client
	for i, m := range w.nodes {
		c := m.connect(fmt.Sprint("c", i))
		c.subscribe(codec.QoS1, "a/b", "a/+", "other/#")
		c.subscribe(0, "plain/#")
		subs = append(subs, c)
	}
	for _, m := range w.nodes {
		w.know(m, "plain/#")
	}
	for i, m := range w.nodes {
		pub := m.connect(fmt.Sprint("pub", i))
		text := fmt.Sprint("from ", i)
		pub.publish("a/b", text) // two subscriptions of a client, one message
		pub.publish("plain/x", text)
		pub.publish("nobody", text)
		if err := m.Publish(t.Context(), mqtt.Message{Topic: "other/x", Payload: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range subs {
			if p := c.receive("a/b", text); p.QoS != codec.QoS1 {
				t.Errorf("got QoS %d", p.QoS)
			}
			c.receive("plain/x", text)
			c.receive("other/x", text)
		}
	}
	for i, c := range subs {
		c.send(&codec.Unsubscribe{PacketID: 3, Filters: [][]byte{[]byte("a/b"), []byte("a/+"), []byte("other/#")}})
		expect[*codec.Unsuback](c)
		for _, m := range w.nodes {
			if m != w.nodes[i] {
				m.await("the filters are gone", func() bool { return !m.peers.Knows(w.nodes[i].id, "a/+") })
			}
		}
	}
	w.nodes[0].connect("last").publish("a/b", "nobody is left")
	w.settle()
	for _, c := range subs {
		c.quiet()
	}
}

func TestMessageArrivesAsItWasPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.nodes[0], w.nodes[1]
	c := b.dial(codec.V5)
	c.send(&codec.Connect{Version: codec.V5, ClientID: []byte("c"), CleanStart: true, KeepAlive: 60})
	expect[*codec.Connack](c)
	c.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("t"), QoS: codec.QoS1, RetainAsPublished: true}}})
	expect[*codec.Suback](c)
	w.know(b, "t")
	var user codec.UserProperties
	if err := user.Add("k", "v"); err != nil {
		t.Fatal(err)
	}
	m := codec.Message{
		Topic: []byte("t"), Payload: []byte{0, 1, 0xFF}, PayloadIsText: false, HasExpiry: true, Expiry: 1000, Retain: true,
		ContentType: []byte("x"), ResponseTopic: []byte("r"), CorrelationData: []byte{1}, User: user,
	}
	if r := a.connect("pub").tryPublish(m); r != codec.Success {
		t.Fatal(r)
	}
	got := c.next()
	if !got.Retain || string(got.Payload) != string(m.Payload) || string(got.ContentType) != "x" || string(got.ResponseTopic) != "r" ||
		got.User.Size() != user.Size() || !got.HasExpiry || got.Expiry < 900 || got.Expiry > 1000 {
		t.Errorf("got %+v", got)
	}
}

func TestGroupOfAllNodesGetsAMessageOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	const filter = "$share/g/s/#"
	take := func(m *member, id string) *client {
		p, _ := m.persistent(codec.V5, id)
		p.subscribe(codec.QoS1, filter)
		w.know(m, filter)
		return p
	}
	p, q := take(b, "p"), take(c, "q")
	pub := a.connect("pub")
	got := map[string]int{}
	const n = 40
	for i := range n {
		pub.publish("s/x", fmt.Sprint(i))
	}
	w.settle()
	for _, x := range []*client{p, q} {
		x.flush()
		for _, m := range x.ahead {
			got[string(m.Payload)]++
			x.send(&codec.Puback{PacketID: m.PacketID})
		}
		if len(x.ahead) == 0 {
			t.Error("a member got nothing") // by chance once in 2^40
		}
		x.ahead = nil
	}
	for i := range n {
		if got[fmt.Sprint(i)] != 1 {
			t.Errorf("message %d came %d times", i, got[fmt.Sprint(i)])
		}
	}
	// A node with a member that is connected serves the group itself.
	own := b.connect("own")
	for i := range 5 {
		own.publish("s/x", fmt.Sprint("own ", i))
		p.receive("s/x", fmt.Sprint("own ", i))
	}
	// One whose members are away lets others serve it, as long as there are any.
	_ = p.nc.Close()
	a.await("p has gone", func() bool { return !a.peers.Online(filter) || b.peers.Online(filter) })
	w.settle()
	for i := range 5 {
		own.publish("s/x", fmt.Sprint("away ", i))
	}
	for i := range 5 {
		q.receive("s/x", fmt.Sprint("away ", i))
	}
	_ = q.nc.Close()
	for _, m := range []*member{a, b} {
		m.await("nobody is connected", func() bool { return !m.peers.Online(filter) })
	}
	pub.publish("s/x", "kept")
	w.settle()
	left := 0
	for i, m := range []*member{a, a} {
		x, _ := m.persistent(codec.V5, []string{"p", "q"}[i])
		x.flush()
		left += len(x.ahead)
	}
	if left != 1 {
		t.Errorf("%d members have kept the message", left)
	}
}

func TestRetainedMessagesAreKeptByAllNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	retain := func(c *client, text string) {
		t.Helper()
		if r := c.tryPublish(codec.Message{Topic: []byte("r"), Payload: []byte(text), Retain: true}); r != codec.Success {
			t.Fatal(r)
		}
	}
	pubs := make([]*client, len(w.nodes))
	for i, m := range w.nodes {
		pubs[i] = m.connect(fmt.Sprint("pub", i))
	}
	kept := func(want string) {
		t.Helper()
		w.settle()
		w.join() // whoever comes later has it from the store
		for i, m := range w.nodes {
			c := m.connect(fmt.Sprint("c", i))
			c.subscribe(codec.QoS1, "r")
			if want != "" {
				if p := c.receive("r", want); !p.Retain {
					t.Error("not marked as retained")
				}
			}
			c.quiet()
			_ = c.nc.Close()
		}
	}
	for i, c := range pubs {
		text := fmt.Sprint("from ", i)
		retain(c, text)
		kept(text)
	}
	retain(pubs[1], "")
	kept("")

	// Of those published at the same time all nodes keep the same.
	var wg sync.WaitGroup
	for i, c := range pubs {
		wg.Go(func() {
			for n := range 20 {
				retain(c, fmt.Sprint(i, " ", n))
			}
		})
	}
	wg.Wait()
	w.settle()
	seen := map[string]bool{}
	w.join()
	for i, m := range w.nodes {
		c := m.connect(fmt.Sprint("c", i))
		c.subscribe(codec.QoS1, "r")
		seen[string(c.next().Payload)] = true
		_ = c.nc.Close()
	}
	if len(seen) != 1 {
		t.Errorf("nodes keep %v", seen)
	}
}

func TestLifecycleEventsAreHeardEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	watcher := c.connect("watcher")
	watcher.subscribe(codec.QoS1, "$aws/events/presence/+/d", "$aws/events/subscriptions/+/d")
	w.know(c, "$aws/events/subscriptions/+/d")
	heard := func(want ...string) {
		t.Helper()
		for _, kind := range want {
			m := watcher.next()
			var e struct {
				DisconnectReason string
				VersionNumber    int
			}
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				t.Fatal(err)
			}
			topic := strings.TrimPrefix(string(m.Topic), "$aws/events/")
			got := fmt.Sprint(topic, " ", e.VersionNumber, e.DisconnectReason)
			if got != kind {
				t.Errorf("got %s, want %s", got, kind)
			}
		}
	}
	d := a.connect("d")
	heard("presence/connected/d 0")
	d.subscribe(codec.QoS1, "x")
	heard("subscriptions/subscribed/d 0")
	d2 := b.connect("d")
	d.takenOver()
	heard("presence/disconnected/d 0DUPLICATE_CLIENTID", "presence/connected/d 1")
	d2.send(&codec.Disconnect{})
	d2.ended()
	heard("presence/disconnected/d 1CLIENT_INITIATED_DISCONNECT")
	a.connect("d")
	heard("presence/connected/d 2")
}

// TestWhatOthersSayIsNotBelieved hands a node messages that no node sends.
func TestWhatOthersSayIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	m := w.nodes[0]
	heard := "\x01\x05\x05other\x00" // a message for clients from a node called other
	for _, data := range []string{
		"", "\x01", "\x02\x01\x01a\x00", "\x01\x01\x05a", "\x01\x01\x00\x00", "\x01\x01\x01a\x01\x01\x01\xFF\xFF\xFF\xFF\x0F",
		heard, heard + "\x01\x00\xFF\xFF\x03", heard + "\x01\x00\x00\x00\x00\x00\x00\x30\x02\x00\x00", "\x01\x06\x01a\x00\x01c\x04",
		"\x01\x07\x01a\x00\xFF\xFF\x03", "\x01\x07\x01a\x00\x01\x01c", "\x01\x09\x01a\x00", "\x01\x63\x01a\x07anything",
		"\x01\x01\x01b\x01\x03\x07\x01\x05a/#/b\x02\x01x\x09\x01y", "\x01\x02\x01b\x02\x08\x01\x01x", "\x01\x03\x01b\x03\x01\x00\xFF\xFF\x03\x01\xFF\xFF\x03",
		"\x01\x0A\x01b\x00\x01",
	} {
		m.peers.Receive([]byte(data))
	}
	c := m.connect("c")
	c.subscribe(codec.QoS1, "#")
	m.connect("pub").publish("x", "still here")
	c.receive("x", "still here")
	c.quiet()
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte("\x01\x01\x01b\x01\x03\x07\x01\x03a/#\x02\x01x"))
	f.Add([]byte("\x01\x03\x01b\x01\x01\x00\x09\x01\x09"))
	f.Add([]byte("\x01\x05\x05other\x01\x01\x00\x01\x01g\x00\x00\x00\x00\x30\x03\x00\x01t"))
	f.Add([]byte("\x01\x06\x01a\x01\x01c\x04\x01n\x07\x00\x00\x00\x00\x30\x03\x00\x01t"))
	f.Add([]byte("\x01\x07\x01a\x00\x01\x01c\x09\x01n\x00\x05"))
	w := newWorld(f, 1)
	f.Fuzz(func(_ *testing.T, data []byte) { w.nodes[0].peers.Receive(data) })
}
