package stored_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"muster/internal/mqtt"
	"muster/internal/mqtt/stored"
	"muster/internal/store"
)

// stuck is a store that takes no change for a while.
type stuck struct {
	store.Store
	came    chan struct{} // a token for each change
	release chan struct{}
}

func (s stuck) Update(ctx context.Context, f func(store.Tx) error) error {
	select {
	case s.came <- struct{}{}:
	default:
	}
	<-s.release
	return s.Store.Update(ctx, f)
}

// openStuck returns sessions whose writer is stuck.
func openStuck(t *testing.T) (*stored.Sessions, stuck) {
	s := stuck{openStore(t), make(chan struct{}, 1), make(chan struct{})}
	k := stored.New(s, nil)
	k.Put(mqtt.SessionState{ClientID: "c", Version: 4}, nil)
	<-s.came
	return k, s
}

func TestOfTheRetainedMessagesOfATopicThatWaitTheLastIsWritten(t *testing.T) {
	t.Parallel()
	k, s := openStuck(t)
	const n = 10_000
	var told sync.WaitGroup
	for i := range n {
		m := &mqtt.Message{Topic: fmt.Sprint("r/", i%4), QoS: 1, Retain: true, Payload: fmt.Append(nil, i)}
		if i%2 == 0 { // whoever has published with QoS 0 is not told
			k.Retain(m, nil)
			continue
		}
		told.Add(1)
		k.Retain(m, func(err error) {
			if err != nil {
				t.Error(err)
			}
			told.Done()
		})
	}
	if got := k.Waiting(); got != 4 {
		t.Errorf("%d changes wait for 4 topics", got)
	}
	close(s.release)
	told.Wait()
	k.Close()
	for topic, m := range reload(t, s.Store).Retained {
		if want := fmt.Sprint(n - 4 + int(topic[2]-'0')); string(m.Payload) != want {
			t.Errorf("%s: got %q, want %q", topic, m.Payload, want)
		}
	}
}

func TestOfTheRetainedMessagesThatWaitTheGreatestStampStays(t *testing.T) {
	t.Parallel()
	k, s := openStuck(t)
	for _, stamp := range []int64{3, 5, 4} {
		k.Retain(&mqtt.Message{Topic: "r", Retain: true, Stamp: stamp, Payload: fmt.Append(nil, stamp)}, nil)
	}
	close(s.release)
	k.Close()
	if m := reload(t, s.Store).Retained["r"]; m == nil || m.Stamp != 5 || string(m.Payload) != "5" {
		t.Errorf("got %+v", m)
	}
}

func TestMessagesThatHaveArrivedDoNotWaitToBeWritten(t *testing.T) {
	t.Parallel()
	k, s := openStuck(t)
	c := mqtt.SessionRef{ClientID: "c"}
	keep := func(seq uint64) {
		k.Append(c, mqtt.QueuedMessage{Seq: seq, Message: &mqtt.Message{Topic: "t", QoS: 1, Payload: make([]byte, 1<<10)}}, nil)
	}
	keep(1)
	for seq := range uint64(50_000) {
		keep(seq + 2)
		k.Ack(c, seq+2, nil)
	}
	if got := k.Waiting(); got > 5000 {
		t.Errorf("%d changes wait for one message", got)
	}
	close(s.release)
	k.Close()
	if got := reload(t, s.Store).Messages["c"]; len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("got %+v", got)
	}
}
