package peers_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"muster/internal/mqtt/codec"
)

func TestConnectionIsTakenOverFromAnotherNode(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		w := newWorld(t, 3)
		for _, clean := range []bool{true, false} {
			h := hello(v, fmt.Sprint("c", clean))
			h.CleanStart = clean
			var last *client
			for range 2 {
				for _, m := range w.nodes {
					c, a := m.open(h)
					if last != nil {
						last.takenOver()
					}
					if want := !clean && last != nil; a.SessionPresent != want {
						t.Errorf("session present is %v, want %v", a.SessionPresent, want)
					}
					c.quiet()
					last = c
				}
			}
		}
	})
}

// TestOneOfManyConnectionsSurvives connects a client eight times at once, to three
// nodes. All but one connection end.
func TestOneOfManyConnectionsSurvives(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		connectAtOnce(t, newWorld(t, 3), v, 15)
	})
}

func connectAtOnce(t *testing.T, w *world, v codec.Version, rounds int) {
	for round := range rounds {
		id := fmt.Sprint("c", round%3) // some have a session already
		cs := make([]*client, 8)
		for i := range cs {
			cs[i] = w.nodes[i%3].dial(v)
		}
		ended, answered := make(chan int, len(cs)), make(chan int, len(cs))
		var wg sync.WaitGroup
		for i, c := range cs {
			wg.Go(func() {
				b, err := hello(v, id).Append(nil, v)
				if err == nil {
					_, err = c.nc.Write(b)
				}
				if err != nil {
					t.Error(err)
				}
				for err == nil {
					var q codec.Packet
					q, err = c.read()
					if _, ok := q.(*codec.Pingresp); ok {
						answered <- i
					}
				}
				ended <- i
			})
		}
		open := make(map[int]bool)
		for i := range cs {
			open[i] = true
		}
		for range len(cs) - 1 {
			select {
			case i := <-ended:
				delete(open, i)
			case <-time.After(patience):
				t.Fatalf("round %d: %d connections are open", round, len(open))
			}
		}
		for i := range open {
			cs[i].send(&codec.Pingreq{})
			select {
			case <-answered:
			case <-ended:
				t.Fatalf("round %d: none survives", round)
			}
			_ = cs[i].nc.Close()
		}
		wg.Wait()
	}
}
