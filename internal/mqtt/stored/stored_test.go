package stored_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/stored"
	"muster/internal/store"
	"muster/internal/store/sqlite"
)

// kept is everything that a Sessions has kept.
type kept struct {
	Sessions map[string]mqtt.SessionState
	Messages map[string][]mqtt.QueuedMessage
	Retained map[string]*mqtt.Message
}

func load(t testing.TB, s mqtt.Sessions) kept {
	t.Helper()
	k := kept{map[string]mqtt.SessionState{}, map[string][]mqtt.QueuedMessage{}, map[string]*mqtt.Message{}}
	err := s.Load(t.Context(), func(s mqtt.SessionState) {
		k.Sessions[s.ClientID] = s
	}, func(id string, m mqtt.QueuedMessage) {
		k.Messages[id] = append(k.Messages[id], m)
	}, func(m *mqtt.Message) {
		k.Retained[m.Topic] = m
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// reload loads what another process would find.
func reload(t testing.TB, s store.Store) kept {
	t.Helper()
	k := stored.New(s, nil)
	defer k.Close()
	return load(t, k)
}

func same(t interface{ Fatalf(string, ...any) }, want, got kept) {
	diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(mqtt.Message{}), cmpopts.EquateEmpty())
	if diff != "" {
		t.Fatalf("kept (-want +got):\n%s", diff)
	}
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// waits returns a done function and one that waits for it.
func waits(t testing.TB) (done func(error), wait func() error) {
	c := make(chan error, 1)
	return func(err error) { c <- err }, func() error {
		select {
		case err := <-c:
			return err
		case <-t.Context().Done():
			return t.Context().Err()
		}
	}
}

// TestKeepsWhatMemoryKeeps makes random histories and compares with Memory, whose
// rules can be read at a glance.
func TestKeepsWhatMemoryKeeps(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // rounds share the store, whose opening takes longest
		k := stored.New(s, nil)
		var model mqtt.Memory
		for _, into := range []mqtt.Sessions{k, &model} {
			for _, id := range []string{"a", "b"} {
				into.Delete(mqtt.SessionRef{ClientID: id}, nil)
			}
			into.Retain(&mqtt.Message{Topic: "r"}, nil)
		}
		seq := uint64(0)
		steps := rapid.IntRange(1, 40).Draw(rt, "steps")
		done, wait := waits(t)
		for i := range steps {
			id := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "client")
			state := mqtt.SessionState{ClientID: id, Version: 5, Expiry: int64(i), Subscriptions: []mqtt.SubscriptionState{{Filter: fmt.Sprint(i), QoS: 1}}}
			message := &mqtt.Message{
				Topic: "t", QoS: 1, Payload: fmt.Append(nil, i), Expires: int64(i),
				Properties: &mqtt.Properties{PayloadIsText: true, ContentType: []byte("c"), CorrelationData: []byte{0, 1}},
			}
			what := rapid.IntRange(0, 5).Draw(rt, "what")
			acked := uint64(rapid.IntRange(0, int(seq)).Draw(rt, "acked"))
			seq++
			for _, into := range []mqtt.Sessions{k, &model} {
				switch what {
				case 0:
					into.Put(state, nil)
				case 1, 2:
					into.Put(state, nil)
					into.Append(mqtt.SessionRef{ClientID: id}, mqtt.QueuedMessage{Seq: seq, Retain: i%2 == 0, Message: message}, nil)
				case 3:
					into.Ack(mqtt.SessionRef{ClientID: id}, acked, nil)
				case 4:
					into.Delete(mqtt.SessionRef{ClientID: id}, nil)
				case 5:
					into.Retain(&mqtt.Message{Topic: "r", QoS: 1, Retain: true, Payload: message.Payload[:i%2]}, nil)
				}
			}
			if rapid.Bool().Draw(rt, "settle") {
				k.Retain(&mqtt.Message{Topic: "none"}, done)
				if err := wait(); err != nil {
					rt.Fatalf("settle: %v", err)
				}
			}
		}
		k.Close()
		same(rt, load(t, &model), reload(t, s))
	})
}

func TestDoneMeansDurable(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	k := stored.New(s, nil)
	defer k.Close()
	done, wait := waits(t)
	k.Put(mqtt.SessionState{ClientID: "c", Version: 4}, nil)
	k.Append(mqtt.SessionRef{ClientID: "c"}, mqtt.QueuedMessage{Seq: 1, Message: &mqtt.Message{Topic: "t", QoS: 1}}, done)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	// Another reader of the same store, as after a crash, sees it.
	got := reload(t, s)
	if len(got.Messages["c"]) != 1 {
		t.Errorf("got %+v", got)
	}
}

// broken is a store that takes no change.
type broken struct {
	store.Store
	hold chan struct{}
	took int
}

var errBroken = errors.New("disk is gone")

func (b *broken) Update(context.Context, func(store.Tx) error) error {
	b.took++
	<-b.hold
	return errBroken
}

func TestFailedWritesAreToldAndAcknowledgedOnesAreNotWritten(t *testing.T) {
	t.Parallel()
	b := &broken{hold: make(chan struct{})}
	k := stored.New(b, nil)
	failed, first := waits(t)
	k.Put(mqtt.SessionState{ClientID: "c"}, failed)
	acked, second := waits(t)
	// The first write is held up, or will be: this waits behind it, or beside it.
	k.Append(mqtt.SessionRef{ClientID: "c"}, mqtt.QueuedMessage{Seq: 1, Message: &mqtt.Message{Topic: "t", QoS: 1}}, acked)
	bad, third := waits(t)
	k.Append(mqtt.SessionRef{ClientID: "c"}, mqtt.QueuedMessage{Seq: 2, Message: &mqtt.Message{QoS: 1}}, bad)
	if err := third(); err == nil {
		t.Error("a message without a topic has been kept")
	}
	k.Ack(mqtt.SessionRef{ClientID: "c"}, 1, nil)
	close(b.hold)
	if err := first(); !errors.Is(err, errBroken) {
		t.Errorf("put: got %v", err)
	}
	if err := second(); err != nil && !errors.Is(err, errBroken) {
		t.Errorf("acknowledged: got %v", err)
	}
	k.Close()
	late, fourth := waits(t)
	k.Put(mqtt.SessionState{ClientID: "c"}, late)
	if err := fourth(); err == nil {
		t.Error("a change after the end has been taken")
	}
}

func TestMessageSurvivesAsItWas(t *testing.T) {
	t.Parallel()
	var user codec.UserProperties
	if err := errors.Join(user.Add("a", "1"), user.Add("a", "2")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []mqtt.Message{
		{Topic: "t"},
		{Topic: "a/ü", QoS: 1, Retain: true, Payload: []byte{0, 1, 0xFF}},
		{Topic: "t", Properties: &mqtt.Properties{PayloadIsText: true, ContentType: []byte("x"), ResponseTopic: []byte("r"), CorrelationData: []byte{}, User: user}},
	} {
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got mqtt.Message
		if err := got.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmpopts.IgnoreUnexported(mqtt.Message{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
		for n := range b {
			if err := new(mqtt.Message).UnmarshalBinary(b[:n]); err == nil {
				t.Errorf("%d of %d bytes were read as a message", n, len(b))
			}
		}
	}
}
