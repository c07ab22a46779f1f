package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Peers are the endpoints of the other nodes of a cluster. What they are told may
// get lost, but for claims. They must be safe for concurrent use; only Claim and
// Settle may block.
type Peers interface {
	// Interest is told of each change of the subscriptions to a filter, given with
	// $share and all. Changes come in any order: their sum counts.
	Interest(filter string, change Interest)
	// Settle waits until all nodes that can be asked know of new subscriptions to
	// filters, for some seconds at most, if messages to them must not be missed. It is
	// called for all of them, before their client is told that it has subscribed.
	Settle(ctx context.Context, filters []string)
	// Inherit says that subscriptions to filters have come here with a session. Those
	// of its node before stand until held at least; if it is zero they may not have
	// stood at all, and messages may have been missed.
	Inherit(filters []string, held time.Time)
	// Unsettled reports whether messages to any of the filters may have been missed
	// that must not be, and nothing has made up for it yet.
	Unsettled(filters []string) bool
	// Stray is told that a session may be this node's in Sessions and not be known
	// to the server: see Reclaim.
	Stray()
	// Wanted reports whether anybody elsewhere subscribes to a topic.
	Wanted(topic string) bool
	// Online reports whether a member of the group that shares filter is
	// connected elsewhere.
	Online(filter string) bool
	// Number returns the number of the next message that is routed here.
	Number() uint64
	// Forward hands on a message that has been routed here: to the nodes where
	// somebody has subscribed, or to all of them if it is retained. Neither the
	// message nor what r points to may be modified, and r must not be kept.
	Forward(m *Message, r Routed)
	// Marks returns the numbers of the messages that have been routed or delivered
	// here last, by the nodes where they were published.
	Marks() map[string]uint64
	// Claim makes all other nodes let go of a client, and returns when they have:
	// their connection to it is closed and its session kept in Sessions. A node
	// that does not answer is waited for a few seconds at most; it is told again
	// as soon as it can be reached.
	Claim(ctx context.Context, c Claim) Claimed
}

// Interest is what the subscriptions to a filter come to, or how that changes.
type Interest struct {
	// Kept is how many there are, Online how many of these are in a group and of
	// clients that are connected.
	Kept, Online int
}

// Routed is what has become of a message on the node where it was published.
type Routed struct {
	// Number is what Number has returned for it.
	Number uint64
	// Served are the groups, by their filters, of which a member here gets it.
	Served []string
	// Moved are the sessions that would have got it, but have gone.
	Moved []Moved
	// Except are nodes that get it by other means, but for groups.
	Except []string
}

// Moved is a session that has gone to another node, where its messages follow it.
type Moved struct {
	ClientID string
	Node     string
}

// Handed is a message that follows a session.
type Handed struct {
	Message *Message
	// Node is where it was published, under Number.
	Node   string
	Number uint64
	// Sent is whether the node where the session is gets it from there, too.
	Sent bool
}

// Reach limits where a message of the server goes.
type Reach struct {
	// Here limits it to the clients of this node that are in no group: whoever
	// serves the rest of the cluster serves the groups.
	Here bool
	// Except are nodes whose clients do not get it, but for those in groups.
	Except []string

	// again is whether the message comes again if a session is moving.
	again bool
}

// errMoved is why a message cannot be published now.
var errMoved = errors.New("mqtt: a session that is to get the message is moving to another node")

// PublishWithin is Publish for a part of the cluster. It fails if a session that
// should get the message is moving, or has been left to whoever takes it: it is to
// be tried again then.
func (s *Server) PublishWithin(ctx context.Context, m Message, r Reach) error {
	if !validTopic(m.Topic) || m.QoS > 1 {
		return fmt.Errorf("mqtt: message to %q with QoS %d", m.Topic, m.QoS)
	}
	m.topic = []byte(m.Topic)
	r.again = true
	p := new(pending)
	s.routeWithin(&m, p, r)
	if err := p.wait(ctx); err != nil {
		return err
	}
	if p.astray || slices.ContainsFunc(p.moved, func(to Moved) bool { return !slices.Contains(r.Except, to.Node) }) {
		return errMoved
	}
	return nil
}

// Deliver delivers a message of another node to those who have subscribed here: to
// those in groups only if the group is among those given by their filters, to
// others unless only is set. It waits for nobody. It returns the sessions that
// should have got it, but have gone to other nodes. The message must not be
// modified any more.
func (s *Server) Deliver(m *Message, groups []string, only bool) []Moved {
	if m.topic == nil {
		m.topic = []byte(m.Topic)
	}
	if m.Retain && !reserved(m.Topic) {
		s.hold(m)
	}
	t := newTargets(m)
	defer t.release()
	t.far, t.groups, t.only = true, groups, only
	p := new(pending)
	s.deliver(t, nil, p)
	return p.moved
}

// Hand delivers a message to the session of one client, which has come here from
// a node that should have delivered it. If it has gone further, the node where it
// is now is returned.
func (s *Server) Hand(clientID string, h Handed) (further string) {
	if h.Message.topic == nil {
		h.Message.topic = []byte(h.Message.Topic)
	}
	s.mu.Lock()
	c, cl, gone := s.clients[clientID], s.claims[clientID], s.moved[clientID]
	if c == nil && cl != nil && len(cl.early) < s.limits.QueueMessages {
		cl.early = append(cl.early, h)
	}
	if c == nil && cl == nil && gone != nil {
		further = gone.moved
	}
	s.mu.Unlock()
	if c != nil {
		c.hand(h)
	}
	return further
}

// hand delivers a message that has followed the session, unless the session has
// got it already, or will.
func (c *client) hand(h Handed) {
	c.mu.Lock()
	o, ok := c.session.granted(h.Message.Topic)
	if ok && h.Sent {
		c.srv.mu.Lock()
		marks, fresh := c.srv.arrived[c.id]
		c.srv.mu.Unlock()
		ok = fresh && h.Number <= marks[h.Node]
	}
	c.mu.Unlock()
	if ok {
		c.deliver(h.Message, o, new(pending))
	}
}

// arrive notes which messages have passed by before the session came here, and
// delivers those that have come for it. Its subscriptions must stand, and the lock
// be held.
func (c *client) arrive(cl *claim) {
	s := c.srv
	marks := s.cfg.Peers.Marks()
	s.mu.Lock()
	early := cl.early
	cl.early = nil
	s.arrived[c.id] = marks
	s.mu.Unlock()
	time.AfterFunc(2*linger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.arrived, c.id) // of a later arrival, too, which does little harm
	})
	for _, h := range early {
		o, ok := c.session.granted(h.Message.Topic)
		if ok && (!h.Sent || h.Number <= marks[h.Node]) && min(h.Message.QoS, o.qos) > 0 {
			c.push(&delivery{msg: h.Message, qos: 1, retain: h.Message.Retain && o.retainAsPublished}, new(pending))
		}
	}
}

// missed notes that a message has come too late for a session here. The lock must
// be held.
func (c *client) missed(p *pending) {
	switch {
	case c.moved != "":
		p.moved = append(p.moved, Moved{ClientID: c.id, Node: c.moved})
	case c.astray:
		p.astray = true
	}
}

// Wanted reports whether anybody here subscribes to a topic.
func (s *Server) Wanted(topic string) bool { return s.tree.any(topic) }

// listen makes a subscription known. The lock of the client must be held.
func (c *client) listen(f filter, o options) {
	added := c.srv.tree.subscribe(f, c, o)
	if added && c.srv.cfg.Peers != nil {
		c.srv.cfg.Peers.Interest(f.text, c.interest(f, 1))
	}
}

// unlisten ends what listen has begun.
func (c *client) unlisten(f filter) {
	removed := c.srv.tree.unsubscribe(f, c)
	if removed && c.srv.cfg.Peers != nil {
		c.srv.cfg.Peers.Interest(f.text, c.interest(f, -1))
	}
}

// interest returns what n subscriptions of the client to f count for.
func (c *client) interest(f filter, n int) Interest {
	if f.share != "" && c.conn != nil {
		return Interest{Kept: n, Online: n}
	}
	return Interest{Kept: n}
}

// countOnline tells the peers that the client is connected, as far as groups are
// concerned, or no longer. The lock must be held.
func (c *client) countOnline(n int) {
	if c.srv.cfg.Peers == nil {
		return
	}
	for i := range c.session.subs {
		if f := c.session.subs[i].filter(); f.share != "" {
			c.srv.cfg.Peers.Interest(f.text, Interest{Online: n})
		}
	}
}
