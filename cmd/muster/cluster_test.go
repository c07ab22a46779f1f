package main

import (
	"log/slog"
	"testing"
	"time"

	"muster/internal/config"
	"muster/internal/store"
	"muster/internal/store/sqlite"
)

func TestOfTwoNodesThatCannotMeetTheLaterOneEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, cluster, address string        // its own setting, and where the other one is
		later                  time.Duration // by which the other one has started later
		ends                   bool
	}{
		{"both alone, the other was first", "", "", -time.Minute, true},
		{"both alone, the other came later", "", "", time.Minute, false},
		{"alone, and one of a cluster was first", "", "127.0.0.1:1", -time.Minute, true},
		{"in a cluster, and one alone was first", "127.0.0.1:0", "", -time.Minute, true},
		{"both in a cluster", "127.0.0.1:0", "127.0.0.1:1", -time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, s := joined(t, tt.cluster)
			now := m.node.Now()
			other := store.Node{
				ID: "other", Slot: 7, Address: tt.address, StartedAt: now.Add(tt.later).UnixMilli(),
				SeenAt: now.UnixMilli(), Until: now.Add(time.Hour).UnixMilli(),
			}
			err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutNode(other) })
			if err != nil {
				t.Fatal(err)
			}
			m.node.OnChange(m.watch)
			if err = m.node.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
			select {
			case err = <-m.failed():
				if !tt.ends {
					t.Errorf("it ends: %v", err)
				}
			default:
				if tt.ends {
					t.Error("it stays")
				}
			}
		})
	}
}

func TestANodeThatCouldNotStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	m, s := joined(t, "")
	if len(m.node.Parts()) == 0 {
		t.Fatal("it has no parts")
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	err := s.View(t.Context(), func(r store.Reader) error {
		leases, err := r.Leases()
		for _, l := range leases {
			if l.Node != "" {
				t.Errorf("part %d is still its own", l.Part)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// joined returns the membership of a node, and the store that it shares.
func joined(t *testing.T, cluster string) (*membership, store.Store) {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Parts: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{Data: dir, Store: "of the test", Cluster: cluster}
	m, err := join(t.Context(), c, &folder{store: s, masterKey: []byte("a key")}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, s
}
