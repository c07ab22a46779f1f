package stored_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"muster/internal/mqtt"
	"muster/internal/mqtt/stored"
	"muster/internal/store"
)

// share returns the sessions of nodes on one store.
func share(t testing.TB, s store.Store, nodes ...string) []stored.Shared {
	t.Helper()
	ks := make([]stored.Shared, len(nodes))
	for i, node := range nodes {
		ks[i] = stored.NewShared(s, node, nil)
		t.Cleanup(ks[i].Close)
	}
	return ks
}

// wait makes a change and waits for it.
func wait(t testing.TB, change func(done func(error))) error {
	t.Helper()
	done, end := waits(t)
	change(done)
	return end()
}

func text(payload string) *mqtt.Message {
	return &mqtt.Message{Topic: "t", QoS: 1, Payload: []byte(payload)}
}

// owned is a session as a model keeps it.
type owned struct {
	node     string
	epoch    int64
	expiry   int64 // tells one state from another
	messages []uint64
}

// TestOwnersAreAsInAModel makes random changes on three nodes, most of which name
// an epoch of the past or another node's session, and compares with a model.
func TestOwnersAreAsInAModel(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		nodes := []string{"n0", "n1", "n2"}
		ks := make([]stored.Shared, len(nodes))
		for i := range nodes {
			ks[i] = stored.NewShared(s, nodes[i], nil)
		}
		ids := []string{fmt.Sprint("a", round), fmt.Sprint("b", round)}
		model := map[string]*owned{}
		check := func(what string, id string, allowed bool, err error) bool {
			rt.Logf("%s %s: %v", what, id, err)
			if allowed && err != nil || !allowed && !errors.Is(err, mqtt.ErrNotOwner) {
				rt.Fatalf("%s %s: got %v; allowed is %v", what, id, err, allowed)
			}
			return allowed
		}
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := rapid.IntRange(0, 2).Draw(rt, "node")
			k, node := ks[n], nodes[n]
			id := rapid.SampledFrom(ids).Draw(rt, "client")
			is := model[id]
			epoch := int64(rapid.IntRange(1, 3).Draw(rt, "epoch"))
			if is != nil {
				epoch = is.epoch - int64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "late"))
			}
			mine := is != nil && is.node == node && is.epoch == epoch
			state := mqtt.SessionState{ClientID: id, Version: 5, Expiry: int64(step), Epoch: epoch}
			ref := mqtt.SessionRef{ClientID: id, Epoch: epoch}
			switch rapid.SampledFrom([]string{"create", "put", "append", "append", "ack", "delete", "release", "take", "take", "adopt"}).Draw(rt, "what") {
			case "create":
				state.New = true
				if check("create", id, is == nil, wait(t, func(done func(error)) { k.Put(state, done) })) {
					model[id] = &owned{node: node, epoch: epoch, expiry: state.Expiry}
				}
			case "put":
				if check("put", id, mine, wait(t, func(done func(error)) { k.Put(state, done) })) {
					is.expiry = state.Expiry
				}
			case "append":
				m := mqtt.QueuedMessage{Seq: uint64(step + 1), Message: text("x")}
				if check("append", id, mine, wait(t, func(done func(error)) { k.Append(ref, m, done) })) {
					is.messages = append(is.messages, m.Seq)
				}
			case "ack":
				seq := uint64(rapid.IntRange(1, step+1).Draw(rt, "acked"))
				if check("ack", id, mine, wait(t, func(done func(error)) { k.Ack(ref, seq, done) })) {
					is.messages = slices.DeleteFunc(is.messages, func(x uint64) bool { return x == seq })
				}
			case "delete":
				if check("delete", id, mine, wait(t, func(done func(error)) { k.Delete(ref, done) })) {
					delete(model, id)
				}
			case "release":
				if check("release", id, mine, wait(t, func(done func(error)) { k.Release(state, done) })) {
					is.node, is.epoch, is.expiry = "", epoch+1, state.Expiry
				}
			case "take":
				got, err := k.Take(t.Context(), id)
				if err != nil {
					rt.Fatal(err)
				}
				is.takenBy(rt, node, got)
			case "adopt":
				from := rapid.SampledFrom(append(nodes, "")).Draw(rt, "from")
				err := k.Adopt(t.Context(), from, func(x string) bool { return x == id }, func(got mqtt.Taken) {
					if got.From != from || got.ClientID != id {
						rt.Fatalf("adopted %s from %q", got.ClientID, got.From)
					}
					is.takenBy(rt, node, got)
				}, func(mqtt.SessionState) {})
				if err != nil {
					rt.Fatal(err)
				}
				if is != nil && is.node == from && from != node {
					rt.Fatalf("%s was not adopted from %q", id, from)
				}
			}
		}
		for _, k := range ks {
			k.Close()
		}
		last := stored.NewShared(s, "last", nil)
		for _, id := range ids {
			got, err := last.Take(t.Context(), id)
			if err != nil {
				rt.Fatal(err)
			}
			model[id].takenBy(rt, "last", got)
		}
		last.Close()
	})
}

// takenBy compares a session with the model, in which a node takes it.
func (o *owned) takenBy(rt *rapid.T, node string, got mqtt.Taken) {
	if o == nil {
		if got.Epoch != 0 {
			rt.Fatalf("got %+v, want nothing", got)
		}
		return
	}
	want := owned{node: got.From, epoch: got.Epoch - 1, expiry: got.Expiry}
	for _, m := range got.Messages {
		want.messages = append(want.messages, m.Seq)
	}
	if diff := cmp.Diff(want, *o, cmp.AllowUnexported(owned{}), cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("taken (-got +want):\n%s", diff)
	}
	o.node, o.epoch = node, got.Epoch
}

func TestWhatIsRefusedTakesNothingElseAlong(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ks := share(t, s, "old", "new")
	err := wait(t, func(done func(error)) { ks[0].Put(mqtt.SessionState{ClientID: "lost", Epoch: 5, New: true}, done) })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ks[1].Take(t.Context(), "lost"); err != nil || got.Epoch != 6 || got.From != "old" {
		t.Fatalf("got %+v, %v", got, err)
	}
	// All of it in one queue, if not in one transaction.
	ref := mqtt.SessionRef{ClientID: "lost", Epoch: 5}
	refused, first := waits(t)
	ks[0].Append(ref, mqtt.QueuedMessage{Seq: 1, Message: text("x")}, refused)
	kept, second := waits(t)
	ks[0].Put(mqtt.SessionState{ClientID: "kept", Epoch: 9, New: true}, kept)
	retained, third := waits(t)
	ks[0].Retain(&mqtt.Message{Topic: "r", Payload: []byte("x"), Stamp: 1}, retained)
	ks[0].Ack(ref, 1, nil)
	if err := first(); err != nil && !errors.Is(err, mqtt.ErrNotOwner) {
		t.Errorf("append: got %v", err) // acknowledged before it was written, or refused
	}
	if err := errors.Join(second(), third()); err != nil {
		t.Error(err)
	}
	nodes, err := ks[0].Owners(t.Context())
	if err != nil || !slices.Equal(nodes, []string{"new", "old"}) {
		t.Errorf("owners are %q, %v", nodes, err)
	}
	if got := reload(t, s); len(got.Messages) != 0 || len(got.Sessions) != 2 || len(got.Retained) != 1 {
		t.Errorf("kept %+v", got)
	}
}

func TestTakeComesAfterWhatTheNodeHasAskedFor(t *testing.T) {
	t.Parallel()
	k := share(t, openStore(t), "n")[0]
	s := mqtt.SessionState{ClientID: "c", Version: 5, Epoch: 7, New: true, Subscriptions: []mqtt.SubscriptionState{{Filter: "a", QoS: 1}}}
	k.Put(s, nil)
	ref := mqtt.SessionRef{ClientID: "c", Epoch: 7}
	for i := range uint64(1200) { // more than one transaction, more than a page
		k.Append(ref, mqtt.QueuedMessage{Seq: i + 1, Message: text(fmt.Sprint(i))}, nil)
	}
	k.Release(s, nil)
	got, err := k.Take(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if got.From != "" || got.Epoch != 9 || len(got.Messages) != 1200 || len(got.Subscriptions) != 1 {
		t.Errorf("got %d messages of %+v from %q", len(got.Messages), got.SessionState, got.From)
	}
	for i, m := range got.Messages {
		if m.Seq != uint64(i+1) || string(m.Message.Payload) != fmt.Sprint(i) {
			t.Fatalf("message %d is %d %s", i, m.Seq, m.Message.Payload)
		}
	}
}

// TestWhoGivesUpFindsWhatWasTaken ends the wait for a session while it is written
// whose it is.
func TestWhoGivesUpFindsWhatWasTaken(t *testing.T) {
	t.Parallel()
	ks := share(t, openStore(t), "hasty")
	err := wait(t, func(done func(error)) { ks[0].Put(mqtt.SessionState{ClientID: "c", Epoch: 1, New: true}, done) })
	if err == nil {
		err = wait(t, func(done func(error)) { ks[0].Release(mqtt.SessionState{ClientID: "c", Epoch: 1}, done) })
	}
	if err != nil {
		t.Fatal(err)
	}
	gave, kept := 0, 0
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		got, err := ks[0].Take(ctx, "c")
		cancel()
		if err == nil {
			err = wait(t, func(done func(error)) { ks[0].Release(got.SessionState, done) })
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		gave++
		// What may still be on its way comes before this.
		err = wait(t, func(done func(error)) { ks[0].Put(mqtt.SessionState{ClientID: "c", New: true, Epoch: 1}, done) })
		if !errors.Is(err, mqtt.ErrNotOwner) {
			t.Fatalf("got %v", err)
		}
		nodes, err := ks[0].Owners(t.Context())
		if err != nil || len(nodes) != 1 {
			t.Fatalf("owners are %q, %v", nodes, err)
		}
		if nodes[0] == "" {
			continue // it was not too late
		}
		kept++
		err = ks[0].Adopt(t.Context(), "hasty", func(string) bool { return true }, func(s mqtt.Taken) { got = s }, func(mqtt.SessionState) {})
		if err != nil || got.ClientID != "c" || got.From != "hasty" {
			t.Fatalf("got %+v, %v", got, err)
		}
		err = wait(t, func(done func(error)) { ks[0].Release(got.SessionState, done) })
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("gave up %d times of 50, %d of them too late", gave, kept)
}

func TestSessionsAreAdoptedOnce(t *testing.T) {
	t.Parallel()
	ks := share(t, openStore(t), "dead", "a", "b", "c")
	const n = 1100 // more than a page
	for i := range n {
		ks[0].Put(mqtt.SessionState{ClientID: fmt.Sprint(i), Epoch: 3, New: true}, nil)
		ks[0].Append(mqtt.SessionRef{ClientID: fmt.Sprint(i), Epoch: 3}, mqtt.QueuedMessage{Seq: 1, Message: text(fmt.Sprint(i))}, nil)
	}
	ks[0].Close()
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for _, k := range ks[1:] {
		wg.Go(func() {
			err := k.Adopt(t.Context(), "dead", func(string) bool { return true }, func(s mqtt.Taken) {
				mu.Lock()
				defer mu.Unlock()
				got[s.ClientID]++
				if s.Epoch != 4 || s.From != "dead" || len(s.Messages) != 1 || string(s.Messages[0].Message.Payload) != s.ClientID {
					t.Errorf("got %+v", s)
				}
			}, func(mqtt.SessionState) {})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		if got[fmt.Sprint(i)] != 1 {
			t.Errorf("session %d was adopted %d times", i, got[fmt.Sprint(i)])
		}
	}
}
