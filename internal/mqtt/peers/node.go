package peers

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/mqtt"
)

// node is another node, or Nobody.
type node struct {
	id      string
	control stream // of what nodes tell of themselves
	data    stream // of messages of clients

	// last is the number of the last message that was published there and has been
	// delivered here.
	last atomic.Uint64

	// Guarded by the lock of the peers.
	alive, dead bool
	listed      time.Time             // when it was last one of these
	heard       time.Time             // when it was last heard of, or has come up
	left        bool                  // it has said goodbye
	met         bool                  // it has told its filters once
	early       bool                  // it was there before this node worked on anything
	synced      bool                  // filters are what it has told
	asked       time.Time             // when it was last asked for its filters
	filters     map[string]mqtt.Level // that it has told
	building    map[string]mqtt.Level // that it is telling now
	owed        bool                  // it wants to be told all filters
	told        bool                  // it has been told all filters
	missed      int64                 // the first stamp of a claim that it may have missed; 0 if it has missed none
	catchingUp  bool                  // it is told now what it has missed
	ours        view                  // what is known here of its filters
	theirs      view                  // what it knows of the filters here, as far as reported
	behind      bool                  // it was waited for in vain
}

// stream is what is sent between two nodes in order, on one subject.
type stream struct {
	out  sync.Mutex
	sent uint64 // guarded by out: the number of the last message to the other one

	came uint64 // guarded by the lock of the peers: that of the last one from there
}

// patience is how many beats a node may miss before nobody waits for it any more.
const patience = 3

// linger is how long the filters of a node that has gone stand: until all know
// where its sessions are.
const linger = 5 * time.Second

// silent reports whether nobody waits for the node. The lock must be held.
func (p *Peers) silent(n *node) bool {
	return n.left || time.Since(n.heard) > patience*p.cfg.Beat
}

// named returns a node, known from now on. The lock must be held.
func (p *Peers) named(id string) *node {
	n := p.nodes[id]
	if n == nil {
		now := time.Now()
		p.terms++
		n = &node{id: id, heard: now, listed: now, owed: true, filters: make(map[string]mqtt.Level), early: p.fresh}
		n.ours.term = p.terms
		p.nodes[id] = n
		if id != Nobody {
			p.log.Info("mqtt: another node has come", "node", id)
		}
		p.wake()
	}
	return n
}

// all returns the nodes, but for Nobody.
func (p *Peers) all() []*node {
	p.mu.Lock()
	defer p.mu.Unlock()
	ns := make([]*node, 0, len(p.nodes))
	for _, n := range p.nodes {
		if n.id != Nobody {
			ns = append(ns, n)
		}
	}
	return ns
}

// look finds out which nodes there are.
func (p *Peers) look() {
	alive, dead := p.cfg.Alive(), p.cfg.Dead()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, id := range alive {
		p.named(id)
	}
	for _, id := range dead {
		p.named(id)
	}
	for _, n := range slices.Collect(maps.Values(p.nodes)) {
		if n.id == Nobody {
			continue
		}
		was := n.dead
		n.alive, n.dead = slices.Contains(alive, n.id), slices.Contains(dead, n.id)
		n.early = n.early && n.alive
		if n.dead && !was {
			p.log.Info("mqtt: another node has died", "node", n.id)
			nudge(p.survey)
		}
		if n.alive || n.dead {
			n.listed = now
			continue
		}
		if p.silent(n) && now.Sub(n.listed) > linger {
			p.replace(n, nil)
			delete(p.nodes, n.id)
			p.log.Info("mqtt: another node has gone", "node", n.id)
		}
	}
	p.settle()
	p.changed()
}

// beat lets the others know that this node is there, asks those who have not told
// their filters, and tells those who were away what they have missed.
func (p *Peers) beat() {
	for _, n := range p.all() {
		p.mu.Lock()
		report := p.report(n)
		ask := !n.synced && !p.silent(n)
		catchUp := n.missed != 0 && !n.catchingUp && n.met && !p.silent(n)
		n.catchingUp = n.catchingUp || catchUp
		p.mu.Unlock()
		p.tell(n, kindBeat, report)
		if ask {
			p.ask(n)
		}
		if catchUp {
			p.begin(func() { p.catchUp(n) })
		}
	}
	nudge(p.survey)
}

// ask asks a node for all its filters, unless that was done a moment ago.
func (p *Peers) ask(n *node) {
	now := time.Now()
	p.mu.Lock()
	wait := now.Sub(n.asked) < p.cfg.Beat/2
	if !wait {
		n.asked = now
	}
	p.mu.Unlock()
	if !wait {
		p.tellLoose(n, kindAsk, nil)
	}
}

// tell sends something that the node notices if it misses it.
func (p *Peers) tell(n *node, k kind, body []byte) {
	n.control.out.Lock()
	defer n.control.out.Unlock()
	n.control.sent++
	p.send(controlSubject, n, header{kind: k, number: n.control.sent}, body)
}

// tellLoose sends something that may go astray.
func (p *Peers) tellLoose(n *node, k kind, body []byte) {
	p.send(controlSubject, n, header{kind: k}, body)
}

// pass sends a message of clients.
func (p *Peers) pass(n *node, k kind, body []byte) {
	n.data.out.Lock()
	defer n.data.out.Unlock()
	n.data.sent++
	p.send(dataSubject, n, header{kind: k, number: n.data.sent}, body)
	p.metrics.sent.Inc()
}

func (p *Peers) send(subject string, n *node, h header, body []byte) {
	h.from = p.cfg.Node
	b := appendHeader(make([]byte, 0, headerSize+len(h.from)+len(body)), h)
	if err := p.cfg.Bus.Publish(subject+n.id, append(b, body...)); err != nil {
		p.log.Debug("mqtt: message to another node not sent", "node", n.id, "err", err)
	}
}
