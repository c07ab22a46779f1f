package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"muster/internal/store"
)

// move gives up and takes parts, as planned on what is there at the moment.
func (n *Node) move(ctx context.Context) error {
	n.moving.Lock()
	defer n.moving.Unlock()
	if !n.begin() {
		return errLeft
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.TTL)
	defer cancel()
	var v view
	var m moves
	err := n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		v, err = n.look(tx)
		if err != nil {
			return err
		}
		v.now = n.Now().UnixMilli()
		m = v.plan()
		n.withhold(m.leases)
		return m.write(tx)
	})
	n.end(v, m, err)
	n.tell()
	return err
}

// begin says that parts are about to change.
func (n *Node) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left {
		return false
	}
	n.moves++
	return true
}

// withhold makes Parts keep quiet about parts before they are given up.
func (n *Node) withhold(leases []store.Lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.withheld = make(map[int]bool)
	for _, l := range leases {
		if l.Node == "" {
			n.withheld[l.Part] = true
		}
	}
}

// end takes over what has come of a move. After an error nobody knows: the next
// renewal will tell.
func (n *Node) end(v view, m moves, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.moves++
	if err != nil {
		n.cfg.Log.Warn("cluster: cannot change parts", "node", n.id, "err", err)
		return
	}
	before := len(v.owned())
	for _, l := range m.leases {
		v.leases[slices.IndexFunc(v.leases, func(x store.Lease) bool { return x.Part == l.Part })] = l
	}
	n.parts, n.withheld, n.lead = v.owned(), nil, v.lead()
	n.cfg.Log.Info("cluster: parts changed", "node", n.id, "before", before, "after", len(n.parts), "from", len(m.from))
}

// write makes the changes. All writers of leases go by part, and write nodes
// last, so that they do not block each other.
func (m moves) write(tx store.Tx) error {
	for _, l := range m.leases {
		err := tx.PutLease(l)
		if err != nil {
			return err
		}
	}
	slices.SortFunc(m.from, func(a, b store.Node) int { return cmp.Compare(a.ID, b.ID) })
	for _, x := range m.from {
		err := tx.PutNode(x)
		if err != nil {
			return err
		}
	}
	for _, id := range m.purge {
		err := tx.DeleteNode(id)
		if err != nil {
			return err
		}
	}
	return nil
}

// Leave gives up all parts and says that the node has gone, so that others take
// over at once. Nothing may be at work on the parts any more. After an error it
// may be tried again; if it is not, others take over when the node's time is up.
func (n *Node) Leave(ctx context.Context) error {
	n.moving.Lock()
	defer n.moving.Unlock()
	n.beating.Lock()
	defer n.beating.Unlock()
	n.mu.Lock()
	n.left = true
	n.mu.Unlock()
	n.tell()
	return Bury(ctx, n.cfg.Store, n.id)
}

// Bury says that a node has gone, so that others take over at once. Whoever calls
// it must know for certain. It does nothing if there is no such node.
func Bury(ctx context.Context, s Updater, id string) error {
	return s.Update(ctx, func(tx store.Tx) error {
		nodes, err := tx.Nodes()
		if err != nil {
			return err
		}
		leases, err := tx.Leases()
		if err != nil {
			return err
		}
		var m moves
		for _, l := range leases {
			if l.Node == id {
				m.leases = append(m.leases, store.Lease{Part: l.Part, Fence: l.Fence})
			}
		}
		for _, n := range nodes {
			if n.ID == id && n.Until > n.SeenAt {
				n.Until = n.SeenAt
				m.from = append(m.from, n)
			}
		}
		return m.write(tx)
	})
}

// state is what OnChange is about.
type state struct {
	slot        int
	parts       []Part
	peers, dead map[string]string // id to address
}

// tell calls those who want to know of changes, if there are any.
func (n *Node) tell() {
	n.telling.Lock()
	defer n.telling.Unlock()
	n.mu.Lock()
	s := state{slot: n.row.Slot, parts: n.current(), peers: addresses(n.peers), dead: addresses(n.dead)}
	watchers := slices.Clone(n.watchers)
	n.mu.Unlock()
	if s.same(n.told) {
		return
	}
	if !maps.Equal(s.peers, n.told.peers) || !maps.Equal(s.dead, n.told.dead) {
		n.cfg.Log.Info("cluster: members changed", "node", n.id, "peers", slices.Sorted(maps.Keys(s.peers)), "dead", slices.Sorted(maps.Keys(s.dead)))
	}
	n.told = s
	for _, fn := range watchers {
		fn()
	}
}

func (s state) same(t state) bool {
	return s.slot == t.slot && slices.Equal(s.parts, t.parts) && maps.Equal(s.peers, t.peers) && maps.Equal(s.dead, t.dead)
}

func addresses(nodes []store.Node) map[string]string {
	m := make(map[string]string, len(nodes))
	for _, x := range nodes {
		m[x.ID] = x.Address
	}
	return m
}
