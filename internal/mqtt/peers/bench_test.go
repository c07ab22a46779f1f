package peers_test

import (
	"fmt"
	"sync"
	"testing"

	"muster/internal/cluster"
	"muster/internal/mqtt/codec"
	"muster/internal/store/sqlite"
)

// buses runs a benchmark with three nodes on each kind of bus.
func buses(b *testing.B, f func(b *testing.B, w *world)) {
	for _, kind := range []string{"hub", "NATS"} {
		b.Run(kind, func(b *testing.B) {
			db, err := sqlite.Open(b.Context(), sqlite.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			w := emptyWorld(b, db)
			var addresses []string
			for range 3 {
				if kind == "hub" {
					w.join()
					continue
				}
				bus, err := cluster.OpenNATS(b.Context(), cluster.NATSConfig{Name: "bench", Listen: "127.0.0.1:0", Peers: addresses, Secret: []byte("s")})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = bus.Close() })
				addresses = append(addresses, bus.Address())
				w.joinOver(bus)
			}
			f(b, w)
		})
	}
}

// BenchmarkForward is a message of QoS 1 from a client on one node to one on
// another, ten under way at a time.
func BenchmarkForward(b *testing.B) {
	buses(b, func(b *testing.B, w *world) {
		const pairs = 10
		var wg sync.WaitGroup
		subs, pubs := make([]*client, pairs), make([]*client, pairs)
		for i := range pairs {
			subs[i], pubs[i] = w.nodes[1].connect(fmt.Sprint("sub", i)), w.nodes[0].connect(fmt.Sprint("pub", i))
			subs[i].subscribe(codec.QoS1, fmt.Sprint("t/", i))
			w.know(w.nodes[1], fmt.Sprint("t/", i))
		}
		body := string(make([]byte, 300))
		b.ResetTimer()
		for i := range pairs {
			wg.Go(func() {
				for range b.N/pairs + 1 {
					pubs[i].publish(fmt.Sprint("t/", i), body)
					subs[i].next()
				}
			})
		}
		wg.Wait()
	})
}

// BenchmarkConnect is a client with a clean session that claims its id from two
// other nodes, ten at a time.
func BenchmarkConnect(b *testing.B) {
	buses(b, func(b *testing.B, w *world) {
		const clients = 10
		var wg sync.WaitGroup
		b.ResetTimer()
		for i := range clients {
			wg.Go(func() {
				for range b.N/clients + 1 {
					c := w.nodes[i%3].connect(fmt.Sprint("c", i))
					_ = c.nc.Close()
				}
			})
		}
		wg.Wait()
	})
}
