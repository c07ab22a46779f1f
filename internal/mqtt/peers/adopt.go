package peers

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"muster/internal/mqtt"
)

const (
	// reloadRest is how many beats pass at least before retained messages are read
	// again: a node that gets more than it can take misses some all the time.
	reloadRest = 10
	// reclaimRest is how many beats pass at least before sessions are looked for that
	// are this node's and not known here, or before those are taken that were found:
	// longer than one is on its way. reclaimEvery is how many pass at most, in case
	// that nobody has noticed that there may be some.
	reclaimRest  = 5
	reclaimEvery = 300
	// careWait bounds a round of care.
	careWait = time.Minute
	// strangerAge is how long sessions may belong to a node that is neither alive
	// nor dead, such as one that has only just joined, before they are adopted.
	strangerAge = 30 * time.Second
	// heirAge is how long nodes have for their shares before others take them, too.
	heirAge = 2 * strangerAge
)

// care looks after sessions that nobody looks after, when there may be some.
func (p *Peers) care() {
	nudge(p.survey)
	for {
		select {
		case <-p.closing.Done():
			return
		case <-p.survey:
		}
		ctx, cancel := context.WithTimeout(p.closing, careWait)
		p.careOnce(ctx)
		cancel()
	}
}

func (p *Peers) careOnce(ctx context.Context) {
	now := time.Now()
	p.mu.Lock()
	verify, strays := p.verify, p.strays(now)
	reload := p.reload && now.Sub(p.reloaded) > reloadRest*p.cfg.Beat
	p.verify = false
	if reload {
		p.reload, p.reloaded = false, now
	}
	p.mu.Unlock()
	if verify && !p.done(ctx, "sessions cannot be verified", p.server.Verify(ctx)) {
		p.Recheck()
	}
	if reload && !p.done(ctx, "retained messages cannot be read", p.server.ReloadRetained(ctx)) {
		p.mu.Lock()
		p.reload = true
		p.mu.Unlock()
	}
	if strays {
		p.reclaim(ctx)
	}
	ok := p.done(ctx, "sessions cannot be adopted", p.adopt(ctx))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.surveyed = p.surveyed || ok
	p.changed()
}

// strays reports whether it is time to look for sessions that are this node's and
// not known here. The lock must be held.
func (p *Peers) strays(now time.Time) bool {
	rest := reclaimEvery * p.cfg.Beat
	if p.stray || len(p.lone) > 0 {
		rest = reclaimRest * p.cfg.Beat
	}
	if now.Sub(p.reclaimed) < rest {
		return false
	}
	p.stray, p.reclaimed = false, now
	return true
}

// reclaim looks for such sessions, and takes those that were found the last time.
func (p *Peers) reclaim(ctx context.Context) {
	found, err := p.server.Reclaim(ctx, func(clientID string) bool { return p.lone[clientID] })
	if !p.done(ctx, "sessions cannot be reclaimed", err) {
		p.Stray()
	}
	p.lone = make(map[string]bool, len(found))
	for _, id := range found {
		p.lone[id] = true
	}
}

// Stray implements mqtt.Peers.
func (p *Peers) Stray() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stray = true
}

// done reports whether there was no error, and else reports that.
func (p *Peers) done(ctx context.Context, what string, err error) bool {
	if err != nil && ctx.Err() == nil {
		p.log.Warn("mqtt: "+what, "err", err)
	}
	return err == nil
}

// Recheck makes this node make sure that its sessions are still its own. It is to
// be called when others may have taken it for dead.
func (p *Peers) Recheck() {
	p.mu.Lock()
	p.verify = true
	p.mu.Unlock()
	nudge(p.survey)
}

// adopt adopts sessions of nodes that are not alive, and forgets those of whom
// nothing is left.
func (p *Peers) adopt(ctx context.Context) error {
	alive := p.cfg.Alive()
	owners, err := p.server.Owners(ctx)
	if err != nil {
		return err
	}
	owners = slices.DeleteFunc(owners, func(id string) bool { return id == p.cfg.Node || slices.Contains(alive, id) })
	maps.DeleteFunc(p.orphaned, func(id string, _ time.Time) bool { return !slices.Contains(owners, id) })
	left := 0
	for _, owner := range owners {
		_, known := p.orphaned[owner]
		if !known {
			p.orphaned[owner] = time.Now()
		}
		heirs := alive
		if time.Since(p.orphaned[owner]) > heirAge {
			heirs = nil
		}
		n := 0
		if owner == "" {
			n, err = p.adoptReleased(ctx, heirs)
		} else {
			n, err = p.adoptFrom(ctx, owner, heirs, !known)
		}
		if err != nil {
			return err
		}
		left += n
	}
	if !slices.Contains(owners, "") {
		p.keepReleased(nil, nil)
	}
	if left > 0 {
		return nil
	}
	return p.forget(ctx)
}

// adoptReleased adopts this node's share of the sessions that nobody owns. One
// that was released a moment ago is on its way to the node that has claimed it, so
// it is left alone at first. How many stay is returned.
func (p *Peers) adoptReleased(ctx context.Context, heirs []string) (left int, err error) {
	p.mu.Lock()
	hasty := p.hasty
	p.mu.Unlock()
	filters, released := make(map[string]mqtt.Level), make(map[string]bool)
	left, err = p.server.Adopt(ctx, "", func(clientID string) bool {
		released[clientID] = true
		return (hasty || p.released[clientID]) && heir(clientID, p.cfg.Node, heirs)
	}, func(filter string) { p.stand(filters, filter) })
	if err != nil {
		return left, err
	}
	p.keepReleased(filters, released)
	return left, nil
}

// stand notes a filter of a session, and what it stands for.
func (p *Peers) stand(filters map[string]mqtt.Level, filter string) {
	if !p.announced(filter) {
		return
	}
	filters[filter] = mqtt.Kept
	for _, topic := range p.implied(filter) {
		filters[topic] = mqtt.Kept
	}
}

// keepReleased remembers which sessions nobody owns. Their filters stand for a
// while longer: until whoever adopts them has said so, see mqtt.Peers.Inherit.
func (p *Peers) keepReleased(filters map[string]mqtt.Level, released map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasty, p.released = false, released
	n := p.nodes[Nobody]
	if n == nil && len(filters) == 0 {
		return
	}
	now := time.Now()
	stand, adopted := maps.Clone(filters), make(map[string]time.Time)
	if stand == nil {
		stand = make(map[string]mqtt.Level)
	}
	n = p.named(Nobody)
	for filter := range n.filters {
		if filters[filter] != mqtt.Absent {
			continue
		}
		since, ok := p.adopted[filter]
		if !ok {
			since = now
		}
		if now.Sub(since) < linger {
			stand[filter], adopted[filter] = mqtt.Kept, since
		}
	}
	p.adopted = adopted
	p.replace(n, stand)
}

// adoptFrom adopts this node's share of the sessions of one that is not alive, and
// returns how many it has left to others. All are left if nobody knows that node:
// it may have joined a moment ago. They are looked at only the first time then.
func (p *Peers) adoptFrom(ctx context.Context, owner string, heirs []string, first bool) (left int, err error) {
	dead := slices.Contains(p.cfg.Dead(), owner)
	ripe := dead || time.Since(p.orphaned[owner]) > strangerAge
	p.mu.Lock()
	n := p.named(owner)
	n.listed = time.Now()
	met := n.met
	p.mu.Unlock()
	if !ripe && !first {
		return 1, nil
	}
	filters := make(map[string]mqtt.Level)
	taken := 0
	left, err = p.server.Adopt(ctx, owner, func(clientID string) bool {
		mine := ripe && heir(clientID, p.cfg.Node, heirs)
		if mine {
			taken++
		}
		return mine
	}, func(filter string) { p.stand(filters, filter) })
	if err != nil {
		return left, err
	}
	p.mu.Lock()
	for filter := range filters { // until whoever adopts them says so
		if dead || !met {
			p.set(n, filter, max(n.filters[filter], mqtt.Kept))
		}
	}
	p.mu.Unlock()
	if taken > 0 {
		p.log.Info("mqtt: sessions adopted", "from", owner, "sessions", taken)
		p.tellLoose(n, kindAdopted, nil) // in case that it lives after all
	}
	return left, nil
}

// heir reports whether me is the node that adopts a client's session: the one of
// all that live with the greatest hash of both, so that nobody else's share changes
// when one comes or goes.
func heir(clientID, me string, others []string) bool {
	own := weight(clientID, me)
	for _, id := range others {
		if w := weight(clientID, id); w > own || w == own && id > me {
			return false
		}
	}
	return true
}

func weight(clientID, node string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(clientID))
	w := h.Sum64()
	w ^= w >> 33 // the last bytes of what was hashed shall count as much as the first
	w *= 0xff51afd7ed558ccd
	return w ^ w>>33
}

// forget forgets the dead nodes that own no sessions any more.
func (p *Peers) forget(ctx context.Context) error {
	dead := p.cfg.Dead()
	if len(dead) == 0 || p.cfg.Forget == nil {
		return nil
	}
	owners, err := p.server.Owners(ctx) // after all that was adopted
	if err != nil {
		return err
	}
	if slices.Contains(owners, "") {
		return nil // they may have been released by one of the dead
	}
	for _, id := range dead {
		if slices.Contains(owners, id) {
			continue
		}
		if err := p.cfg.Forget(ctx, id); err != nil {
			return err
		}
	}
	p.look()
	return nil
}
