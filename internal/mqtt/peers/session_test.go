package peers_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestSessionIsFoundFromAnotherNode(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		p, _ := a.persistent(v, "c")
		p.subscribe(codec.QoS1, "a/+", "$share/g/s")
		w.know(a, "a/+")
		pub := c.connect("pub")
		pub.publish("a/b", "0")
		pub.publish("a/b", "1")
		first := expect[*codec.Publish](p)
		p.receive("a/b", "1") // is acknowledged, the first is not
		p.quiet()
		_ = p.nc.Close()
		for i := 2; i < 50; i++ {
			pub.publish("a/b", fmt.Sprint(i))
		}
		w.settle()

		p, present := b.persistent(v, "c")
		if !present {
			t.Fatal("the session is gone")
		}
		if m := p.receive("a/b", "0"); m.PacketID != first.PacketID || !m.Dup {
			t.Errorf("got %+v, was %+v", m, first)
		}
		for i := 2; i < 50; i++ {
			p.receive("a/b", fmt.Sprint(i))
		}
		p.quiet()
		w.know(b, "a/+")
		pub.publish("a/c", "there")
		p.receive("a/c", "there")
		a.connect("pub2").publish("s", "shared")
		p.receive("s", "shared")
	})
}

// settle returns when all nodes have dealt with what has been published so far.
func (w *world) settle() {
	w.t.Helper()
	for _, m := range w.nodes {
		if m.probe == nil {
			m.probe = m.connect(m.id + "-probe")
			m.probe.subscribe(codec.QoS1, "settle")
			w.know(m, "settle")
		}
	}
	for range 2 { // what follows a session goes from node to node
		for _, m := range w.nodes {
			m.probe.send(&codec.Publish{Message: codec.Message{Topic: []byte("settle"), QoS: codec.QoS1}, PacketID: 1})
		}
		for _, m := range w.nodes {
			for seen := 0; seen < len(w.nodes); {
				q, err := m.probe.read()
				if err != nil {
					w.t.Fatal(err)
				}
				if p, ok := q.(*codec.Publish); ok {
					m.probe.send(&codec.Puback{PacketID: p.PacketID})
					seen++
				}
			}
		}
	}
}

// TestSessionsMoveWithoutLoss lets a session move from node to node in whatever
// way, while others publish on all nodes. What is published while nothing moves
// arrives in order; nothing is ever lost.
func TestSessionsMoveWithoutLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	pubs := make([]*client, len(w.nodes))
	for i, m := range w.nodes {
		pubs[i] = m.connect(fmt.Sprint("pub", i))
	}
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		id, topic := fmt.Sprint("c", round), fmt.Sprint("t/", round)
		node := func() *member { return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(rt, "node")] }
		v := rapid.SampledFrom([]codec.Version{codec.V311, codec.V5}).Draw(rt, "version")
		at := node()
		p, _ := at.persistent(v, id)
		p.subscribe(codec.QoS1, topic)
		w.know(at, topic)
		n := 0
		var unacked []int // in the order in which they were published: the model
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"publish", "receive", "drop", "move", "move"}).Draw(rt, "step") {
			case "publish":
				from := rapid.IntRange(0, len(pubs)-1).Draw(rt, "from")
				for range rapid.IntRange(1, 5).Draw(rt, "messages") {
					pubs[from].publish(topic, fmt.Sprint(n))
					unacked = append(unacked, n)
					n++
				}
				w.settle()
			case "receive":
				if p == nil || len(unacked) == 0 {
					continue
				}
				m := p.next()
				if got := string(m.Payload); got != fmt.Sprint(unacked[0]) {
					rt.Fatalf("got %s, want %v", got, unacked)
				}
				p.flush()
				unacked = unacked[1:]
			case "drop":
				if p != nil {
					_ = p.nc.Close()
					p = nil
				}
			case "move":
				old := p
				at = node()
				var present bool
				p, present = at.persistent(v, id)
				if !present {
					rt.Fatal("the session is gone")
				}
				if old != nil {
					old.drain(nil)
				}
				w.know(at, topic)
			}
		}
		if p == nil {
			p, _ = at.persistent(v, id)
		}
		for _, want := range unacked {
			p.receive(topic, fmt.Sprint(want))
		}
		p.quiet()
		_ = p.nc.Close()
	})
}

// drain reads what comes until the connection ends. Each message is passed to f,
// which may be nil.
func (c *client) drain(f func(*codec.Publish)) {
	for {
		q, err := c.read()
		if err != nil {
			return
		}
		if m, ok := q.(*codec.Publish); ok && f != nil {
			f(m)
		}
	}
}

// TestNothingIsLostWhileSessionsMove publishes on all nodes without a pause while
// a client goes from node to node. Each message must arrive, sooner or later.
func TestNothingIsLostWhileSessionsMove(t *testing.T) {
	t.Parallel()
	moveUnderLoad(t, newWorld(t, 3), 60)
}

func moveUnderLoad(t *testing.T, w *world, moves int) {
	p, _ := w.nodes[0].persistent(codec.V5, "mover")
	p.subscribe(codec.QoS1, "t/#")
	others := make([]*client, len(w.nodes)) // the filter of the client is not its alone
	for i, m := range w.nodes {
		others[i] = m.connect(fmt.Sprint("other", i))
		others[i].subscribe(0, "t/#")
		go others[i].drain(nil)
	}
	for _, m := range w.nodes {
		w.know(m, "t/#")
	}
	stop := make(chan struct{})
	room := make(chan struct{}, 200) // no more than sessions and nodes can hold
	sent := make([]int, len(w.nodes))
	var wg sync.WaitGroup
	for i, m := range w.nodes {
		pub := m.connect(fmt.Sprint("pub", i))
		wg.Go(func() {
			for {
				select {
				case room <- struct{}{}:
				case <-stop:
					return
				}
				m := codec.Message{Topic: fmt.Appendf(nil, "t/%d", i), Payload: fmt.Append(nil, sent[i])}
				for pub.tryPublish(m) != codec.Success { // again, as clients do
				}
				sent[i]++
			}
		})
	}
	got := make([]map[string]bool, len(w.nodes))
	for i := range got {
		got[i] = make(map[string]bool)
	}
	seen := func(m *codec.Publish) {
		var i int
		if _, err := fmt.Sscanf(string(m.Topic), "t/%d", &i); err != nil {
			t.Error(err)
			return
		}
		if !got[i][string(m.Payload)] {
			got[i][string(m.Payload)] = true
			<-room
		}
	}
	for at := range moves {
		for range 10 {
			seen(p.next())
		}
		old := p
		p, _ = w.nodes[(at+1)%len(w.nodes)].persistent(codec.V5, "mover")
		old.drain(nil) // not acknowledged: it comes again
	}
	close(stop)
	wg.Wait()
	w.settle()
	p.send(&codec.Publish{Message: codec.Message{Topic: []byte("t/end"), QoS: codec.QoS1}, PacketID: 1})
	for ended := false; !ended; {
		q, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		m, ok := q.(*codec.Publish)
		if !ok {
			continue
		}
		p.send(&codec.Puback{PacketID: m.PacketID})
		if ended = string(m.Topic) == "t/end"; !ended {
			seen(m)
		}
	}
	for i := range got {
		if len(got[i]) != sent[i] {
			t.Errorf("of %d messages published on node %d, %d have arrived", sent[i], i, len(got[i]))
		}
	}
}

func TestSessionEndsOnWhateverNodeItBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.nodes[0], w.nodes[1]
	p, _ := a.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "t")
	clean := b.connect("c")
	p.takenOver()
	_ = clean.nc.Close()
	for _, m := range []*member{a, b} {
		q, present := m.persistent(codec.V5, "c")
		if present {
			t.Errorf("%s: the session lives", m.id)
		}
		a.connect("pub").publish("t", "x")
		w.settle()
		q.quiet()
		q.send(&codec.Disconnect{HasSessionExpiry: true})
		q.ended()
	}
}

func TestSessionsAndMessagesEndByTheClockOfTheCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.ahead.Store(int64(-30 * 24 * time.Hour)) // machines know nothing of it
	a, b := w.nodes[0], w.nodes[1]
	open := func(m *member) (*client, bool) {
		h := hello(codec.V5, "c")
		h.SessionExpiry = 600
		c, ack := m.open(h)
		return c, ack.SessionPresent
	}
	leave := func(c *client) {
		c.send(&codec.Disconnect{})
		c.ended() // the server has noticed
	}
	p, _ := open(a)
	p.subscribe(codec.QoS1, "t")
	leave(p)
	pub := a.connect("pub")
	m := codec.Message{Topic: []byte("t"), Payload: []byte("x"), HasExpiry: true, Expiry: 3600}
	if r := pub.tryPublish(m); r != codec.Success {
		t.Fatal(r)
	}
	w.ahead.Add(int64(5 * time.Minute))
	p, present := open(b)
	if !present {
		t.Fatal("the session has ended")
	}
	if got := p.receive("t", "x"); got.Expiry > 3300 || got.Expiry < 3200 {
		t.Errorf("expires in %d s", got.Expiry)
	}
	p.flush()
	leave(p)
	w.ahead.Add(int64(11 * time.Minute))
	if _, present = open(a); present {
		t.Error("the session lives")
	}
}

func TestHoldersAreThoseWithTheTopicItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	p, _ := b.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "$aws/things/t/jobs/notify", "a")
	q := c.connect("d")
	q.subscribe(codec.QoS1, "$aws/things/+/jobs/notify", "$share/g/a")
	w.know(b, "a")
	w.know(c, "$share/g/a")
	for _, x := range []struct {
		at      *member
		topics  []string
		holders []string
		others  bool
	}{
		{a, []string{"$aws/things/t/jobs/notify"}, []string{b.id}, true},
		{a, []string{"$aws/things/u/jobs/notify"}, nil, true},
		{a, []string{"$aws/things/u/jobs/notify-next"}, nil, false},
		{a, []string{"x", "a"}, []string{b.id}, true},
		{b, []string{"$aws/things/t/jobs/notify"}, nil, true},
		{c, []string{"$aws/things/t/jobs/notify"}, []string{b.id}, true},
	} {
		holders, others := x.at.peers.Route(x.topics...)
		if !slices.Equal(holders, x.holders) || others != x.others {
			t.Errorf("%s asked for %q: got %q %v, want %q %v", x.at.id, x.topics, holders, others, x.holders, x.others)
		}
	}
	// Each of them is told by its own node, all others by whoever tells them.
	m := mqtt.Message{Topic: "a", QoS: 1, Payload: []byte("x")}
	if err := a.PublishWithin(t.Context(), m, mqtt.Reach{Except: []string{b.id}}); err != nil {
		t.Fatal(err)
	}
	q.receive("a", "x")
	w.settle()
	p.quiet()
	if err := b.PublishWithin(t.Context(), m, mqtt.Reach{Here: true}); err != nil {
		t.Fatal(err)
	}
	p.receive("a", "x")
	w.settle()
	q.quiet()
	p.quiet()

	// While a session moves, who tells it must try again.
	r, _ := c.persistent(codec.V5, "c")
	if err := b.PublishWithin(t.Context(), m, mqtt.Reach{Here: true}); err == nil {
		t.Error("the message was taken by nobody")
	}
	w.know(c, "a")
	if got := a.peers.Holders("a"); !slices.Contains(got, c.id) {
		t.Errorf("held by %q", got)
	}
	w.settle()
	r.quiet()
}
