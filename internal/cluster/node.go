package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
)

// Updater is what a node needs of a store.
type Updater interface {
	Update(ctx context.Context, fn func(store.Tx) error) error
}

// Config says how a node takes part. Only Store is needed.
type Config struct {
	Store Updater
	// ID is what this node is called, a token of a subject that no node was called
	// before; empty makes one.
	ID string
	// Address is where others reach this node's bus, or empty.
	Address string
	// Beat is how often the node says that it lives; 0 is 1 s.
	Beat time.Duration
	// TTL is how long it is believed without being heard of again; 0 is 5 s. It
	// must be three beats at least.
	TTL time.Duration
	// Log is told who comes and goes; nil discards.
	Log *slog.Logger
	// Now is the clock of the machine; nil is time.Now. Only differences count,
	// so it may be wrong, but must not be set while the node runs: time.Now has a
	// monotonic reading.
	Now func() time.Time
}

// Part is a part of the store that a node works on.
type Part struct {
	Part int
	// Fence is to be shown to store.UpdatePart.
	Fence int64
}

// Node is this server as a member of a cluster. It is safe for concurrent use.
type Node struct {
	cfg   Config
	id    string
	start time.Time // 0 of the local clock

	beating sync.Mutex // held by the transactions that write the node's own row
	moving  sync.Mutex // held by those that write leases

	mu       sync.Mutex
	clock    clock         // guarded by mu
	row      store.Node    // guarded by mu: as last written
	since    int64         // guarded by mu: see view
	away     bool          // guarded by mu: the last renewal has failed
	left     bool          // guarded by mu
	ahead    bool          // guarded by mu: time goes slowly
	renewed  time.Duration // guarded by mu: local time at which the last successful renewal began
	parts    []Part        // guarded by mu: owned as of then, or since
	withheld map[int]bool  // guarded by mu: being given up
	moves    int           // guarded by mu: how often a move has begun or ended: odd while one is under way
	lead     string        // guarded by mu: the owner of part 0, as far as is known
	peers    []store.Node  // guarded by mu
	dead     []store.Node  // guarded by mu
	watchers []func()      // guarded by mu
	lapse    *time.Timer   // guarded by mu: see Run

	telling sync.Mutex
	told    state // guarded by telling
}

// Join makes this server a member of a cluster: it gets an id and a slot, and
// knows the time. It owns nothing until Run or Beat.
func Join(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Beat == 0 {
		cfg.Beat = time.Second
	}
	if cfg.TTL == 0 {
		cfg.TTL = 5 * time.Second
	}
	if cfg.Beat < 0 || cfg.TTL < 3*cfg.Beat {
		return nil, errors.New("cluster: the time to live must be three beats at least")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	n := &Node{cfg: cfg, id: cmp.Or(cfg.ID, rand.Text()), start: cfg.Now(), away: true}
	_, err := n.renew(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Log.Info("cluster: joined", "node", n.id, "slot", n.Slot(), "peers", len(n.Peers()))
	return n, nil
}

// ID returns the id of this node. It never changes.
func (n *Node) ID() string { return n.id }

// Slot returns a number from 0 to 1023 that no other node has, or has had for an
// hour. It changes if the node was away for so long that it was forgotten.
func (n *Node) Slot() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.row.Slot
}

// StartedAt returns when this node has joined, in milliseconds of the cluster
// clock. It changes with Slot.
func (n *Node) StartedAt() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.row.StartedAt
}

// Now returns the time of the cluster: that of the database, whatever the clock
// of this machine says. It never goes back.
func (n *Node) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Unix(0, int64(n.clock.read(n.local())))
}

// Parts returns the parts that this node works on now, in order. There are none
// while the node has not said for TTL that it lives, since others may have taken
// them. It must be asked anew for each round of work.
func (n *Node) Parts() []Part {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current()
}

func (n *Node) current() []Part {
	if n.left || n.local()-n.renewed >= n.cfg.TTL {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.parts), func(p Part) bool { return n.withheld[p.Part] })
}

// Leader reports whether this node owns part 0: it does what one node does for all.
func (n *Node) Leader() bool {
	ps := n.Parts()
	return len(ps) > 0 && ps[0].Part == 0
}

// Lead returns the id of the node that owns part 0, or nothing if nobody does. It
// may be a beat old: only Leader is what the node may act on.
func (n *Node) Lead() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lead
}

// Peers returns the other nodes that live, by id. While the database cannot be
// reached they are those that lived before.
func (n *Node) Peers() []store.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.peers)
}

// Dead returns the nodes that have gone, by id, and were not forgotten yet.
func (n *Node) Dead() []store.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dead)
}

// OnChange makes the node call fn when what Parts, Peers, Dead or Slot return
// has changed. Calls come one after another; fn must not block.
func (n *Node) OnChange(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watchers = append(n.watchers, fn)
}

// Forget says that everything that a dead node has left has been taken care of:
// Dead no longer returns it, on any node. One that has come back is not forgotten.
func (n *Node) Forget(ctx context.Context, id string) error {
	err := n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		nodes, err := tx.Nodes()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(nodes, func(x store.Node) bool { return x.ID == id })
		if i < 0 || nodes[i].Until == 0 || nodes[i].Until > n.Now().UnixMilli() {
			return nil
		}
		nodes[i].Until = 0
		return tx.PutNode(nodes[i])
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.dead = slices.DeleteFunc(slices.Clone(n.dead), func(x store.Node) bool { return x.ID == id })
	n.mu.Unlock()
	n.tell()
	return nil
}

// errLeft is returned by a node that has left.
var errLeft = apierr.New(apierr.Unavailable, "This server has left the cluster.")

// local returns the local time.
func (n *Node) local() time.Duration { return n.cfg.Now().Sub(n.start) }
