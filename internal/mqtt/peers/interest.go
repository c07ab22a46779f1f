package peers

import (
	"encoding/binary"
	"strings"

	"muster/internal/mqtt"
)

// entry is the interest of the clients here in a filter.
type entry struct {
	kept, online int32
	told         mqtt.Level // to the others
	dirty        bool       // it waits to be told
	edition      uint64     // in which the others were told that there is any
	safe         int64      // until when nobody relies on others to know that; see since
}

func (e entry) level() mqtt.Level {
	switch {
	case e.online > 0:
		return mqtt.Online
	case e.kept > 0:
		return mqtt.Kept
	}
	return mqtt.Absent
}

// Interest implements mqtt.Peers.
func (p *Peers) Interest(filter string, change mqtt.Interest) {
	if !p.announced(filter) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(filter, change)
	for _, topic := range p.implied(filter) {
		p.count(topic, mqtt.Interest{Kept: change.Kept})
	}
}

// announced reports whether others are told of a filter.
func (p *Peers) announced(filter string) bool {
	return p.cfg.Announce == nil || p.cfg.Announce(levels(filter))
}

// implied returns the topics that a filter stands for.
func (p *Peers) implied(filter string) []string {
	if p.cfg.Implies == nil {
		return nil
	}
	return p.cfg.Implies(filter)
}

// count adds to the interest in a filter. The lock must be held.
func (p *Peers) count(filter string, change mqtt.Interest) {
	e, ok := p.interest[filter]
	if !ok {
		e.safe = unsettled
	}
	e.kept += int32(change.Kept)
	e.online += int32(change.Online)
	if e.level() != e.told && !e.dirty {
		e.dirty = true
		p.dirty = append(p.dirty, filter)
		p.wake()
	}
	p.put(filter, e)
}

// put stores the interest in a filter, if there is any. The lock must be held.
func (p *Peers) put(filter string, e entry) {
	if e.kept == 0 && e.online == 0 && e.told == mqtt.Absent && !e.dirty {
		delete(p.interest, filter)
		return
	}
	p.interest[filter] = e
}

// levels returns a filter without $share.
func levels(filter string) string {
	rest, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return filter
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}

// maxState is how many bytes of filters go in one message, about.
const maxState = 128 << 10

// announce tells the others which filters have changed, and those who want to know
// all of them. It is called by one goroutine.
func (p *Peers) announce() {
	p.mu.Lock()
	changes := p.changes()
	var told, owed []*node
	for _, n := range p.nodes {
		switch {
		case n.id == Nobody:
		case n.owed:
			n.owed, n.told = false, true
			owed = append(owed, n)
		case n.told:
			told = append(told, n)
		}
	}
	var state [][]byte
	fresh, edition := p.fresh, p.edition
	if len(owed) > 0 {
		state = p.state()
	}
	p.settle()
	p.mu.Unlock()
	for _, n := range told {
		for _, body := range changes {
			p.tell(n, kindChange, body)
		}
	}
	for _, n := range owed {
		p.tellAll(n, state, edition, fresh)
	}
}

// changes returns the editions with what has changed since the last one, and lets
// those know who wait for them. The lock must be held.
func (p *Peers) changes() [][]byte {
	if len(p.dirty) == 0 {
		return nil
	}
	var all [][]byte
	b := p.nextEdition()
	for _, filter := range p.dirty {
		if len(b) > maxState {
			all = append(all, b)
			b = p.nextEdition()
		}
		e := p.interest[filter]
		e.dirty = false
		if l := e.level(); l != e.told {
			if e.told == mqtt.Absent {
				e.edition = p.edition
				p.remember(filter)
			}
			e.told = l
			b = appendFilter(b, filter, l)
		}
		p.put(filter, e)
	}
	p.dirty = nil
	for _, w := range p.settling {
		if w.edition == 0 {
			w.edition = p.edition
		}
	}
	return append(all, b)
}

// nextEdition begins a message of filters. The lock must be held.
func (p *Peers) nextEdition() []byte {
	p.edition++
	return binary.AppendUvarint(nil, p.edition)
}

func appendFilter(b []byte, filter string, l mqtt.Level) []byte {
	return appendText(append(b, byte(l)), filter)
}

// state returns all filters that have been told, in some parts. The lock must be held.
func (p *Peers) state() [][]byte {
	var b []byte
	var all [][]byte
	for filter, e := range p.interest {
		if e.told == mqtt.Absent {
			continue
		}
		if len(b) > maxState {
			all, b = append(all, b), nil
		}
		b = appendFilter(b, filter, e.told)
	}
	return append(all, b)
}

// tellAll tells a node all filters as of an edition.
func (p *Peers) tellAll(n *node, state [][]byte, edition uint64, fresh bool) {
	p.mu.Lock()
	answer := !n.synced
	p.mu.Unlock()
	for i, part := range state {
		flags := flag(i == 0, stateFirst) | flag(i == len(state)-1, stateLast) | flag(fresh, stateFresh) | flag(answer, stateAnswer)
		p.tell(n, kindState, append(binary.AppendUvarint([]byte{flags}, edition), part...))
	}
}

// readState takes over what a node tells of its filters. The lock must be held.
func (p *Peers) readState(n *node, c *cursor) {
	flags, edition := c.byte(), c.uint()
	if flags&stateFirst != 0 {
		n.building = make(map[string]mqtt.Level)
	}
	if n.building == nil {
		return // the beginning was lost
	}
	for len(c.b) > 0 && !c.bad {
		l := mqtt.Level(c.byte())
		n.building[c.text()] = l
	}
	if flags&stateLast == 0 || c.bad {
		return
	}
	p.replace(n, n.building)
	n.building, n.synced = nil, true
	n.ours.have = edition
	if !n.met && (p.fresh || n.early && n.alive) {
		n.ours.base = edition // nothing was done without it so far
	}
	if !n.met && flags&stateFresh == 0 {
		n.missed = 1 // it had clients before it knew of us: tell it all of ours
	}
	n.met = true
	if flags&stateAnswer != 0 {
		n.owed = true
		p.wake()
	}
	p.changed()
}

// readChange takes over which filters of a node have changed. The lock must be held.
func (p *Peers) readChange(n *node, c *cursor) {
	edition := c.uint()
	for len(c.b) > 0 && !c.bad {
		l := mqtt.Level(c.byte())
		filter := c.text()
		if n.synced && !c.bad { // else all of them will come
			p.set(n, filter, l)
		}
	}
	if n.synced && !c.bad {
		n.ours.have = max(n.ours.have, edition)
	}
	p.changed()
}

// replace makes filters those of a node. The lock must be held.
func (p *Peers) replace(n *node, filters map[string]mqtt.Level) {
	for filter := range n.filters {
		if filters[filter] == mqtt.Absent {
			p.set(n, filter, mqtt.Absent)
		}
	}
	for filter, l := range filters {
		p.set(n, filter, l)
	}
}

// set notes what a node has to do with a filter. The lock must be held.
func (p *Peers) set(n *node, filter string, l mqtt.Level) {
	was := n.filters[filter]
	if was == l || !p.routes.Set(filter, n, l) {
		return
	}
	if l == mqtt.Absent {
		delete(n.filters, filter)
	} else {
		n.filters[filter] = l
	}
	if was != mqtt.Online && l != mqtt.Online {
		return
	}
	p.online.Lock()
	defer p.online.Unlock()
	if l == mqtt.Online {
		p.online.nodes[filter]++
	} else if p.online.nodes[filter]--; p.online.nodes[filter] == 0 {
		delete(p.online.nodes, filter)
	}
}

// Online implements mqtt.Peers.
func (p *Peers) Online(filter string) bool {
	p.online.RLock()
	defer p.online.RUnlock()
	return p.online.nodes[filter] > 0
}

// Wanted implements mqtt.Peers.
func (p *Peers) Wanted(topic string) bool { return p.routes.Any(topic) }
