package peers

import (
	"time"

	"muster/internal/cluster"
)

// receiveControl takes what another node tells of itself.
func (p *Peers) receiveControl(m cluster.Message) error {
	c := &cursor{b: m.Data}
	h := c.header()
	if c.bad {
		return errMalformed
	}
	n, lost := p.listen(h, c)
	if lost {
		p.ask(n)
	}
	switch h.kind {
	case kindState, kindChange:
		p.mu.Lock()
		report := p.report(n)
		p.mu.Unlock()
		p.tellLoose(n, kindReport, report)
	case kindAsk:
		p.mu.Lock()
		n.owed = true
		p.mu.Unlock()
		p.wake()
	case kindAdopted:
		p.Recheck()
	case kindBye:
		p.mu.Lock()
		p.hasty = true // it has released its sessions
		p.mu.Unlock()
		nudge(p.survey)
	}
	return c.err()
}

// listen takes over what a node tells of its filters. It reports whether something
// that it has told was lost.
func (p *Peers) listen(h header, c *cursor) (n *node, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = p.heard(h)
	if h.number != 0 {
		begins := h.kind == kindState && len(c.b) > 0 && c.b[0]&stateFirst != 0
		lost = h.number != n.control.came+1 && !begins
		n.control.came = h.number
	}
	if lost {
		n.synced, n.building = false, nil
		p.changed()
	}
	switch h.kind {
	case kindState:
		p.readState(n, c)
	case kindChange:
		p.readChange(n, c)
	case kindBeat, kindReport:
		p.readReport(n, c)
	}
	return n, lost
}

// heard notes that a node has sent something. The lock must be held.
func (p *Peers) heard(h header) *node {
	n := p.named(h.from)
	n.heard, n.left = time.Now(), h.kind == kindBye
	return n
}

// receiveData takes a message of a client of another node.
func (p *Peers) receiveData(m cluster.Message) error {
	c := &cursor{b: m.Data}
	h := c.header()
	if c.bad {
		return errMalformed
	}
	p.mu.Lock()
	n := p.heard(h)
	if h.number != n.data.came+1 && n.data.came != 0 {
		p.reload = true // it may have been one to be retained
	}
	n.data.came = h.number
	p.mu.Unlock()
	p.metrics.received.Inc()
	switch h.kind {
	case kindPublish:
		return p.readPublish(n, c)
	case kindHand:
		return p.readHand(c)
	}
	return nil
}
