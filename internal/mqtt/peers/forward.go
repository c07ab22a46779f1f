package peers

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"

	"muster/internal/mqtt"
)

// target is a node that a message goes to.
type target struct {
	*node
	only   bool     // for the groups
	groups []string // of which a member there gets it
}

// Number implements mqtt.Peers.
func (p *Peers) Number() uint64 { return p.number.Add(1) }

// Marks implements mqtt.Peers.
func (p *Peers) Marks() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	marks := make(map[string]uint64, len(p.nodes)+1)
	for id, n := range p.nodes {
		marks[id] = n.last.Load()
	}
	marks[p.cfg.Node] = p.number.Load()
	return marks
}

// Forward implements mqtt.Peers.
func (p *Peers) Forward(m *mqtt.Message, r mqtt.Routed) {
	f, ok := p.found.Get().(*mqtt.Found[*node])
	if !ok {
		return
	}
	defer func() {
		f.Reset()
		p.found.Put(f)
	}()
	p.routes.Find(m.Topic, f)
	retain := m.Retain && !strings.HasPrefix(m.Topic, "$")
	if f.Empty() && !retain && len(r.Moved) == 0 {
		return
	}
	body, err := appendMessage(nil, m)
	if err != nil {
		p.log.Error("mqtt: message cannot be sent to other nodes", "topic", m.Topic, "err", err)
		return
	}
	ts := p.targets(f, m.QoS, retain, r)
	var to []string
	for _, t := range ts {
		if !t.only {
			to = append(to, t.id)
		}
	}
	for _, t := range ts {
		b := binary.AppendUvarint(make([]byte, 0, 64+len(body)), r.Number)
		b = append(b, flag(t.only, 1))
		b = appendTexts(b, t.groups)
		b = appendTexts(b, to)
		p.pass(t.node, kindPublish, append(b, body...))
	}
	h := handed{node: p.cfg.Node, number: r.Number, to: to, hops: maxHops}
	for _, s := range r.Moved {
		p.sendHand(s.Node, s.ClientID, h, body)
	}
}

// targets returns the nodes that a message goes to.
func (p *Peers) targets(f *mqtt.Found[*node], qos byte, retain bool, r mqtt.Routed) []target {
	var ts []target
	add := func(n *node, only bool) *target {
		i := slices.IndexFunc(ts, func(t target) bool { return t.node == n })
		if i < 0 {
			i = len(ts)
			ts = append(ts, target{node: n, only: only})
		}
		return &ts[i]
	}
	nodes := f.Nodes
	if retain {
		nodes = p.all()
	}
	for _, n := range nodes {
		if n.id != Nobody && !slices.Contains(r.Except, n.id) {
			add(n, false)
		}
	}
	for _, g := range f.Groups {
		if slices.Contains(r.Served, g.Filter) {
			continue
		}
		if n := choose(g, qos); n != nil {
			t := add(n, true)
			t.groups = append(t.groups, g.Filter)
		}
	}
	return ts
}

// choose returns the node that serves a group: one with a member that is
// connected, or else one that keeps the message for a member.
func choose(g mqtt.Group[*node], qos byte) *node {
	from := g.Online
	if len(from) == 0 && qos > 0 {
		from = slices.DeleteFunc(g.Kept, func(n *node) bool { return n.id == Nobody })
	}
	if len(from) == 0 {
		return nil
	}
	return from[rand.IntN(len(from))]
}

// readPublish delivers a message of another node.
func (p *Peers) readPublish(n *node, c *cursor) error {
	h := handed{node: n.id, number: c.uint(), hops: maxHops}
	only := c.byte() != 0
	groups := c.texts()
	h.to = c.texts()
	body := c.b
	m, err := c.message()
	if err != nil {
		return err
	}
	n.last.Store(h.number) // before it is delivered: see mqtt.Peers.Marks
	for _, s := range p.server.Deliver(m, groups, only) {
		p.sendHand(s.Node, s.ClientID, h, body)
	}
	return nil
}

// handed is what goes with a message that follows a session.
type handed struct {
	node   string // where it was published
	number uint64 // its number there
	to     []string
	hops   byte // how often it may be passed on
}

// maxHops is how many nodes a message may follow a session to.
const maxHops = 4

// sendHand sends a message after a session.
func (p *Peers) sendHand(to, clientID string, h handed, body []byte) {
	if to == p.cfg.Node || h.hops == 0 {
		return
	}
	p.mu.Lock()
	n := p.nodes[to]
	p.mu.Unlock()
	if n == nil {
		return
	}
	b := appendText(nil, clientID)
	b = appendText(append(b, h.hops-1), h.node)
	b = appendTexts(binary.AppendUvarint(b, h.number), h.to)
	p.pass(n, kindHand, append(b, body...))
}

// readHand delivers a message that has followed a session.
func (p *Peers) readHand(c *cursor) error {
	clientID := c.text()
	h := handed{hops: c.byte(), node: c.text()}
	h.number, h.to = c.uint(), c.texts()
	body := c.b
	m, err := c.message()
	if err != nil {
		return err
	}
	further := p.server.Hand(clientID, mqtt.Handed{
		Message: m, Node: h.node, Number: h.number, Sent: h.node == p.cfg.Node || slices.Contains(h.to, p.cfg.Node),
	})
	if further != "" {
		p.sendHand(further, clientID, h, body)
	}
	return nil
}

// Holders returns the other nodes with clients or sessions that have subscribed to
// the topic itself, and Nobody if there are such sessions that nobody owns. Nodes
// that have died are among them until their sessions have been adopted, and those
// that live and have not told anything yet. If none is known, neither here, those
// are returned that live and cannot be asked now.
//
// That a node is not among them does not mean that nobody there has subscribed: it
// may have been cut off a moment ago. Whoever was not told for that is told again as
// soon as the node can be asked; see Settle.
func (p *Peers) Holders(topic string) []string {
	exact := p.routes.Exact(topic)
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, 0, len(exact))
	for _, n := range exact {
		ids = append(ids, n.id)
	}
	for _, n := range p.nodes {
		if n.alive && !n.met && !slices.Contains(ids, n.id) {
			ids = append(ids, n.id)
		}
	}
	if len(ids) > 0 || p.interest[topic].kept > 0 {
		return ids
	}
	for _, n := range p.nodes {
		if n.alive && (!n.synced || p.silent(n)) {
			ids = append(ids, n.id)
		}
	}
	if !p.surveyed {
		ids = append(ids, Nobody)
	}
	return ids
}

// Route says who has to be told of a change that some topics are about: nodes that
// must be, see Holders, and whether anybody else, here or elsewhere, would like
// to be.
func (p *Peers) Route(topics ...string) (holders []string, others bool) {
	for _, topic := range topics {
		for _, id := range p.Holders(topic) {
			if !slices.Contains(holders, id) {
				holders = append(holders, id)
			}
		}
	}
	for _, topic := range topics {
		others = others || p.server.Wanted(topic) || p.watched(topic, holders)
	}
	return holders, others
}

// watched reports whether a node that is none of the holders wants the messages of
// a topic, or a group does.
func (p *Peers) watched(topic string, holders []string) bool {
	var f mqtt.Found[*node]
	p.routes.Find(topic, &f)
	return len(f.Groups) > 0 || slices.ContainsFunc(f.Nodes, func(n *node) bool {
		return n.id != Nobody && !slices.Contains(holders, n.id)
	})
}
