package mqtt

import (
	"context"
	"math/rand/v2"
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
}

var targetPool = sync.Pool{New: func() any { return new(targets) }}

// each takes the subscribers of one filter.
func (t *targets) each(ms []member[*client]) {
	t.filters++
	for i := range ms {
		if !ms[i].noLocal || ms[i].who.id != t.message.From {
			t.own = append(t.own, target{ms[i].who, ms[i].options})
		}
	}
}

// group chooses one member at random: one that is connected, or else one whose
// session can keep the message.
func (t *targets) group(ms []member[*client]) {
	first := rand.IntN(len(ms))
	keeper := -1
	for i := range ms {
		n := (first + i) % len(ms)
		if ms[n].who.online.Load() {
			t.shared = append(t.shared, target{ms[n].who, ms[n].options})
			return
		}
		if keeper < 0 && min(ms[n].qos, t.message.QoS) > 0 {
			keeper = n
		}
	}
	if keeper < 0 {
		t.lost++
		return
	}
	t.shared = append(t.shared, target{ms[keeper].who, ms[keeper].options})
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

func (t *targets) release() {
	clear(t.own)
	clear(t.shared)
	*t = targets{own: t.own[:0], shared: t.shared[:0]}
	if cap(t.own) <= 1024 {
		targetPool.Put(t)
	}
}

// route puts a message on its way to all who have subscribed, and keeps it if it
// is to be retained. What must be durable before the publisher is answered is
// added to p. It returns those whom the publisher should wait for; publisher is
// nil for the server itself.
func (s *Server) route(m *Message, publisher *client, p *pending) []slow {
	if m.Retain && !reserved(m.Topic) {
		s.retain(m, p)
	}
	t, ok := targetPool.Get().(*targets)
	if !ok {
		t = new(targets)
	}
	defer t.release()
	t.message = m
	s.tree.match(m.Topic, t)
	t.merge()
	if t.lost > 0 {
		s.metrics.dropped[droppedOffline].Add(float64(t.lost))
	}
	var wait []slow
	for _, list := range [...][]target{t.own, t.shared} {
		for i := range list {
			room := list[i].to.deliver(m, list[i].options, p)
			if room != nil && list[i].to != publisher {
				wait = append(wait, slow{list[i].to, room})
			}
		}
	}
	return wait
}

// retain keeps m for those who subscribe later.
func (s *Server) retain(m *Message, p *pending) {
	s.retained.order.Lock()
	defer s.retained.order.Unlock()
	if !s.retained.set(m) && !s.makeRoom(m) {
		s.metrics.dropped[droppedFull].Inc()
		s.log.Warn("mqtt: no room for another retained message", "topic", m.Topic)
		return
	}
	if s.cfg.Sessions != nil {
		s.cfg.Sessions.Retain(m, p.add())
	}
}

// makeRoom tries again to keep m after what has expired is gone.
func (s *Server) makeRoom(m *Message) bool {
	for _, topic := range s.retained.expire(nowMillis()) {
		if s.cfg.Sessions != nil {
			s.cfg.Sessions.Retain(&Message{Topic: topic}, nil)
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
