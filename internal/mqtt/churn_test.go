package mqtt_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// TestChurnLosesAndReordersNothing publishes to a device that connects, drops,
// is taken over, acknowledges late or not at all and resumes, on servers that
// are replaced now and then. Every message that was acknowledged to its
// publisher arrives, and for the first time in order.
func TestChurnLosesAndReordersNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		v := []codec.Version{codec.V311, codec.V5}[seed%2]
		t.Run(fmt.Sprintf("seed %d, %v", seed, v), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			var keeper mqtt.Memory
			begin := func() (*endpoint, func()) {
				s, err := mqtt.New(t.Context(), mqtt.Config{Sessions: &keeper})
				if err != nil {
					t.Fatal(err)
				}
				return serve(t, s, mqtt.ListenerOptions{}), func() {
					if err := s.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
			e, stop := begin()
			p, _ := e.persistent(v, "c")
			p.subscribe(codec.QoS1, "a")
			pub := e.connect(v, "pub")
			sent, next := 0, 0
			take := func(m *codec.Publish) {
				var i int
				if _, err := fmt.Sscan(string(m.Payload), &i); err != nil {
					t.Fatal(err)
				}
				switch {
				case i > next:
					t.Fatalf("%d comes before %d", i, next)
				case i < next && !m.Dup:
					t.Fatalf("%d comes again without DUP", i)
				}
				next = max(next, i+1)
			}
			// read reads what has come and acknowledges some of it.
			read := func(all bool) {
				p.send(&codec.Pingreq{})
				for flight := []*codec.Publish(nil); ; {
					q, err := p.read()
					if err != nil {
						t.Fatal(err)
					}
					if m, ok := q.(*codec.Publish); ok {
						take(m)
						flight = append(flight, m)
						continue
					}
					if _, ok := q.(*codec.Pingresp); !ok {
						t.Fatalf("got %v", q.Type())
					}
					n := len(flight)
					if !all {
						n = r.IntN(len(flight) + 1)
					}
					for _, m := range flight[:n] {
						p.ack(m)
					}
					p.quietly(take)
					return
				}
			}
			for range 60 {
				switch r.IntN(6) {
				case 0: // drops, with whatever is under way
					_ = p.nc.Close()
					p, _ = e.persistent(v, "c")
				case 1: // is taken over
					p, _ = e.persistent(v, "c")
				case 2:
					read(false)
				case 3: // stays away
					_ = p.nc.Close()
					for range r.IntN(40) {
						pub.publish(codec.QoS1, "a", fmt.Sprint(sent))
						sent++
					}
					p, _ = e.persistent(v, "c")
				case 4:
					for range r.IntN(20) {
						pub.publish(codec.QoS1, "a", fmt.Sprint(sent))
						sent++
					}
				case 5:
					if r.IntN(4) > 0 {
						continue
					}
					stop()
					e, stop = begin()
					pub = e.connect(v, "pub")
					var present bool
					if p, present = e.persistent(v, "c"); !present {
						t.Fatal("the session is gone")
					}
				}
			}
			_ = p.nc.Close()
			p, _ = e.persistent(v, "c")
			for range 100 {
				if next == sent {
					break
				}
				read(true)
			}
			if next != sent {
				t.Fatalf("%d of %d have come", next, sent)
			}
			read(true)
			_ = p.nc.Close()
			p, present := e.persistent(v, "c")
			if !present {
				t.Fatal("the session is gone")
			}
			p.quiet()
			stop()
		})
	}
}

// quietly waits until the server has read everything; messages that come
// meanwhile go to take and stay unacknowledged.
func (p *peer) quietly(take func(*codec.Publish)) {
	p.t.Helper()
	p.send(&codec.Pingreq{})
	for {
		q, err := p.read()
		if err != nil {
			p.t.Fatal(err)
		}
		m, ok := q.(*codec.Publish)
		if !ok {
			return
		}
		take(m)
	}
}
