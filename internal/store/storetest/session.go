package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/store"
)

func sessionKey(i int) (k store.SessionKey) {
	copy(k[:], fmt.Sprintf("%016d", i))
	return k
}

func testSessions(t *testing.T, open Open) {
	t.Run("a session is replaced as a whole and keeps its messages", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		first := store.Session{Key: sessionKey(1), ClientID: "c", Version: 4, Expiry: 3_600_000, Ends: 7, Subscriptions: []store.SessionSubscription{
			{Filter: "a/+", QoS: 1}, {Filter: "$share/g/ü/#", NoLocal: true, RetainAsPublished: true},
		}}
		second := store.Session{Key: sessionKey(1), ClientID: "c", Version: 5, Expiry: 1}
		m := store.SessionMessage{SessionPlace: store.SessionPlace{Key: sessionKey(1), Seq: 3}, Packet: []byte("m")}
		for _, s := range []store.Session{first, second} {
			b.update(func(tx store.Tx) error {
				must(t, tx.PutSessions([]store.Session{s}))
				return tx.PutSessionMessages([]store.SessionMessage{m})
			})
			sameSessions(b, []store.Session{s})
			sameMessages(b, []store.SessionMessage{m})
		}
	})
	t.Run("a deleted session takes its messages along and no others", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var kept []store.SessionMessage
		b.update(func(tx store.Tx) error {
			var ss []store.Session
			var ms []store.SessionMessage
			for i := range 3 {
				ss = append(ss, store.Session{Key: sessionKey(i), ClientID: fmt.Sprint(i)})
				for n := range 3 {
					m := store.SessionMessage{SessionPlace: store.SessionPlace{Key: sessionKey(i), Seq: int64(n + 1)}, Packet: []byte("m")}
					ms = append(ms, m)
					if i != 1 {
						kept = append(kept, m)
					}
				}
			}
			must(t, tx.PutSessions(ss))
			must(t, tx.PutSessionMessages(ms))
			return tx.DeleteSessions([]store.SessionKey{sessionKey(9), sessionKey(1)}) // the first is not there
		})
		sameSessions(b, []store.Session{{Key: sessionKey(0), ClientID: "0"}, {Key: sessionKey(2), ClientID: "2"}})
		sameMessages(b, kept)
	})
	t.Run("messages are kept until they are deleted one by one", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		body := bytes.Repeat([]byte{0, 0xFF, 'x'}, 50_000)
		at := store.SessionPlace{Key: sessionKey(1), Seq: 1 << 40}
		m := store.SessionMessage{SessionPlace: at, Retain: true, Expires: 12, Packet: body}
		b.update(func(tx store.Tx) error {
			must(t, tx.PutSessionMessages([]store.SessionMessage{m}))
			return tx.DeleteSessionMessages([]store.SessionPlace{{Key: sessionKey(1), Seq: 1}, {Key: sessionKey(2), Seq: at.Seq}})
		})
		sameMessages(b, []store.SessionMessage{m})
		b.update(func(tx store.Tx) error { return tx.DeleteSessionMessages([]store.SessionPlace{at}) })
		sameMessages(b, nil)
	})
	t.Run("a topic has one retained message", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		b.update(func(tx store.Tx) error {
			must(t, tx.PutRetained(store.Retained{Topic: "b", Packet: []byte("old")}))
			must(t, tx.PutRetained(store.Retained{Topic: "b", Expires: 5, Packet: []byte("new")}))
			must(t, tx.PutRetained(store.Retained{Topic: "a", Packet: []byte("gone")}))
			must(t, tx.PutRetained(store.Retained{Topic: "ä/c", Packet: []byte("other")}))
			must(t, tx.DeleteRetained("none", 0))
			return tx.DeleteRetained("a", 0)
		})
		got := pages(b, 1, keyed(store.Reader.Retained, func(r store.Retained) string { return r.Topic }))
		want := []store.Retained{{Topic: "b", Expires: 5, Packet: []byte("new")}, {Topic: "ä/c", Packet: []byte("other")}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("retained (-want +got):\n%s", diff)
		}
	})
	t.Run("of the messages of a topic the one with the greatest stamp stays", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		put := func(stamp int64, text string) {
			b.update(func(tx store.Tx) error {
				return tx.PutRetained(store.Retained{Topic: "a", Stamp: stamp, Packet: []byte(text)})
			})
		}
		for _, step := range []struct {
			do   func()
			want string
		}{
			{func() { put(5, "first") }, "first"},
			{func() { put(4, "late") }, "first"},
			{func() { b.update(func(tx store.Tx) error { return tx.DeleteRetained("a", 4) }) }, "first"},
			{func() { put(5, "same") }, "same"},
			{func() { put(0, "alone") }, "alone"},
			{func() { put(7, "newer") }, "newer"},
			{func() { b.update(func(tx store.Tx) error { return tx.DeleteRetained("a", 7) }) }, ""},
		} {
			step.do()
			got := ""
			for _, r := range pages(b, 1, keyed(store.Reader.Retained, func(r store.Retained) string { return r.Topic })) {
				got = string(r.Packet)
			}
			if got != step.want {
				t.Errorf("got %q, want %q", got, step.want)
			}
		}
	})
	t.Run("a transaction that fails keeps nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		_ = b.fails(func(tx store.Tx) error {
			must(t, tx.PutSessions([]store.Session{{Key: sessionKey(1), ClientID: "c"}}))
			must(t, tx.PutSessionMessages([]store.SessionMessage{{SessionPlace: store.SessionPlace{Key: sessionKey(1), Seq: 1}}}))
			must(t, tx.PutRetained(store.Retained{Topic: "a"}))
			return errStop
		})
		sameSessions(b, nil)
		sameMessages(b, nil)
	})
	testSessionOwners(t, open)
}

// keyed makes a list without a next key one for pages: the key of the last row is it.
func keyed[T, K any](list func(store.Reader, store.Page[K]) ([]T, bool, error), key func(T) K) func(store.Reader, store.Page[K]) ([]T, K, bool, error) {
	return func(r store.Reader, p store.Page[K]) ([]T, K, bool, error) {
		page, more, err := list(r, p)
		var next K
		if len(page) > 0 {
			next = key(page[len(page)-1])
		}
		return page, next, more, err
	}
}

func sameSessions(b *bundle, want []store.Session) {
	b.Helper()
	got := pages(b, 2, keyed(store.Reader.Sessions, func(s store.Session) store.SessionKey { return s.Key }))
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func sameMessages(b *bundle, want []store.SessionMessage) {
	b.Helper()
	got := pages(b, 2, keyed(store.Reader.SessionMessages, func(m store.SessionMessage) store.SessionPlace { return m.SessionPlace }))
	slices.SortStableFunc(want, func(a, b store.SessionMessage) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("messages (-want +got):\n%s", diff)
	}
}
