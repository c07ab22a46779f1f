package peers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// TestSubscriptionIsAnsweredWhenAllNodesKnowOfIt: from then on, whoever looks for
// the subscribers of a topic finds them. Nobody has to be told again, nor when
// sessions move in order.
func TestSubscriptionIsAnsweredWhenAllNodesKnowOfIt(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, 20*time.Second) // nobody is in a hurry
	for i := range 60 {
		at, id, topic := w.nodes[i%3], fmt.Sprint("c", i), fmt.Sprint("news/", i)
		p, _ := at.persistent(codec.V5, id)
		p.subscribe(codec.QoS1, topic)
		for _, m := range w.nodes {
			if m != at && !slices.Equal(m.peers.Holders(topic), []string{at.id}) {
				t.Fatalf("%s is held by %q, as far as %s knows", topic, m.peers.Holders(topic), m.id)
			}
		}
		if i%3 != 0 {
			continue
		}
		next := w.nodes[1]
		if _, present := next.persistent(codec.V5, id); !present {
			t.Fatal("the session is gone")
		}
		w.know(next, topic)
	}
	w.settle()
	for _, m := range w.nodes {
		if n := m.peers.Owed(); n > 0 || len(m.retold) > 0 {
			t.Errorf("%s: %d subjects are owed, %q were told again", m.id, n, m.retold)
		}
	}
}

// TestDevicesOfANodeThatWasForgottenAreToldAgain stops a node until the others do
// not know any more that anybody is connected there. Its connections live on.
func TestDevicesOfANodeThatWasForgottenAreToldAgain(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, hasty)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	p := b.connect("c")
	p.subscribe(codec.QoS1, "news/1", "news/2", "t")
	w.kill(b)
	for _, m := range []*member{a, c} {
		m.await("b is forgotten", func() bool { return len(m.peers.Holders("news/1")) == 0 })
	}
	w.revive(b)
	b.port.Heal()
	got := map[string]bool{}
	for range 2 {
		m := p.next()
		got[string(m.Topic)+" "+string(m.Payload)] = true
	}
	if !got["news/1 again"] || !got["news/2 again"] {
		t.Errorf("got %v", got)
	}
}

// TestSubscriptionThatOthersDidNotHearOfIsToldAgain cuts off a node, which the
// others do not know for some beats.
func TestSubscriptionThatOthersDidNotHearOfIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p := b.connect("c")
	p.subscribe(codec.QoS1, "news/0")
	b.port.Cut()
	p.subscribe(codec.QoS1, "news/1")
	for _, m := range []*member{a, b} {
		m.await("the other one is silent", func() bool { return m.peers.Silent(a.id) || m.peers.Silent(b.id) })
	}
	p.subscribe(codec.QoS1, "news/2") // nobody is waited for any more
	b.port.Heal()
	got := map[string]bool{}
	for len(got) < 2 {
		m := p.next()
		if got[string(m.Topic)] = true; string(m.Payload) != "again" || string(m.Topic) == "news/0" {
			t.Errorf("got %s %s", m.Topic, m.Payload)
		}
	}
}

// TestConnectionThatOthersTakeToBeElsewhereIsToldAgain has a client whose old
// connection is still there, as far as everybody knows but the node that it is
// connected to now.
func TestConnectionThatOthersTakeToBeElsewhereIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, hasty)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	a.connect("c").subscribe(codec.QoS1, "news/1")
	b.port.Cut()
	p := b.connect("c")
	p.subscribe(codec.QoS1, "news/1")
	if got := c.peers.Holders("news/1"); !slices.Equal(got, []string{a.id}) {
		t.Errorf("held by %q", got)
	}
	b.port.Heal()
	p.receive("news/1", "again")
}

// TestSessionOfADeadNodeIsToldAgain: what was to come to it just before may have
// been lost with the node.
func TestSessionOfADeadNodeIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := a.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "news/1")
	w.kill(a)
	b.retells("news/1")
	p, present := b.persistent(codec.V5, "c")
	if !present {
		t.Error("the session is gone")
	}
	p.receive("news/1", "again")
}

// TestNodeThatStopsWhileCutOffLeavesItsDoubts stops a node in order, before the
// others have heard of a subscription.
func TestNodeThatStopsWhileCutOffLeavesItsDoubts(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := b.persistent(codec.V5, "c")
	b.port.Cut()
	p.subscribe(codec.QoS1, "news/1")
	b.close()
	w.dies(b)
	a.retells("news/1")
	p, present := a.persistent(codec.V5, "c")
	if !present {
		t.Error("the session is gone")
	}
	p.receive("news/1", "again")
}

// TestSessionTakesItsDoubtsAlong moves a session from a node of which not everybody
// knows that it has subscribed.
func TestSessionTakesItsDoubtsAlong(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, hasty)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	p, _ := a.persistent(codec.V5, "c")
	c.port.Cut()
	p.subscribe(codec.QoS1, "news/1")
	q, present := b.persistent(codec.V5, "c")
	if !present {
		t.Error("the session is gone")
	}
	p.takenOver()
	q.receive("news/1", "again")
}

// TestWhoHasLostASessionTakesNothingForIt: for a while nobody may know where the
// session is, and what is for it must be kept by whoever sends it.
func TestWhoHasLostASessionTakesNothingForIt(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := a.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "news/1")
	a.port.Cut()
	b.await("a is silent", func() bool { return b.peers.Silent(a.id) })
	if _, present := b.persistent(codec.V5, "c"); !present {
		t.Fatal("the session is gone")
	}
	late := mqtt.Message{Topic: "news/1", Payload: []byte("late"), QoS: 1}
	for range 2 { // the first one shows a that it has lost the session
		if err := a.PublishWithin(t.Context(), late, mqtt.Reach{Here: true}); err == nil {
			t.Error("a took a message for a session that b has")
		}
		p.drain(nil)
	}
}
