package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/store"
)

func testSessionOwners(t *testing.T, open Open) {
	t.Run("a session is found by its key and by its owner", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		if got := read(b, store.Reader.SessionNodes); len(got) != 0 {
			t.Errorf("owners of nothing: %q", got)
		}
		var all []store.Session
		for i := range 20 {
			s := store.Session{Key: sessionKey(i), ClientID: fmt.Sprint(i), Node: []string{"", "n1", "n2"}[i%3], Epoch: int64(i % 3)}
			s.Subscriptions = []store.SessionSubscription{{Filter: s.ClientID}}
			all = append(all, s)
		}
		b.update(func(tx store.Tx) error { return tx.PutSessions(all) })
		for _, node := range []string{"", "n1", "n2", "n3"} {
			want := slices.DeleteFunc(slices.Clone(all), func(s store.Session) bool { return s.Node != node })
			got := pages(b, 3, keyed(func(r store.Reader, p store.Page[store.SessionKey]) ([]store.Session, bool, error) {
				return r.SessionsOf(node, p)
			}, func(s store.Session) store.SessionKey { return s.Key }))
			if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
				t.Errorf("sessions of %q (-want +got):\n%s", node, diff)
			}
		}
		if diff := cmp.Diff([]string{"", "n1", "n2"}, read(b, store.Reader.SessionNodes)); diff != "" {
			t.Errorf("owners (-want +got):\n%s", diff)
		}
		b.view(func(r store.Reader) error {
			got, err := r.Session(sessionKey(4))
			must(t, err)
			if diff := cmp.Diff(all[4], got); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
			if _, err = r.Session(sessionKey(99)); !apierr.Is(err, apierr.NotFound) {
				t.Errorf("no session: got %v", err)
			}
			return nil
		})
	})
	t.Run("the messages of one session are its own", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var ms []store.SessionMessage
		for i := range 3 {
			for n := range 7 {
				ms = append(ms, store.SessionMessage{SessionPlace: store.SessionPlace{Key: sessionKey(i), Seq: int64(n + 1)}, Packet: []byte{byte(n)}})
			}
		}
		b.update(func(tx store.Tx) error { return tx.PutSessionMessages(ms) })
		got := pages(b, 3, keyed(func(r store.Reader, p store.Page[int64]) ([]store.SessionMessage, bool, error) {
			return r.SessionMessagesOf(sessionKey(1), p)
		}, func(m store.SessionMessage) int64 { return m.Seq }))
		if diff := cmp.Diff(ms[7:14], got); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
	t.Run("an owner that was replaced cannot write", testSessionEpochs(open))
	t.Run("of two that take a session at once one gets it", testSessionRace(open))
}

func testSessionEpochs(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		key := sessionKey(1)
		for _, step := range []struct {
			node     string
			epoch    int64
			conflict bool
			owner    string
		}{
			{"n1", 1, false, "n1 1"},
			{"n1", 1, false, "n1 1"},
			{"n2", 1, true, "n1 1"},
			{"n2", 2, false, "n2 2"},
			{"n1", 1, true, "n2 2"},
			{"", 3, false, " 3"},
			{"n2", 2, true, " 3"},
			{"n2", 3, true, " 3"},
			{"n3", 9, false, "n3 9"},
			{"", 0, false, "n3 9"}, // there is no cluster any more
		} {
			s := store.Session{Key: key, ClientID: fmt.Sprint(step), Node: step.node, Epoch: step.epoch}
			other := store.Session{Key: sessionKey(2), ClientID: s.ClientID}
			err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.PutSessions([]store.Session{other, s}) })
			if apierr.Is(err, apierr.Conflict) != step.conflict || !step.conflict && err != nil {
				t.Fatalf("%s %d: got %v", step.node, step.epoch, err)
			}
			var owners []store.SessionOwner
			b.update(func(tx store.Tx) error {
				owners, err = tx.LockSessions([]store.SessionKey{sessionKey(7), key})
				return err
			})
			if len(owners) != 1 || fmt.Sprintf("%s %d", owners[0].Node, owners[0].Epoch) != step.owner || owners[0].Key != key {
				t.Fatalf("%s %d: owners are %v, want %s", step.node, step.epoch, owners, step.owner)
			}
			b.view(func(r store.Reader) error {
				for _, k := range []store.SessionKey{key, sessionKey(2)} {
					got, err := r.Session(k)
					must(t, err)
					if kept := got.ClientID == s.ClientID; kept == step.conflict {
						t.Fatalf("%s %d: kept is %v", step.node, step.epoch, kept)
					}
				}
				return nil
			})
		}
	}
}

// testSessionRace lets writers take a session from each other. Whoever gets it
// adds a message, as often as it still owns it: the messages of all must stand in
// the order of their epochs.
func testSessionRace(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		key := sessionKey(1)
		errTaken := errors.New("taken")
		var wg sync.WaitGroup
		for w := range 4 {
			node := fmt.Sprint("n", w)
			wg.Go(func() {
				for range 10 {
					var epoch int64
					err := b.s.Update(t.Context(), func(tx store.Tx) error {
						owners, err := tx.LockSessions([]store.SessionKey{key})
						if err != nil {
							return err
						}
						epoch = 1
						if len(owners) > 0 {
							epoch = owners[0].Epoch + 1
						}
						return tx.PutSessions([]store.Session{{Key: key, Node: node, Epoch: epoch}})
					})
					if apierr.Is(err, apierr.Conflict) {
						continue // another was faster
					}
					check(t, err)
					for err = nil; err == nil && t.Context().Err() == nil; {
						err = b.s.Update(t.Context(), func(tx store.Tx) error { return b.appendOwned(tx, key, node, epoch, errTaken) })
					}
					if !errors.Is(err, errTaken) {
						check(t, err)
					}
				}
			})
		}
		wg.Wait()
		last := int64(0)
		ms := pages(b, 100, keyed(store.Reader.SessionMessages, func(m store.SessionMessage) store.SessionPlace { return m.SessionPlace }))
		for _, m := range ms {
			text, node, _ := strings.Cut(string(m.Packet), " ")
			var epoch int64
			_, err := fmt.Sscan(text, &epoch)
			must(t, err)
			if epoch < last {
				t.Fatalf("%s wrote in epoch %d after epoch %d had begun", node, epoch, last)
			}
			last = epoch
		}
	}
}

// appendOwned adds a message behind the others if the session is still the
// node's, five at most.
func (b *bundle) appendOwned(tx store.Tx, key store.SessionKey, node string, epoch int64, taken error) error {
	owners, err := tx.LockSessions([]store.SessionKey{key})
	if err != nil {
		return err
	}
	ms, _, err := tx.SessionMessages(store.Page[store.SessionPlace]{Limit: 10_000})
	if err != nil {
		return err
	}
	mine := 0
	text := fmt.Sprintf("%d %s", epoch, node)
	for _, m := range ms {
		if string(m.Packet) == text {
			mine++
		}
	}
	if owners[0].Node != node || owners[0].Epoch != epoch || mine == 5 {
		return taken
	}
	return tx.PutSessionMessages([]store.SessionMessage{{SessionPlace: store.SessionPlace{Key: key, Seq: int64(len(ms) + 1)}, Packet: []byte(text)}})
}
