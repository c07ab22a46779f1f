package mqtt_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// TestTheLastWordOnATopicIsNeverLost makes random histories of a session that may be
// full of anything: of each topic of which only the last message matters, the last
// one is sent, and all come in the order in which they were pushed.
func TestTheLastWordOnATopicIsNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const queue, topics, window = 8, 3, 2
		s := mqtt.NewSession(window, queue)
		last := make(map[string]int)
		var sent []int
		got := make(map[string]int)
		flight := []uint16{}
		send := func() {
			for d, ok := s.Next(); ok; d, ok = s.Next() {
				var n int
				_, _ = fmt.Sscan(d.Payload, &n)
				flight = append(flight, d.ID)
				if d.Dup {
					continue
				}
				sent = append(sent, n)
				got[d.Topic] = n
			}
		}
		for n := range rapid.IntRange(1, 100).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0, 1:
				s.Push(fmt.Sprint(n), 1, false)
			case 2, 3:
				topic := fmt.Sprint("$", rapid.IntRange(1, topics).Draw(rt, "topic"))
				if !s.PushWhole(topic, fmt.Sprint(n), topics) {
					rt.Fatalf("%d to %s was refused", n, topic)
				}
				last[topic] = n
			case 4:
				send()
				if len(flight) > 0 {
					s.Ack(flight[0])
					flight = flight[1:]
				}
			case 5:
				flight = flight[:0]
				s.End()
			}
			if s.Len() > queue+topics+window {
				rt.Fatalf("%d messages wait", s.Len())
			}
		}
		for send(); len(flight) > 0; send() {
			s.Ack(flight[0])
			flight = flight[1:]
		}
		if !slices.IsSorted(sent) {
			rt.Errorf("sent out of order: %v", sent)
		}
		delete(got, "t")
		if !maps.Equal(got, last) {
			rt.Errorf("the last ones are %v, want %v", got, last)
		}
		if s.Bytes() != 0 {
			rt.Errorf("%d bytes left", s.Bytes())
		}
	})
}

// whole is the hook for topics that end with whole and a number.
func whole(topic string) bool { return strings.Contains(topic, "/whole") }

// fill connects a persistent client, ends the connection, and fills its queue.
func fill(e *endpoint, v codec.Version, filters ...string) {
	e.t.Helper()
	p, _ := e.persistent(v, "c")
	p.subscribe(codec.QoS1, append(filters, "a")...)
	p.send(&codec.Disconnect{})
	p.ended()
	pub := e.connect(v, "pub")
	for i := range 15 {
		pub.publish(codec.QoS1, "a", fmt.Sprint(i))
	}
}

func (e *endpoint) say(topic, payload string) {
	e.t.Helper()
	if err := e.Publish(e.t.Context(), mqtt.Message{Topic: topic, QoS: 1, Payload: []byte(payload)}); err != nil {
		e.t.Fatal(err)
	}
}

// missed connects the client again and returns what it gets on topics that begin
// with $.
func missed(e *endpoint, v codec.Version) (words []string) {
	e.t.Helper()
	p, _ := e.persistent(v, "c")
	p.send(&codec.Pingreq{})
	for {
		q, err := p.read()
		if err != nil {
			e.t.Fatal(err)
		}
		m, ok := q.(*codec.Publish)
		if !ok {
			return words
		}
		p.ack(m)
		if m.Topic[0] == '$' {
			words = append(words, fmt.Sprintf("%s %s", m.Topic, m.Payload))
		}
	}
}

func TestFullQueueCostsNoLastWord(t *testing.T) {
	t.Parallel()
	limits := mqtt.Limits{QueueMessages: 10, ReserveMessages: 3}
	for name, c := range map[string]struct {
		topics []string
		want   []string
	}{
		"of each topic the last, in order": {
			[]string{"$aws/whole1", "$aws/whole2", "$aws/whole1", "$aws/whole1"},
			[]string{"$aws/whole2 1", "$aws/whole1 3"},
		},
		"nothing that is not a last word": {[]string{"$aws/event", "$aws/event"}, nil},
		"no more than the reserve holds": {
			[]string{"$aws/whole1", "$aws/whole2", "$aws/whole3", "$aws/whole4", "$aws/whole1"},
			[]string{"$aws/whole2 1", "$aws/whole3 2", "$aws/whole1 4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, v codec.Version) {
				reg := prometheus.NewRegistry()
				e := start(t, mqtt.Config{Metrics: reg, Limits: limits, Sessions: new(mqtt.Memory), Hooks: mqtt.Hooks{Whole: whole}})
				fill(e, v, "$aws/+")
				for i, topic := range c.topics {
					e.say(topic, fmt.Sprint(i))
				}
				if diff := cmp.Diff(c.want, missed(e, v)); diff != "" {
					t.Errorf("missed (-want +got):\n%s", diff)
				}
				e.connect(v, "c") // a new session
				if left := metric(t, reg, "muster_mqtt_queue_bytes"); left != 0 {
					t.Errorf("%v bytes are counted for nothing", left)
				}
			})
		})
	}
}

func TestAsLongAsThereIsRoomEveryWordIsKept(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{Sessions: new(mqtt.Memory), Hooks: mqtt.Hooks{Whole: whole}})
	fill(e, codec.V5, "$aws/+")
	for i := range 3 {
		e.say("$aws/whole1", fmt.Sprint(i))
	}
	if diff := cmp.Diff([]string{"$aws/whole1 0", "$aws/whole1 1", "$aws/whole1 2"}, missed(e, codec.V5)); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
}

func TestRestartedServerMakesRoomForTheLastWord(t *testing.T) {
	t.Parallel()
	cfg := mqtt.Config{
		Limits: mqtt.Limits{QueueMessages: 10, ReserveMessages: 2}, Sessions: new(mqtt.Memory), Hooks: mqtt.Hooks{Whole: whole},
	}
	t.Run("before", func(t *testing.T) {
		e := start(t, cfg)
		fill(e, codec.V5, "$aws/+")
		e.say("$aws/whole1", "0")
		e.say("$aws/whole2", "1")
	})
	t.Run("after", func(t *testing.T) {
		e := start(t, cfg)
		e.say("$aws/whole1", "2")
		if diff := cmp.Diff([]string{"$aws/whole2 1", "$aws/whole1 2"}, missed(e, codec.V5)); diff != "" {
			t.Errorf("missed (-want +got):\n%s", diff)
		}
	})
}
