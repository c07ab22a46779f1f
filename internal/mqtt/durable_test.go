package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// slowDisk is a Sessions whose messages become durable when the test says so.
type slowDisk struct {
	mqtt.Memory
	mu   sync.Mutex
	held []func(error)
	came chan struct{} // a token for each held message
}

func (s *slowDisk) Append(r mqtt.SessionRef, m mqtt.QueuedMessage, done func(error)) {
	s.Memory.Append(r, m, nil)
	s.mu.Lock()
	s.held = append(s.held, done)
	s.mu.Unlock()
	s.came <- struct{}{}
}

// release makes the n-th message that is held durable, or fails it.
func (s *slowDisk) release(n int, err error) {
	s.mu.Lock()
	done := s.held[n]
	s.mu.Unlock()
	done(err)
}

func TestAcknowledgedMeansDurable(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		disk := &slowDisk{came: make(chan struct{}, 100)}
		e := start(t, mqtt.Config{Sessions: disk})
		gone := e.watch()
		p, _ := e.persistent(v, "c")
		p.subscribe(codec.QoS1, "a")
		_ = p.nc.Close()
		gone()
		other := e.connect(v, "other")
		other.subscribe(codec.QoS1, "a")
		pub := e.connect(v, "pub")
		// One after another, without waiting; the second is durable at once, and
		// the third goes to nobody who keeps it.
		var packets []byte
		for i, topic := range []string{"a", "a", "b"} {
			m := message(1, topic, "x")
			m.PacketID = uint16(i + 1)
			packets = append(packets, stream(t, v, m)...)
		}
		pub.write(packets)
		for range 2 {
			<-disk.came
			other.receive("a", "x") // who is connected need not wait
		}
		acks := make(chan uint16, 3)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for range 3 {
				q, err := pub.read()
				if err != nil {
					t.Error(err)
					return
				}
				if a, ok := q.(*codec.Puback); ok {
					acks <- a.PacketID
				}
			}
		}()
		disk.release(1, nil)
		other.quiet()
		select {
		case id := <-acks:
			t.Fatalf("%d was acknowledged before it was durable", id)
		default:
		}
		disk.release(0, nil)
		<-read
		for want := uint16(1); want <= 3; want++ {
			if got := <-acks; got != want {
				t.Errorf("acknowledged %d, want %d", got, want)
			}
		}

		pub.send(message(1, "a", "cannot be kept"))
		<-disk.came
		disk.release(2, errors.New("disk is full"))
		if v == codec.V311 {
			pub.ended() // there is no other way not to acknowledge it
			return
		}
		if a := expect[*codec.Puback](pub); a.Reason != codec.UnspecifiedError {
			t.Errorf("got %v", a.Reason)
		}
	})
}

func TestPublishOfTheServerWaitsUntilDurable(t *testing.T) {
	t.Parallel()
	disk := &slowDisk{came: make(chan struct{}, 1)}
	e := start(t, mqtt.Config{Sessions: disk})
	p, _ := e.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "a")
	published := make(chan error, 1)
	publish := func() {
		published <- e.Publish(t.Context(), mqtt.Message{Topic: "a", QoS: 1, Payload: []byte("x")})
	}
	for i, want := range []error{nil, errors.New("disk is full")} {
		go publish()
		<-disk.came
		p.receive("a", "x")
		select {
		case err := <-published:
			t.Fatalf("returned %v before it was durable", err)
		default:
		}
		disk.release(i, want)
		if err := <-published; !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err := e.Publish(t.Context(), mqtt.Message{Topic: "a/+"}); err == nil {
		t.Error("published to a filter")
	}
}

// stuckDisk is a Sessions that never comes to keeping what is retained.
type stuckDisk struct {
	mqtt.Memory
	retained atomic.Int64
}

func (s *stuckDisk) Retain(*mqtt.Message, func(error)) { s.retained.Add(1) }

func TestWhoPublishesMoreThanCanBeKeptIsNotReadFrom(t *testing.T) {
	t.Parallel()
	for _, qos := range []codec.QoS{codec.QoS0, codec.QoS1} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			t.Parallel()
			disk := new(stuckDisk)
			inBubble(t, mqtt.Config{Sessions: disk}, func(b *bubble) {
				p := b.open(&codec.Connect{Version: 4, ClientID: []byte("c"), CleanStart: true})
				var flood []byte
				for i := range 1000 {
					m := message(qos, fmt.Sprint("r/", i), "x")
					m.Retain = true
					flood = append(flood, stream(b.t, codec.V311, m)...)
				}
				var writes sync.WaitGroup
				writes.Go(func() { _, _ = p.nc.Write(flood) })
				synctest.Wait()
				if got := disk.retained.Load(); got == 0 || got > 64 {
					b.t.Errorf("%d messages wait to be kept", got)
				}
				_ = p.nc.Close()
				writes.Wait()
				ctx, cancel := context.WithCancel(b.t.Context())
				cancel()
				_ = b.Close(ctx) // it waits for the disk no longer
			})
		})
	}
}
