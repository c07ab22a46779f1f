package mqtt_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/stored"
	"muster/internal/store/sqlite"
)

func TestResumedSessionGetsWhatItMissedInOrder(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{})
		gone := e.watch()
		p, present := e.persistent(v, "c")
		if present {
			t.Error("a session that never was is present")
		}
		p.subscribe(codec.QoS1, "a/#")
		pub := e.connect(v, "pub")
		for i := range 3 {
			pub.publish(codec.QoS1, "a/b", fmt.Sprint(i))
		}
		var flight []*codec.Publish
		for range 3 {
			flight = append(flight, expect[*codec.Publish](p))
		}
		p.ack(flight[1])
		p.quiet() // the acknowledgement has been read
		_ = p.nc.Close()
		gone()
		for i := 3; i < 150; i++ {
			pub.publish(codec.QoS1, "a/b", fmt.Sprint(i))
			pub.publish(codec.QoS0, "a/b", "lost")
		}
		pub.quiet() // all of it has been routed
		p, present = e.persistent(v, "c")
		if !present {
			t.Fatal("the session is gone")
		}
		for i := range 150 {
			if i == 1 {
				continue
			}
			m := p.receive("a/b", fmt.Sprint(i))
			if m.Dup != (i < 3) {
				t.Fatalf("message %d: DUP is %v", i, m.Dup)
			}
			if i < 3 && m.PacketID != flight[i].PacketID {
				t.Fatalf("message %d: id was %d, is %d", i, flight[i].PacketID, m.PacketID)
			}
		}
		p.quiet()
	})
}

func TestSessionSurvivesTheServer(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		begin := func() (*endpoint, func()) {
			keeper := stored.New(db, nil)
			s, err := mqtt.New(t.Context(), mqtt.Config{Sessions: keeper})
			if err != nil {
				t.Fatal(err)
			}
			return serve(t, s, mqtt.ListenerOptions{}), func() {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				keeper.Close()
			}
		}
		e, stop := begin()
		p, _ := e.persistent(v, "c")
		p.subscribe(codec.QoS1, "a/+", "gone", "$share/g/s")
		p.send(&codec.Unsubscribe{PacketID: 3, Filters: [][]byte{[]byte("gone")}})
		expect[*codec.Unsuback](p)
		pub := e.connect(v, "pub")
		pub.publish(codec.QoS1, "a/1", "unacknowledged")
		sent := expect[*codec.Publish](p)
		pub.publish(codec.QoS1, "a/2", "acknowledged")
		p.receive("a/2", "acknowledged")
		p.quiet()
		_ = p.nc.Close()
		pub.publish(codec.QoS1, "a/3", "offline")
		pub.send(&codec.Publish{Message: codec.Message{Topic: []byte("kept"), Payload: []byte("retained"), QoS: 1, Retain: true}, PacketID: 4})
		expect[*codec.Puback](pub)
		stop()

		e, stop = begin()
		defer stop()
		// What is published before the device is back goes to it, too.
		err = e.Publish(t.Context(), mqtt.Message{Topic: "a/4", Payload: []byte("early"), QoS: 1})
		if err != nil {
			t.Fatal(err)
		}
		p, present := e.persistent(v, "c")
		if !present {
			t.Fatal("the session is gone")
		}
		if m := p.receive("a/1", "unacknowledged"); m.PacketID != sent.PacketID || !m.Dup {
			t.Errorf("got %+v, was %+v", m, sent)
		}
		p.receive("a/3", "offline")
		p.receive("a/4", "early")
		pub = e.connect(v, "pub")
		pub.publish(codec.QoS1, "gone", "x")
		pub.publish(codec.QoS1, "s", "shared")
		p.receive("s", "shared")
		p.subscribe(codec.QoS1, "kept")
		if m := p.receive("kept", "retained"); !m.Retain {
			t.Error("not marked as retained")
		}
		p.quiet()
	})
}

func TestSessionsThatEnd(t *testing.T) {
	t.Parallel()
	var keeper mqtt.Memory
	e := start(t, mqtt.Config{Sessions: &keeper})
	sessions := func() (n int) {
		err := keeper.Load(context.Background(), func(mqtt.SessionState) { n++ }, func(string, mqtt.QueuedMessage) {}, func(*mqtt.Message) {}) //nolint:usetesting // also while the test ends
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for _, c := range []struct {
		name   string
		first  codec.Connect
		last   *codec.Disconnect
		second codec.Connect
		want   bool
	}{
		{"clean session of 3.1.1", codec.Connect{Version: 4, CleanStart: true}, nil, codec.Connect{Version: 4}, false},
		{"kept by 3.1.1", codec.Connect{Version: 4}, nil, codec.Connect{Version: 4}, true},
		{"cleaned at the start", codec.Connect{Version: 4}, nil, codec.Connect{Version: 4, CleanStart: true}, false},
		{"5 without expiry", codec.Connect{Version: 5}, nil, codec.Connect{Version: 5}, false},
		{"5 with expiry", codec.Connect{Version: 5, SessionExpiry: 60}, nil, codec.Connect{Version: 5}, true},
		{"5 with expiry, clean start", codec.Connect{Version: 5, CleanStart: true, SessionExpiry: 60}, nil, codec.Connect{Version: 5}, true},
		{"ended by DISCONNECT", codec.Connect{Version: 5, SessionExpiry: 60}, &codec.Disconnect{HasSessionExpiry: true}, codec.Connect{Version: 5}, false},
		{"of the other version", codec.Connect{Version: 4}, nil, codec.Connect{Version: 5}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.first.ClientID, c.second.ClientID = []byte(c.name), []byte(c.name)
			p, _ := e.open(&c.first)
			if c.last != nil {
				p.send(c.last)
				p.ended()
			}
			q, a := e.open(&c.second)
			if a.SessionPresent != c.want {
				t.Errorf("session present: got %v", a.SessionPresent)
			}
			q.send(&codec.Disconnect{HasSessionExpiry: c.second.SessionExpiry > 0})
			q.ended()
			end, _ := e.open(&codec.Connect{Version: 4, CleanStart: true, ClientID: []byte(c.name)})
			if n := sessions(); n != 0 {
				t.Errorf("%d sessions are kept", n)
			}
			end.quiet()
		})
	}
}

func TestExpiryMustNotBeRaisedFromZero(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p := e.connect(codec.V5, "c")
	p.send(&codec.Disconnect{HasSessionExpiry: true, SessionExpiry: 60})
	p.refused(codec.ProtocolError)
}

func TestRestartedServerDeliversNothingThatHasExpired(t *testing.T) {
	t.Parallel()
	var kept mqtt.Memory
	begun := time.Now()
	away := codec.Connect{Version: codec.V5, ClientID: []byte("c"), SessionExpiry: 3600, KeepAlive: 60}
	serve := func(t *testing.T, now time.Time) *endpoint {
		return start(t, mqtt.Config{Sessions: &kept, Now: func() time.Time { return now }})
	}
	t.Run("before", func(t *testing.T) {
		e := serve(t, begun)
		p, _ := e.open(&away)
		p.subscribe(codec.QoS1, "a")
		p.send(&codec.Disconnect{})
		p.ended()
		pub := e.connect(codec.V5, "pub")
		for _, expiry := range []uint32{2, 100, 3} {
			m := message(codec.QoS1, "a", fmt.Sprint(expiry))
			m.HasExpiry, m.Expiry = true, expiry
			pub.send(m)
			expect[*codec.Puback](pub)
		}
	})
	t.Run("after", func(t *testing.T) {
		p, a := serve(t, begun.Add(10*time.Second)).open(&away)
		if !a.SessionPresent {
			t.Fatal("the session is gone")
		}
		p.receive("a", "100")
		p.quiet()
	})
}
