package peers_test

import (
	"fmt"
	"testing"

	"muster/internal/mqtt/codec"
)

// TestOnPostgreSQLAndNATS does on what clusters really run on what the other tests
// do one by one.
func TestOnPostgreSQLAndNATS(t *testing.T) {
	t.Parallel()
	w := realWorld(t)
	t.Run("one of many connections survives", func(t *testing.T) { connectAtOnce(t, w, codec.V5, 5) })
	t.Run("nothing is lost while sessions move", func(t *testing.T) { moveUnderLoad(t, w, 30) })
	t.Run("sessions of a dead node are adopted", func(t *testing.T) {
		const n = 20
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		topic := func(i int) string { return fmt.Sprint("real/", i) }
		pub := c.connect("real-pub")
		for i := range n {
			p, _ := a.persistent(codec.V5, fmt.Sprint("real", i))
			p.subscribe(codec.QoS1, topic(i))
			w.know(a, topic(i))
			pub.publish(topic(i), "before")
		}
		w.settle()
		w.dies(a) // it does not know
		for i := range n {
			for _, m := range []*member{b, c} {
				m.await("the new owner is known", func() bool {
					return m.Wanted(topic(i)) || m.peers.Knows(b.id, topic(i)) || m.peers.Knows(c.id, topic(i))
				})
			}
			pub.publish(topic(i), "after")
			p, present := b.persistent(codec.V5, fmt.Sprint("real", i))
			if !present {
				t.Fatal("the session is gone")
			}
			p.receive(topic(i), "before")
			p.receive(topic(i), "after")
		}
		b.await("the dead node is forgotten", func() bool { return w.forgotten(a) })
	})
}
