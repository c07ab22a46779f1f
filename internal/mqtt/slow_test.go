package mqtt_test

import (
	"sync"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// slow connects a subscriber that takes 90 ms for each message: time enough for a
// publisher to be waiting for it again.
func (b *bubble) slow(filter string) {
	p := b.open(&codec.Connect{Version: 4, ClientID: []byte("slow"), CleanStart: true})
	p.subscribe(codec.QoS1, filter)
	var reads sync.WaitGroup
	b.t.Cleanup(func() {
		_ = p.nc.Close()
		reads.Wait()
	})
	reads.Go(func() {
		for {
			q, err := p.read()
			if err != nil {
				return
			}
			m, ok := q.(*codec.Publish)
			if !ok {
				continue
			}
			time.Sleep(90 * time.Millisecond) //nolint:forbidigo // time is made up
			answer, _ := (&codec.Puback{PacketID: m.PacketID}).Append(nil, codec.V311)
			if _, err := p.nc.Write(answer); err != nil {
				return
			}
		}
	})
}

func TestPublisherWaitsOnceForASlowSubscriber(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{Limits: mqtt.Limits{QueueMessages: 64}}, func(b *bubble) {
		b.slow("a")
		pub := b.open(&codec.Connect{Version: 4, ClientID: []byte("pub"), CleanStart: true})
		begun := time.Now()
		for range 500 {
			pub.publish(codec.QoS1, "a", "x")
		}
		if took := time.Since(begun); took > mqtt.DefaultLimits().SlowWait {
			b.t.Errorf("500 messages took %v", took)
		}
	})
}

func TestServerWaitsForNoSlowSubscriber(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{Limits: mqtt.Limits{QueueMessages: 64}}, func(b *bubble) {
		b.slow("$aws/things/+/jobs/#")
		begun := time.Now()
		for range 500 {
			if err := b.Publish(b.t.Context(), mqtt.Message{Topic: "$aws/things/t/jobs/notify", QoS: 1}); err != nil {
				b.t.Fatal(err)
			}
		}
		if took := time.Since(begun); took > 0 {
			b.t.Errorf("500 messages took %v", took)
		}
	})
}

func TestPublisherDoesNotWaitForWhatHasGatheredOffline(t *testing.T) {
	t.Parallel()
	inBubble(t, mqtt.Config{Limits: mqtt.Limits{QueueMessages: 64}}, func(b *bubble) {
		p := b.open(&codec.Connect{Version: 4, ClientID: []byte("away")})
		p.subscribe(codec.QoS1, "a")
		p.send(&codec.Disconnect{})
		p.ended()
		pub := b.open(&codec.Connect{Version: 4, ClientID: []byte("pub"), CleanStart: true})
		for range 50 {
			pub.publish(codec.QoS1, "a", "x")
		}
		begun := time.Now()
		b.open(&codec.Connect{Version: 4, ClientID: []byte("away")})
		pub.publish(codec.QoS1, "a", "x")
		pub.quiet()
		if took := time.Since(begun); took > 0 {
			b.t.Errorf("the publisher waited %v", took)
		}
	})
}
