package mqtt_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestMessagesReachSubscribersInOrder(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{})
		sub, pub := e.connect(v, "sub"), e.connect(v, "pub")
		sub.subscribe(codec.QoS1, "a/+", "b/c")
		for i := range 300 {
			pub.publish(codec.QoS(i%2), fmt.Sprintf("a/%d", i%3), fmt.Sprint(i))
		}
		for i := range 300 {
			m := sub.receive(fmt.Sprintf("a/%d", i%3), fmt.Sprint(i))
			if m.QoS != codec.QoS(i%2) || m.Dup || m.Retain {
				t.Fatalf("message %d: got %+v", i, m)
			}
		}
		pub.quiet()
	})
}

func TestRepliesGoToTheRequesterAlone(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		const topic = "$aws/things/t/jobs/get"
		after := make(chan struct{}, 10)
		var e *endpoint
		e = start(t, mqtt.Config{Hooks: mqtt.Hooks{
			Handle: func(_ context.Context, r *mqtt.Request) (mqtt.Response, error) {
				reply := mqtt.Reply{Topic: r.Topic + "/accepted", Payload: fmt.Appendf(nil, "%s:%s", r.ID, r.Payload)}
				return mqtt.Response{Handled: true, Replies: []mqtt.Reply{reply}, After: func() {
					err := e.Publish(t.Context(), mqtt.Message{Topic: "$aws/things/t/jobs/notify", QoS: 1, Payload: []byte("n")})
					if err != nil {
						t.Error(err)
					}
					after <- struct{}{}
				}}, nil
			},
		}})
		other, asks := e.connect(v, "other"), e.connect(v, "asks")
		other.subscribe(codec.QoS1, "$aws/things/t/jobs/get/#", "$aws/things/+/jobs/#")
		ask := func(qos codec.QoS, payload string) {
			m := &codec.Publish{Message: codec.Message{Topic: []byte(topic), QoS: qos, Payload: []byte(payload)}}
			if qos > 0 {
				m.PacketID = 1
			}
			asks.send(m)
			if qos > 0 {
				expect[*codec.Puback](asks)
			}
		}
		reply := func(payload string, qos codec.QoS) {
			t.Helper()
			m := asks.receive(topic+"/accepted", "asks:"+payload)
			if m.QoS != qos {
				t.Fatalf("reply %s: got QoS %d, want %d", payload, m.QoS, qos)
			}
		}
		ask(1, "unsubscribed")
		reply("unsubscribed", 1)
		ask(0, "plain")
		reply("plain", 0)
		asks.subscribe(codec.QoS0, topic+"/+")
		asks.subscribe(codec.QoS0, topic+"/accepted")
		ask(1, "lowered")
		reply("lowered", 0)
		asks.subscribe(codec.QoS1, "$aws/things/t/jobs/notify")
		ask(1, "then notify")
		reply("then notify", 0)
		asks.receive("$aws/things/t/jobs/notify", "n")
		asks.quiet()
		for range 4 {
			<-after
			other.receive("$aws/things/t/jobs/notify", "n")
		}
		other.quiet()
	})
}

func TestOneConnectionOfAClientSurvives(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{})
		for range 20 {
			var wg sync.WaitGroup
			ended := make(chan *peer, 8)
			for range 8 {
				p := e.dial(v)
				wg.Go(func() {
					p.send(&codec.Connect{Version: v, ClientID: []byte("same"), CleanStart: true})
					for {
						q, err := p.read()
						if err != nil {
							ended <- p
							return
						}
						if d, ok := q.(*codec.Disconnect); ok && d.Reason != codec.SessionTakenOver {
							t.Errorf("disconnected for %v", d.Reason)
						}
					}
				})
			}
			for range 7 {
				<-ended
			}
			// The one that is left is the client's: what is published reaches it
			// alone, and a new connection ends it.
			last := e.connect(v, "same")
			wg.Wait()
			last.quiet()
			_ = last.nc.Close()
		}
	})
}

func TestCloseTellsClientsAndEnds(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		s, err := mqtt.New(t.Context(), mqtt.Config{})
		if err != nil {
			t.Fatal(err)
		}
		e := serve(t, s, mqtt.ListenerOptions{Name: "tcp"})
		p := e.connect(v, "c")
		silent := e.dial(v)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.refused(codec.ServerShuttingDown)
		silent.ended()
	})
}
