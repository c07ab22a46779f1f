package cluster_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/cluster"
	"muster/internal/store"
)

// database is a store in memory that isolates as PostgreSQL does in REPEATABLE
// READ: a transaction reads one snapshot, and runs again if somebody else has
// written a row that it writes. Its faults are those of a database.
type database struct {
	mu     sync.Mutex
	nodes  map[string]versioned[store.Node] // guarded by mu
	leases []versioned[store.Lease]         // guarded by mu
	clock  func() time.Time                 // guarded by mu
	down   error                            // guarded by mu: returned by all
	silent bool                             // guarded by mu: commits, and says that it did not
	locked chan struct{}                    // guarded by mu: PutLease waits until it is closed

	// meanwhile, if not nil, is called before each commit.
	meanwhile func() // guarded by mu
}

// versioned is a row, with a number that changes whenever it is written.
type versioned[T any] struct {
	row     T
	version int
}

func newDatabase(parts int, clock func() time.Time) *database {
	d := &database{nodes: make(map[string]versioned[store.Node]), clock: clock}
	for part := range parts {
		d.leases = append(d.leases, versioned[store.Lease]{row: store.Lease{Part: part}})
	}
	return d
}

// set changes the database's condition.
func (d *database) set(change func(*database)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// owners returns the leases.
func (d *database) owners() []store.Lease {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ls []store.Lease
	for _, l := range d.leases {
		ls = append(ls, l.row)
	}
	return ls
}

// rows returns the nodes, by id.
func (d *database) rows() []store.Node {
	ns, _ := d.begin().Nodes() // of a snapshot: no error
	return ns
}

var errDown = apierr.New(apierr.Unavailable, "The database cannot be reached.")

// Update implements cluster.Updater.
func (d *database) Update(ctx context.Context, fn func(store.Tx) error) error {
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t := d.begin()
		if t.down != nil {
			return t.down
		}
		err := fn(t)
		if err != nil {
			return err
		}
		if t.meanwhile != nil {
			t.meanwhile()
		}
		ok, err := t.commit()
		if ok {
			return err
		}
	}
}

func (d *database) begin() *dbTx {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &dbTx{
		d: d, nodes: maps.Clone(d.nodes), leases: slices.Clone(d.leases), down: d.down, meanwhile: d.meanwhile, locked: d.locked,
		wroteNode: make(map[string]bool), wroteLease: make(map[int]bool),
	}
}

// dbTx is a transaction on a snapshot.
type dbTx struct {
	store.Tx   // not implemented
	d          *database
	nodes      map[string]versioned[store.Node]
	leases     []versioned[store.Lease]
	wroteNode  map[string]bool
	wroteLease map[int]bool
	down       error
	meanwhile  func()
	locked     chan struct{}
}

// commit reports whether nobody else was first.
func (t *dbTx) commit() (bool, error) {
	d := t.d
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range t.wroteNode {
		if d.nodes[id].version != t.nodes[id].version {
			return false, nil
		}
	}
	for part := range t.wroteLease {
		if d.leases[part].version != t.leases[part].version {
			return false, nil
		}
	}
	for id := range t.wroteNode {
		n := t.nodes[id]
		n.version++
		d.nodes[id] = n // a deleted one keeps its version
	}
	for part := range t.wroteLease {
		d.leases[part] = t.leases[part]
		d.leases[part].version++
	}
	if d.down != nil {
		return true, d.down
	}
	if d.silent {
		return true, errDown
	}
	return true, nil
}

func (t *dbTx) Clock() (int64, error) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	return t.d.clock().UnixMilli(), nil
}

func (t *dbTx) Nodes() ([]store.Node, error) {
	var ns []store.Node
	for _, id := range slices.Sorted(maps.Keys(t.nodes)) {
		if t.nodes[id].row.ID != "" {
			ns = append(ns, t.nodes[id].row)
		}
	}
	return ns, nil
}

func (t *dbTx) Leases() ([]store.Lease, error) {
	var ls []store.Lease
	for _, l := range t.leases {
		ls = append(ls, l.row)
	}
	return ls, nil
}

func (t *dbTx) PutNode(n store.Node) error {
	t.nodes[n.ID] = versioned[store.Node]{n, t.nodes[n.ID].version}
	t.wroteNode[n.ID] = true
	return nil
}

func (t *dbTx) DeleteNode(id string) error {
	t.nodes[id] = versioned[store.Node]{version: t.nodes[id].version}
	t.wroteNode[id] = true
	return nil
}

func (t *dbTx) PutLease(l store.Lease) error {
	if t.locked != nil {
		<-t.locked
	}
	if l.Fence < t.leases[l.Part].row.Fence {
		return apierr.New(apierr.Conflict, "Part %d has been taken over.", l.Part)
	}
	t.leases[l.Part].row = l
	t.wroteLease[l.Part] = true
	return nil
}

func TestDatabaseIsolatesAsPostgres(t *testing.T) {
	t.Parallel()
	d := newDatabase(1, time.Now)
	runs := 0
	err := d.Update(t.Context(), func(tx store.Tx) error {
		runs++
		if runs == 1 {
			err := d.Update(t.Context(), func(tx store.Tx) error { return tx.PutLease(store.Lease{Fence: 4}) })
			if err != nil {
				return err
			}
		}
		ls, err := tx.Leases()
		return errors.Join(err, tx.PutLease(store.Lease{Fence: ls[0].Fence + 1}))
	})
	if err != nil || runs != 2 || d.owners()[0].Fence != 5 {
		t.Errorf("%d runs, error %v, fence %d, want 2, none, 5", runs, err, d.owners()[0].Fence)
	}
}

var _ cluster.Updater = (*database)(nil)
