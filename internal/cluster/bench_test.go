package cluster_test

import (
	"testing"

	"muster/internal/cluster"
)

// BenchmarkBus measures a request to another node and its answer, and how fast
// messages of 200 bytes get from one to another.
func BenchmarkBus(b *testing.B) {
	for _, c := range []struct {
		name string
		open func(b *testing.B) (from, to cluster.Bus)
	}{
		{"hub", func(*testing.B) (from, to cluster.Bus) {
			h := cluster.NewHub()
			return h.Bus(), h.Bus()
		}},
		{"embedded NATS", func(b *testing.B) (from, to cluster.Bus) {
			x := openNATS(b, cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret})
			y := openNATS(b, cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret})
			connect(b, x, y)
			return x, y
		}},
	} {
		b.Run(c.name+"/request", func(b *testing.B) {
			from, to := c.open(b)
			_, err := to.Subscribe("s", func(m cluster.Message) { m.Respond(m.Data) })
			if err != nil {
				b.Fatal(err)
			}
			settle(b, from, to)
			for b.Loop() {
				if _, err := from.Request(b.Context(), "s", []byte("what?")); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/publish", func(b *testing.B) {
			from, to := c.open(b)
			const window = 10_000 // less than a subscriber may be behind
			passed := make(chan struct{}, window)
			_, err := to.Subscribe("s", func(cluster.Message) { <-passed })
			if err != nil {
				b.Fatal(err)
			}
			settle(b, from, to)
			data := make([]byte, 200)
			for b.Loop() {
				passed <- struct{}{}
				if err := from.Publish("s", data); err != nil {
					b.Fatal(err)
				}
			}
			for range window {
				passed <- struct{}{} // until all have come
			}
			for range window {
				<-passed
			}
		})
	}
}
