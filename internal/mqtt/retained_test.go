package mqtt_test

import (
	"testing"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// slowSubscriber is a Sessions that takes its time to keep subscriptions.
type slowSubscriber struct {
	mqtt.Memory
	held chan func(error)
}

func (s *slowSubscriber) Put(st mqtt.SessionState, done func(error)) {
	s.Memory.Put(st, nil)
	if len(st.Subscriptions) == 0 || st.Ends != 0 {
		done(nil)
		return
	}
	s.held <- done
}

// What is retained is sent after SUBACK, and by then it may be something else.
func TestRetainedMessageIsThatOfTheMomentWhenItIsSent(t *testing.T) {
	t.Parallel()
	type told struct {
		payload string
		retain  bool
	}
	for name, c := range map[string]struct {
		published told   // while the subscription is made
		live      string // received before SUBACK
		kept      string // and after it; empty for nothing
	}{
		"one that has come already does not come again": {told{"new", true}, "new", ""},
		"one that was taken back does not come at all":  {told{"", true}, "", ""},
		"one that is kept comes behind what is not":     {told{"plain", false}, "plain", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, v codec.Version) {
				disk := &slowSubscriber{held: make(chan func(error), 2)}
				e := start(t, mqtt.Config{Sessions: disk})
				pub := e.connect(v, "pub")
				publish := func(m told) {
					p := message(codec.QoS1, "a", m.payload)
					p.Retain = m.retain
					pub.send(p)
					expect[*codec.Puback](pub)
				}
				publish(told{"old", true})
				p, _ := e.persistent(v, "c")
				p.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("a"), QoS: 1}}})
				done := <-disk.held
				publish(c.published)
				p.receive("a", c.live)
				done(nil)
				expect[*codec.Suback](p)
				if c.kept != "" {
					if m := p.receive("a", c.kept); !m.Retain {
						t.Error("not marked as retained")
					}
				}
				p.quiet()
			})
		})
	}
}
