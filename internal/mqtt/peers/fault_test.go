package peers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/peers"
	"muster/internal/store"
)

const hasty = 50 * time.Millisecond

func TestSessionsOfADeadNodeAreAdopted(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, hasty)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	const n = 20
	topic := func(i int) string { return fmt.Sprint("t/", i) }
	ps := make([]*client, n)
	pub := c.connect("pub")
	for i := range n {
		ps[i], _ = a.persistent(codec.V5, fmt.Sprint("c", i))
		ps[i].subscribe(codec.QoS1, topic(i))
		if i%2 == 0 {
			_ = ps[i].nc.Close()
		}
	}
	for i := range n {
		w.know(a, topic(i))
		pub.publish(topic(i), "before")
	}
	w.settle()
	w.kill(a)
	// Until somebody else has a session, whoever has to reach it must not give up.
	held := func(m *member) bool { return len(m.peers.Holders(topic(0))) > 0 || m.Wanted(topic(0)) }
	for _, m := range []*member{b, c} {
		m.await("the dead node is forgotten", func() bool {
			if !held(m) {
				t.Errorf("%s: nobody holds %s", m.id, topic(0))
			}
			return w.forgotten(a)
		})
	}
	shares := map[*member]int{}
	for i := range n {
		for _, m := range []*member{b, c} {
			m.await("the new owner is known", func() bool {
				return m.Wanted(topic(i)) || m.peers.Knows(b.id, topic(i)) || m.peers.Knows(c.id, topic(i))
			})
			if m.Wanted(topic(i)) {
				shares[m]++
			}
		}
		pub.publish(topic(i), "after")
	}
	if shares[b]+shares[c] != n || shares[b] == 0 || shares[c] == 0 {
		t.Errorf("the sessions are shared out as %v", shares)
	}
	third := w.join()
	for i := range n {
		at := []*member{b, c, third}[i%3]
		p, present := at.persistent(codec.V5, fmt.Sprint("c", i))
		if !present {
			t.Fatalf("session %d is gone", i)
		}
		p.receive(topic(i), "before")
		p.receive(topic(i), "after")
		p.quiet()
	}
}

// TestNodeThatComesBackLateDoesNotOverwrite lets others take a node for dead that
// is not: it was stopped for a while, or cut off.
func TestNodeThatComesBackLateDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := a.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "t")
	w.know(a, "t")
	a.port.Cut()
	b.await("a is not waited for", func() bool { return b.peers.Silent(a.id) })

	q, present := b.persistent(codec.V5, "c")
	if !present {
		t.Fatal("the session is gone")
	}
	pub := b.connect("pub")
	pub.publish("t", "1")
	q.receive("t", "1")

	// a believes that it has the session. What it should keep for it, it refuses.
	late := a.connect("late")
	if r := late.tryPublish(codec.Message{Topic: []byte("t"), Payload: []byte("late")}); r == codec.Success {
		t.Error("a message for a session that another node has was acknowledged")
	}
	p.drain(nil) // is closed
	if a.Wanted("t") {
		a.await("the session has gone", func() bool { return !a.Wanted("t") })
	}
	pub.publish("t", "2")
	q.receive("t", "2")
	q.quiet()
	_ = q.nc.Close()
	a.port.Heal()
	q, present = a.persistent(codec.V5, "c")
	if !present {
		t.Error("the session is gone")
	}
	q.quiet()
}

// TestNodeLearnsThatItWasTakenForDead has idle sessions, of which nothing is ever
// written.
func TestNodeLearnsThatItWasTakenForDead(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := a.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "t")
	w.dies(a)
	p.drain(nil) // is closed: b has the session, and said so
	b.await("the session is here", func() bool { return b.Wanted("t") && w.forgotten(a) })
	w.revive(a)
	p, present := a.persistent(codec.V5, "c")
	if !present {
		t.Error("the session is gone")
	}
	w.know(a, "t")
	b.connect("pub").publish("t", "x")
	p.receive("t", "x")
}

func TestSessionsOfANodeThatStopsAreAdoptedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	const n = 10
	for i := range n {
		p, _ := a.persistent(codec.V5, fmt.Sprint("c", i))
		p.subscribe(codec.QoS1, fmt.Sprint("t/", i))
	}
	w.know(a, fmt.Sprint("t/", n-1))
	pub := b.connect("pub")
	pub.publish("t/0", "before")
	w.settle()
	begun := time.Now()
	a.close()
	late := mqtt.Message{Topic: "t/0", Payload: []byte("late"), QoS: 1}
	if err := a.PublishWithin(t.Context(), late, mqtt.Reach{Here: true}); err == nil {
		t.Error("a node takes a message for a session that it has released")
	}
	w.dies(a)
	for i := range n {
		topic := fmt.Sprint("t/", i)
		for _, m := range []*member{b, c} {
			m.await("the session is adopted", func() bool {
				return m.Wanted(topic) || m.peers.Knows(b.id, topic) || m.peers.Knows(c.id, topic)
			})
		}
		pub.publish(topic, "after")
	}
	t.Logf("took %v", time.Since(begun))
	w.nodes = w.nodes[1:]
	w.settle()
	for i := range n {
		p, present := c.persistent(codec.V5, fmt.Sprint("c", i))
		if !present {
			t.Fatal("the session is gone")
		}
		if i == 0 {
			p.receive("t/0", "before")
		}
		p.receive(fmt.Sprint("t/", i), "after")
	}
}

func TestSessionsThatNobodyKnowsAnythingOfAreHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	// A cluster has been shut down, or was moved here from a single server.
	for i, node := range []string{"", "long ago", ""} {
		s := store.Session{ClientID: fmt.Sprint("c", i), Version: 5, Expiry: 3_600_000, Node: node, Epoch: int64(i)}
		s.Key = keyOf(s.ClientID)
		s.Subscriptions = []store.SessionSubscription{{Filter: s.ClientID, QoS: 1}}
		err := w.db.Update(t.Context(), func(tx store.Tx) error { return tx.PutSessions([]store.Session{s}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	a := w.join()
	a.await("what was released is adopted", func() bool { return a.Wanted("c0") && a.Wanted("c2") })
	// It may be of a node that has joined a moment ago.
	if got := a.peers.Holders("c1"); !slices.Equal(got, []string{"long ago"}) {
		t.Errorf("held by %q", got)
	}
	p, present := a.persistent(codec.V5, "c1")
	if !present {
		t.Error("the session is gone")
	}
	p.quiet()
}

// TestLocalWorkGoesOnWhileTheBusIsCut cuts off one node of three.
func TestLocalWorkGoesOnWhileTheBusIsCut(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 3, hasty)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	device, dashboard := a.connect("device"), b.connect("dashboard")
	device.subscribe(codec.QoS1, "to/device")
	dashboard.subscribe(codec.QoS1, "from/#")
	w.know(a, "to/device")
	w.know(b, "from/#")
	a.port.Cut()

	// Claims end, whether or not the node has been found to be silent.
	begun := time.Now()
	other := a.connect("other")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("connecting took %v", took)
	}
	twice := []*client{a.connect("twice"), b.connect("twice"), c.connect("thrice"), a.connect("thrice")}
	other.subscribe(codec.QoS1, "local")
	device.publish("local", "1")
	other.receive("local", "1")
	for _, m := range []*member{b, c} {
		m.await("a is not waited for", func() bool { return m.peers.Silent(a.id) })
	}
	// Who might be at a node that cannot be asked is not given up, unless it is known
	// to be elsewhere.
	if got := b.peers.Holders("new/device"); !slices.Contains(got, a.id) {
		t.Errorf("a new device may be at %q", got)
	}
	known := c.connect("known")
	known.subscribe(codec.QoS1, "known")
	b.await("the device is known", func() bool { return b.peers.Knows(c.id, "known") })
	if got := b.peers.Holders("known"); !slices.Equal(got, []string{c.id}) {
		t.Errorf("a known device is at %q", got)
	}
	dashboard.send(&codec.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("from/#")}})
	expect[*codec.Unsuback](dashboard)
	dashboard.subscribe(codec.QoS1, "from/device")
	device.send(&codec.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("to/device")}})
	expect[*codec.Unsuback](device)
	device.subscribe(codec.QoS1, "to/+")

	a.port.Heal()
	a.await("the filters of b are known", func() bool { return a.peers.Knows(b.id, "from/device") && !a.peers.Knows(b.id, "from/#") })
	b.await("the filters of a are known", func() bool { return b.peers.Knows(a.id, "to/+") && !b.peers.Knows(a.id, "to/device") })
	device.publish("from/device", "2")
	dashboard.receive("from/device", "2")
	dashboard.publish("to/device", "3")
	device.receive("to/device", "3")
	// Of the connections of one client the last one stays.
	twice[0].takenOver()
	twice[2].takenOver()
	twice[1].quiet()
	twice[3].quiet()
	for _, m := range w.nodes {
		for _, other := range w.nodes {
			m.await("nobody has missed a claim", func() bool { return m == other || !m.peers.Owes(other.id) })
		}
	}
	w.settle()
}

func TestRetainedMessagesThatWereMissedAreReadFromTheStore(t *testing.T) {
	t.Parallel()
	w := newHastyWorld(t, 2, hasty)
	a, b := w.nodes[0], w.nodes[1]
	pub := a.connect("pub")
	retain := func(topic, text string) {
		t.Helper()
		if r := pub.tryPublish(codec.Message{Topic: []byte(topic), Payload: []byte(text), Retain: true}); r != codec.Success {
			t.Fatal(r)
		}
	}
	retain("r", "0")
	w.settle()
	b.port.Cut()
	retain("r", "1")
	b.port.Heal()
	retain("s", "2") // shows b that it has missed something
	c := b.connect("c")
	c.subscribe(codec.QoS1, "done")
	w.know(b, "done")
	for got := ""; got != "1"; {
		m := b.connect("reader")
		m.subscribe(codec.QoS1, "r")
		got = string(m.next().Payload)
		_ = m.nc.Close()
	}
}

func TestClaimsDoNotWaitForANodeThatSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.nodes[0], w.nodes[1]
	b.port.Hold() // it hangs: what is sent to it is not lost
	old := b.connect("c")
	begun := time.Now()
	c := a.connect("c")
	if took := time.Since(begun); took < time.Second || took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	b.port.Release()
	old.takenOver()
	c.quiet()
}

func TestSharesOfADeadNodeAreSmallAndWhole(t *testing.T) {
	t.Parallel()
	nodes := []string{"a", "b", "c", "d"}
	shares := map[string]int{}
	for i := range 4000 {
		id := fmt.Sprint("device-", i)
		var heirs []string
		for _, n := range nodes {
			others := slices.DeleteFunc(slices.Clone(nodes), func(x string) bool { return x == n })
			if peers.Heir(id, n, others) {
				heirs = append(heirs, n)
			}
		}
		if len(heirs) != 1 {
			t.Fatalf("%s goes to %q", id, heirs)
		}
		shares[heirs[0]]++
	}
	for _, n := range nodes {
		if shares[n] < 800 || shares[n] > 1200 {
			t.Errorf("shares are %v", shares)
		}
	}
}

func TestServerOfAClusterNeedsSessionsInCommon(t *testing.T) {
	t.Parallel()
	p, err := peers.New(peers.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = mqtt.New(t.Context(), mqtt.Config{Peers: p, Sessions: new(mqtt.Memory)}); err == nil {
		t.Error("sessions that nobody else sees were taken")
	}
}
