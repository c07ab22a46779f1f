package mqtt

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// target is a client that a message goes to.
type target struct {
	to *client
	options
}

// targets collects those that a message goes to: each client once for all its
// own subscriptions that match, and once for each group that has chosen it.
type targets struct {
	message *Message
	own     []target
	filters int // with own subscribers
	shared  []target
	lost    int // groups of which nobody can take the message

	// In a cluster peers is set, and served gets the groups that are dealt with
	// here. A message that comes from far has others to deal with all groups but
	// those given; it is for those only if only is set.
	peers  Peers
	served []string
	far    bool
	groups []string
	only   bool
}

var targetPool = sync.Pool{New: func() any { return new(targets) }}

// each takes the subscribers of one filter.
func (t *targets) each(ms []member[*client]) {
	if t.only {
		return
	}
	t.filters++
	for i := range ms {
		if !ms[i].noLocal || ms[i].who.id != t.message.From {
			t.own = append(t.own, target{ms[i].who, ms[i].options})
		}
	}
}

// group chooses one member at random: one that is connected, or else one whose
// session can keep the message. The members of all nodes are one group.
func (t *targets) group(text string, ms []member[*client]) {
	if t.far && !slices.Contains(t.groups, text) {
		return
	}
	first := rand.IntN(len(ms))
	keeper := -1
	for i := range ms {
		n := (first + i) % len(ms)
		if ms[n].who.online.Load() {
			t.serve(text, &ms[n])
			return
		}
		if keeper < 0 && min(ms[n].qos, t.message.QoS) > 0 {
			keeper = n
		}
	}
	switch {
	case t.peers != nil && t.peers.Online(text): // one of those gets it
	case keeper < 0:
		t.lost++
	default:
		t.serve(text, &ms[keeper])
	}
}

func (t *targets) serve(text string, m *member[*client]) {
	t.shared = append(t.shared, target{m.who, m.options})
	if t.peers != nil {
		t.served = append(t.served, text)
	}
}

// merge joins the subscriptions of one client that match: the highest QoS counts
// [MQTT-3.3.4-2].
func (t *targets) merge() {
	if t.filters < 2 || len(t.own) < 2 {
		return
	}
	seen := make(map[*client]int, len(t.own))
	kept := t.own[:0]
	for _, o := range t.own {
		if i, ok := seen[o.to]; ok {
			kept[i].qos = max(kept[i].qos, o.qos)
			kept[i].retainAsPublished = kept[i].retainAsPublished || o.retainAsPublished
			continue
		}
		seen[o.to] = len(kept)
		kept = append(kept, o)
	}
	clear(t.own[len(kept):])
	t.own = kept
}

func newTargets(m *Message) *targets {
	t, ok := targetPool.Get().(*targets)
	if !ok {
		t = new(targets)
	}
	t.message = m
	return t
}

func (t *targets) release() {
	clear(t.own)
	clear(t.shared)
	clear(t.served)
	*t = targets{own: t.own[:0], shared: t.shared[:0], served: t.served[:0]}
	if cap(t.own) <= 1024 {
		targetPool.Put(t)
	}
}

// route puts a message of the server on its way to all who have subscribed, and keeps
// it if it is to be retained. Nobody waits for it.
func (s *Server) route(m *Message) { s.routeWithin(m, new(pending), Reach{}) }

// routeWithin is route for a part of the cluster. What must be durable is added to p.
func (s *Server) routeWithin(m *Message, p *pending, r Reach) {
	if m.Retain && !reserved(m.Topic) {
		m.Retain = s.retain(m, p)
	}
	s.spread(m, nil, p, r)
}

// spread puts a message on its way that has been retained, or is not to be. What must
// be durable before the publisher is answered is added to p. It returns those whom the
// publisher should wait for; publisher is nil for the server itself, which waits for
// nobody.
func (s *Server) spread(m *Message, publisher *client, p *pending, r Reach) []slow {
	t := newTargets(m)
	defer t.release()
	peers := s.cfg.Peers
	if peers == nil || r.Here {
		t.far = r.Here
		return s.deliver(t, publisher, p)
	}
	t.peers = peers
	n := peers.Number()
	behind := s.deliver(t, publisher, p)
	f := Routed{Number: n, Served: t.served, Except: r.Except}
	if !r.again {
		f.Moved = p.moved
	}
	peers.Forward(m, f)
	return behind
}

// deliver delivers the message of t to its targets here.
func (s *Server) deliver(t *targets, publisher *client, p *pending) []slow {
	s.tree.match(t.message.Topic, t)
	t.merge()
	if t.lost > 0 {
		s.metrics.dropped[droppedOffline].Add(float64(t.lost))
	}
	var wait []slow
	for _, list := range [...][]target{t.own, t.shared} {
		for i := range list {
			to := list[i].to
			if !to.deliver(t.message, list[i].options, p) || publisher == nil || to == publisher {
				continue
			}
			if room := to.roomy(); room != nil {
				wait = append(wait, slow{to, room})
			}
		}
	}
	return wait
}

// retain keeps m for those who subscribe later. It reports false if there is no room.
func (s *Server) retain(m *Message, p *pending) bool {
	s.retained.order.Lock()
	defer s.retained.order.Unlock()
	if s.cfg.Peers != nil {
		s.mu.Lock()
		m.Stamp = s.stamp().At
		s.mu.Unlock()
	} else if len(m.Payload) == 0 && !s.retained.has(m.Topic) {
		return true // there is nothing to forget, in Sessions either
	}
	if !s.hold(m) {
		return false
	}
	if s.cfg.Sessions != nil {
		s.cfg.Sessions.Retain(m, p.add())
	}
	return true
}

// hold keeps m in memory. It reports false if there is no room.
func (s *Server) hold(m *Message) bool {
	if s.retained.set(m) || s.makeRoom(m) {
		return true
	}
	s.metrics.dropped[droppedFull].Inc()
	if s.retained.complain() {
		s.log.Warn("mqtt: no room for more retained messages", "topic", m.Topic, "messages", s.retained.len())
	}
	return false
}

// makeRoom tries again to keep m after what has expired is gone.
func (s *Server) makeRoom(m *Message) bool {
	for _, gone := range s.retained.expire(s.nowMillis()) {
		if s.cfg.Sessions != nil {
			s.cfg.Sessions.Retain(&Message{Topic: gone.Topic, Stamp: gone.Stamp}, nil)
		}
	}
	return s.retained.set(m)
}

// slow is a subscriber whose queue is filling up, and the sign that it has room again.
type slow struct {
	who  *client
	room <-chan struct{}
}

// await waits for slow subscribers, in all no longer than SlowWait. Those who
// have not caught up by then are not waited for again until they have.
func (s *Server) await(ctx context.Context, wait []slow) {
	if len(wait) == 0 {
		return
	}
	t := time.NewTimer(s.limits.SlowWait)
	defer t.Stop()
	for i := range wait {
		select {
		case <-wait[i].room:
		case <-t.C:
			for _, w := range wait[i:] {
				w.who.giveUp()
			}
			return
		case <-ctx.Done():
			return
		}
	}
}
