package mqtt_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"muster/internal/mqtt"
)

func TestSessionSendsInOrderWithinTheWindow(t *testing.T) {
	t.Parallel()
	s := mqtt.NewSession(2, 10)
	for i := range 6 {
		s.Push(fmt.Sprint(i), 1, false)
	}
	// Acknowledged one by one, whichever comes first, all arrive (Receive Maximum 2).
	var got []string
	flight := []uint16{}
	for range 20 {
		for d, ok := s.Next(); ok; d, ok = s.Next() {
			got, flight = append(got, d.Payload), append(flight, d.ID)
		}
		if len(flight) > 2 {
			t.Fatalf("%d in flight", len(flight))
		}
		if len(flight) > 0 {
			s.Ack(flight[len(flight)-1])
			flight = flight[:len(flight)-1]
		}
	}
	if want := []string{"0", "1", "2", "3", "4", "5"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("%d messages, %d bytes left", s.Len(), s.Bytes())
	}
}

func TestSessionKeepsIDsOverResumptionAndRestart(t *testing.T) {
	t.Parallel()
	s := mqtt.NewSession(10, 10)
	s.Push("acked", 1, false)
	s.Push("reply", 1, true)
	s.Push("a", 1, false)
	s.Push("plain", 0, false)
	s.Push("b", 1, false)
	var first []mqtt.Sent
	for d, ok := s.Next(); ok; d, ok = s.Next() {
		first = append(first, d)
	}
	s.Ack(first[0].ID)
	s.Push("c", 1, false)
	s.End()
	s = s.Restart()
	s.Push("d", 1, false)
	var again []mqtt.Sent
	for d, ok := s.Next(); ok; d, ok = s.Next() {
		again = append(again, d)
	}
	want := []mqtt.Sent{
		{Topic: "t", Payload: "a", ID: first[2].ID, QoS: 1, Dup: true},
		{Topic: "t", Payload: "b", ID: first[4].ID, QoS: 1, Dup: true},
		{Topic: "t", Payload: "c", ID: again[2].ID, QoS: 1, Dup: true}, // nothing says that it was not sent
		{Topic: "t", Payload: "d", ID: again[3].ID, QoS: 1},
	}
	if !slices.Equal(again, want) {
		t.Errorf("got %+v, want %+v", again, want)
	}
}

func TestSessionNeverGivesAnIDTwice(t *testing.T) {
	t.Parallel()
	s := mqtt.NewSession(4, 10)
	s.Push("stuck", 1, false)
	stuck, _ := s.Next()
	for range 3 { // around the whole range, several times
		s.Skip(65533)
		for range 4 {
			s.Push("x", 1, false)
			d, ok := s.Next()
			if !ok || d.ID == 0 || d.ID == stuck.ID {
				t.Fatalf("got %+v %v beside %+v", d, ok, stuck)
			}
			s.Ack(d.ID)
		}
	}
}

func TestSessionRefusesTheNewestWhenFull(t *testing.T) {
	t.Parallel()
	s := mqtt.NewSession(1, 3)
	for i := range 5 {
		if ok := s.Push(fmt.Sprint(i), 1, false); ok != (i < 3) {
			t.Errorf("message %d: taken is %v", i, ok)
		}
	}
	d, _ := s.Next()
	s.Ack(d.ID)
	if d.Payload != "0" || !s.Push("later", 1, false) {
		t.Errorf("got %+v, or no room after it", d)
	}
}

// TestSessionLosesAndReordersNothing holds a session against a model that is a
// list: whatever connects, drops, resumes and restarts, the messages of QoS 1
// arrive first in the order in which they were published, none is missing, and
// what comes again is marked so and in order.
func TestSessionLosesAndReordersNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := mqtt.NewSession(rapid.IntRange(1, 5).Draw(t, "window"), 20)
		s.Skip(uint64(rapid.IntRange(0, 70000).Draw(t, "skip")))
		var unacked []string          // published and taken, not acknowledged: the model
		flight := map[uint16]string{} // sent on this connection
		seen := map[string]bool{}
		newest, n := -1, 0
		last := "" // of this connection
		receive := func() {
			d, ok := s.Next()
			if !ok || d.QoS == 0 {
				return
			}
			if _, ok := flight[d.ID]; ok || d.ID == 0 {
				t.Fatalf("id %d is in flight twice", d.ID)
			}
			if !slices.Contains(unacked, d.Payload) {
				t.Fatalf("%s was acknowledged or never published", d.Payload)
			}
			var i, before int
			_, _ = fmt.Sscan(d.Payload, &i)
			if last != "" {
				_, _ = fmt.Sscan(last, &before)
				if i <= before {
					t.Fatalf("%d comes after %d", i, before)
				}
			}
			if seen[d.Payload] != d.Dup && !d.Dup {
				t.Fatalf("%s comes again without DUP", d.Payload)
			}
			if !seen[d.Payload] && i < newest {
				t.Fatalf("%d comes for the first time after %d", i, newest)
			}
			flight[d.ID], seen[d.Payload], last, newest = d.Payload, true, d.Payload, max(newest, i)
		}
		ack := func(id uint16) {
			if !s.Ack(id) {
				t.Fatalf("id %d is not known", id)
			}
			unacked = slices.DeleteFunc(unacked, func(p string) bool { return p == flight[id] })
			delete(flight, id)
		}
		drop := func() {
			s.End()
			clear(flight)
			last = ""
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				p := fmt.Sprint(n)
				n++
				if s.Push(p, 1, false) {
					unacked = append(unacked, p)
				}
			},
			"publish QoS 0": func(*rapid.T) { s.Push("plain", 0, false) },
			"receive":       func(*rapid.T) { receive() },
			"ack": func(t *rapid.T) {
				if len(flight) == 0 {
					t.Skip()
				}
				var all []uint16
				for id := range flight {
					all = append(all, id)
				}
				slices.Sort(all)
				ack(rapid.SampledFrom(all).Draw(t, "id"))
			},
			"ack nonsense": func(t *rapid.T) {
				id := rapid.Uint16().Draw(t, "id")
				if _, ok := flight[id]; !ok && s.Ack(id) {
					t.Fatalf("id %d was taken", id)
				}
			},
			"drop and resume": func(t *rapid.T) {
				drop()
				s.Resume(rapid.IntRange(1, 5).Draw(t, "window"))
			},
			"restart": func(*rapid.T) {
				drop()
				s = s.Restart()
			},
		})
		drop()
		for len(unacked) > 0 {
			before := len(unacked)
			receive()
			for id := range flight {
				ack(id)
			}
			if len(unacked) == before && s.Len() == 0 {
				t.Fatalf("lost: %v", unacked)
			}
		}
		for { // what is left is of QoS 0
			d, ok := s.Next()
			if !ok {
				break
			}
			if d.QoS > 0 {
				t.Fatalf("%s is left", d.Payload)
			}
		}
		if s.Len() != 0 || s.Bytes() != 0 {
			t.Fatalf("%d messages, %d bytes left", s.Len(), s.Bytes())
		}
	})
}
