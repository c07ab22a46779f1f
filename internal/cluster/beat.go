package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
)

// Run says every beat that the node lives, and gives up and takes parts, until
// ctx ends. It does not leave: what works on the parts must come to rest first.
func (n *Node) Run(ctx context.Context) {
	n.mu.Lock()
	n.lapse = time.AfterFunc(n.cfg.TTL, n.tell) // whoever works on parts must hear that there are none
	n.mu.Unlock()
	defer n.lapse.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	work := make(chan struct{}, 1)
	// A change of leases waits for those who work on the parts, and must not keep
	// the node from saying that it lives.
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-work:
				_ = n.move(ctx) // logged; the next beat comes back to it
			}
		}
	})
	beat := time.NewTicker(n.cfg.Beat)
	defer beat.Stop()
	for {
		more, _ := n.renew(ctx) // an error is logged, and the next beat is another attempt
		if more {
			select {
			case work <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}

// Beat does once what Run does every beat, and returns when it is done.
func (n *Node) Beat(ctx context.Context) error {
	more, err := n.renew(ctx)
	if err == nil && more {
		err = n.move(ctx)
	}
	return err
}

// renewal is what a transaction that says that the node lives has found out.
type renewal struct {
	row  store.Node
	view view
}

// renew says that the node lives. It reports whether there is something to move.
func (n *Node) renew(ctx context.Context) (more bool, err error) {
	n.beating.Lock()
	defer n.beating.Unlock()
	n.mu.Lock()
	left, start, moves := n.left, n.local(), n.moves
	n.mu.Unlock()
	if left {
		return false, errLeft
	}
	// What was begun a TTL ago is worth nothing.
	ctx, cancel := context.WithTimeout(ctx, n.cfg.TTL)
	defer cancel()
	var r renewal
	err = n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		r, err = n.renewal(tx)
		if err != nil {
			return err
		}
		return tx.PutNode(r.row)
	})
	calm := n.renewedAt(start, moves, r, err)
	n.tell()
	return calm && !r.view.plan().none(), err
}

// renewal reads what there is, and decides on the node's own row. It may run
// again, so it changes nothing but the clock, which is right whatever becomes of
// the transaction.
func (n *Node) renewal(tx store.Tx) (r renewal, err error) {
	before := n.local()
	db, err := tx.Clock()
	if err != nil {
		return r, err
	}
	after := n.local()
	r.view, err = n.look(tx)
	if err != nil {
		return r, err
	}
	var floor int64
	for _, x := range r.view.nodes {
		floor = max(floor, x.SeenAt)
	}
	n.mu.Lock()
	old, away := n.row, n.away
	n.clock = n.clock.measured(before, after, ms(db), ms(floor))
	now, lead := n.clock.read(after), n.clock.lead(after)
	ahead := lead > tolerated
	if ahead && !n.ahead {
		n.cfg.Log.Warn("cluster: the clock of the database was set back: time goes at half speed until it has caught up", "node", n.id, "ahead", lead)
	}
	n.ahead = ahead
	n.mu.Unlock()
	r.view.now = now.Milliseconds()
	r.row = store.Node{
		ID: n.id, Slot: old.Slot, Address: n.cfg.Address, StartedAt: old.StartedAt,
		SeenAt: r.view.now, Until: (now + n.cfg.TTL).Milliseconds(),
	}
	me := r.view.node(n.id)
	if away || me == nil || r.view.now-me.SeenAt > (n.cfg.TTL-n.cfg.Beat).Milliseconds() {
		r.view.since = r.view.now
	}
	if me == nil || r.view.usurped(*me) {
		r.row.StartedAt = r.view.now
		r.row.Slot, err = n.chooseSlot(tx, r.view)
		if err != nil {
			return r, err
		}
	}
	r.view.put(r.row)
	return r, nil
}

// tolerated is by how much the time may be ahead of the database's without a word.
const tolerated = time.Second

// usurped reports whether the slot of a node that was away has been given to another.
func (v view) usurped(me store.Node) bool {
	return me.Until <= v.now && slices.ContainsFunc(v.nodes, func(n store.Node) bool {
		return n.ID != me.ID && n.Slot == me.Slot && n.StartedAt >= me.SeenAt
	})
}

// put replaces or adds a row.
func (v *view) put(row store.Node) {
	if n := v.node(row.ID); n != nil {
		*n = row
		return
	}
	v.nodes = append(v.nodes, row)
}

// chooseSlot returns a free slot. Two nodes that choose at the same moment must
// not both commit, so both write a row that everybody has: one begins again.
func (n *Node) chooseSlot(tx store.Tx, v view) (int, error) {
	slot, ok := v.slot()
	if !ok {
		return 0, apierr.New(apierr.LimitExceeded, "There are %d servers already.", slots)
	}
	return slot, tx.PutLease(v.leases[0])
}

// look reads what there is.
func (n *Node) look(tx store.Tx) (v view, err error) {
	n.mu.Lock()
	v = view{me: n.id, since: n.since, ttl: n.cfg.TTL.Milliseconds()}
	n.mu.Unlock()
	v.nodes, err = tx.Nodes()
	if err != nil {
		return v, err
	}
	v.leases, err = tx.Leases()
	if err == nil && len(v.leases) == 0 {
		err = fmt.Errorf("cluster: the store has no parts")
	}
	return v, err
}

// renewedAt takes over what a renewal that began at a local time has come to. It
// reports whether all is known: parts that change meanwhile may have been read
// before or after.
func (n *Node) renewedAt(start time.Duration, moves int, r renewal, err error) (calm bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		if !n.away {
			n.cfg.Log.Warn("cluster: cannot say that this node lives", "node", n.id, "err", err)
		}
		n.away = true
		return false
	}
	if n.away && n.row.ID != "" {
		n.cfg.Log.Info("cluster: back again", "node", n.id, "after", n.local()-n.renewed)
	}
	n.away, n.renewed, n.row, n.since = false, start, r.row, r.view.since
	if n.lapse != nil {
		n.lapse.Reset(start + n.cfg.TTL - n.local())
	}
	n.peers, n.dead = r.view.others(n.peers)
	n.lead = r.view.lead()
	calm = n.moves == moves && moves%2 == 0
	if calm {
		n.parts, n.withheld = r.view.owned(), nil
	}
	return calm
}

// owned returns the parts of the node that looks.
func (v view) owned() []Part {
	var ps []Part
	for _, l := range v.leases {
		if l.Node == v.me {
			ps = append(ps, Part{Part: l.Part, Fence: l.Fence})
		}
	}
	return ps
}

// lead returns the node that owns part 0, the first of all.
func (v view) lead() string {
	for _, l := range v.leases {
		if l.Part == 0 {
			return l.Node
		}
	}
	return ""
}

// others returns the other nodes that live and that are dead. One that is silent
// stays a peer if it was one.
func (v view) others(before []store.Node) (peers, gone []store.Node) {
	for _, x := range v.nodes {
		known := func(n store.Node) bool { return n.ID == x.ID }
		s := v.standing(x)
		switch {
		case x.ID == v.me:
		case s == alive, s == silent && slices.ContainsFunc(before, known):
			peers = append(peers, x)
		case s == dead:
			gone = append(gone, x)
		}
	}
	return peers, gone
}

// ms returns a stored time as a duration since the epoch.
func ms(t int64) time.Duration { return time.Duration(t) * time.Millisecond }
