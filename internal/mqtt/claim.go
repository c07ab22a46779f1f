package mqtt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"muster/internal/mqtt/codec"
)

// Stamp orders the claims of connections to a client, in the whole cluster.
type Stamp struct {
	// At is the time of the claim in nanoseconds by the clock of the cluster, or
	// somewhat more: a node never gives the same out twice.
	At int64
	// Node is where the client has connected.
	Node string
}

// Compare returns an integer less than, equal to or greater than 0 if a is before
// b, is b, or is after b.
func (a Stamp) Compare(b Stamp) int {
	return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Node, b.Node))
}

// Claim says that a client has connected to a node.
type Claim struct {
	ClientID string
	Stamp    Stamp
	// Clean is whether the client begins a new session, Version the protocol that
	// it speaks, as MQTT numbers it.
	Clean   bool
	Version byte
}

// Claimed is what a claim has come to.
type Claimed struct {
	// Lost is whether there is a claim with a greater stamp, which is Stamp.
	Lost  bool
	Stamp Stamp
	// Settled is whether the client had already been told that it is connected
	// there, so that it must have come here later.
	Settled bool
	// Presence is the number of the client's next connection in lifecycle events,
	// as far as known.
	Presence int64
}

// Merge returns what two nodes have to say of one claim.
func (c Claimed) Merge(d Claimed) Claimed {
	presence := max(c.Presence, d.Presence)
	if d.Lost && (!c.Lost || c.Stamp.Compare(d.Stamp) < 0) {
		c = d
	}
	c.Presence = presence
	return c
}

// claim is a connection that is about to be its client's, if no other one with a
// greater stamp comes in between.
type claim struct {
	cancel context.CancelFunc // ends the wait for others
	begun  time.Time
	// before is the one to the same client that this node made before, if something
	// was still done for it. It may be about to take the session, though it is
	// beaten: who wants that for good must wait.
	before *claim
	ended  chan struct{} // closed when nothing more is done for it, and those before

	// Guarded by the server's lock.
	Claim
	presence int64
	beaten   bool
	early    []Handed // for the session, which is on its way here
}

// tolerance is how far a claim may be moved behind one that has been settled
// before: as far as clocks may disagree.
const tolerance = time.Second

// claim makes the other nodes let go of the client that k names, and its session
// known here. It returns nil if there are no other nodes.
func (s *Server) claim(k *conn, clean bool) (*claim, *ending) {
	if s.cfg.Peers == nil {
		return nil, nil
	}
	ctx, cancel := context.WithDeadline(s.ctx, k.deadline)
	defer cancel()
	cl := s.enroll(k, clean, cancel)
	defer s.conclude(cl)
	err := cl.await(ctx)
	if err == nil {
		err = s.prevail(ctx, cl)
	}
	if err == nil {
		err = s.fetch(ctx, cl)
	}
	switch {
	case err == nil:
		s.unfollow(cl.ClientID)
		return cl, nil
	case s.withdraw(cl) || errors.Is(err, errBeaten):
		return nil, &ending{event: eventDuplicate}
	}
	k.srv.log.Error("mqtt: session cannot be taken", "client", k.who.ID, "err", err)
	return nil, k.refuse(codec.ServerUnavailable, eventServerError, err)
}

var errBeaten = errors.New("the client has connected again")

// enroll notes a claim. Earlier ones of this node to the same client are beaten.
func (s *Server) enroll(k *conn, clean bool, cancel context.CancelFunc) *claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	cl := &claim{cancel: cancel, begun: time.Now(), ended: make(chan struct{}), Claim: Claim{ClientID: k.who.ID, Stamp: s.stamp(), Clean: clean, Version: byte(k.version)}}
	if old := s.claims[k.who.ID]; old != nil {
		old.beat()
	}
	cl.before = s.busy[k.who.ID]
	s.claims[k.who.ID], s.busy[k.who.ID] = cl, cl
	return cl
}

// await returns when the claims before have ended.
func (cl *claim) await(ctx context.Context) error {
	if cl.before == nil {
		return nil
	}
	select {
	case <-cl.before.ended:
		cl.before = nil // and those before
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// conclude notes that nothing more is done for a claim.
func (s *Server) conclude(cl *claim) {
	if cl.before != nil {
		go func() {
			<-cl.before.ended
			s.concluded(cl)
		}()
		return
	}
	s.concluded(cl)
}

func (s *Server) concluded(cl *claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[cl.ClientID] == cl {
		delete(s.busy, cl.ClientID)
	}
	close(cl.ended)
}

// beat ends a claim. The server's lock must be held.
func (cl *claim) beat() {
	cl.beaten = true
	cl.cancel()
}

// stamp returns a stamp that is greater than all before. The lock must be held.
func (s *Server) stamp() Stamp {
	s.stamped = max(s.stamped+1, s.now().UnixNano())
	return Stamp{At: s.stamped, Node: s.cfg.Node}
}

// withdraw takes a claim back and reports whether it was beaten.
func (s *Server) withdraw(cl *claim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims[cl.ClientID] == cl {
		delete(s.claims, cl.ClientID)
	}
	return cl.beaten
}

// grant makes a claim good: from now on its stamp is that of the client. It
// reports false if it has been beaten. The client's lock must be held.
func (s *Server) grant(c *client, cl *claim) bool {
	if cl == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cl.beaten {
		return false
	}
	delete(s.claims, cl.ClientID)
	c.stamp = cl.Stamp.At
	c.presence = max(c.presence, cl.presence)
	return true
}

// prevail returns when no other node has the client any more. Of claims at the
// same time the greatest stamp wins. Behind a settled one, which the client must
// know of, a claim is moved, unless it has been on its way for too long.
func (s *Server) prevail(ctx context.Context, cl *claim) error {
	now := cl.Claim // which only heard changes
	for first := now.Stamp.At; ; now = cl.Claim {
		r := s.cfg.Peers.Claim(ctx, now)
		if err := s.heard(cl, r, first); err != nil || !r.Lost {
			return err
		}
	}
}

// heard notes what other nodes have said of a claim whose stamp was first at
// first. If they know a greater one, it is moved behind that, or beaten: then it
// beats no other from this moment on.
func (s *Server) heard(cl *claim, r Claimed, first int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cl.presence = max(cl.presence, r.Presence)
	switch {
	case cl.beaten:
		return errBeaten
	case !r.Lost:
		return nil
	case !r.Settled || r.Stamp.At-first > int64(tolerance):
		delete(s.claims, cl.ClientID)
		cl.beat()
		return errBeaten
	}
	s.stamped = max(s.stamped, r.Stamp.At)
	cl.Stamp = s.stamp()
	return nil
}

// fetch brings the session of a claimed client here, unless it is here.
func (s *Server) fetch(ctx context.Context, cl *claim) error {
	if s.shared == nil || s.knows(cl.ClientID) {
		return nil
	}
	t, err := s.shared.Take(ctx, cl.ClientID)
	if err != nil {
		s.stray() // it may be here after all
		return err
	}
	if t.Epoch == 0 {
		return nil
	}
	if t.From != "" && t.From != s.cfg.Node {
		// It has not let go when it was asked to: it may have come to the session
		// only then, or not have heard. Or it has, and does not vouch for it.
		err = s.prevail(ctx, cl)
	}
	if err != nil {
		s.stray() // unless whoever has beaten us takes it from here
		return err
	}
	var held time.Time
	if t.From == "" { // whoever has released it has begun to forget it after the claim
		held = cl.begun.Add(linger)
	}
	s.install(&t, cl, held)
	return nil
}

// knows reports whether a client is known here. If it has been claimed here, it
// stays so until there is a greater claim. One that is being let go of for a
// lesser claim, which came before, is waited for.
func (s *Server) knows(id string) bool {
	s.mu.Lock()
	c := s.clients[id]
	s.mu.Unlock()
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone
}

// Release lets go of a client that another node has claimed. It returns when the
// session is kept, or when ctx ends.
func (s *Server) Release(ctx context.Context, cl Claim) Claimed {
	p := new(pending)
	var r Claimed
	for ctx.Err() == nil {
		got, busy, after := s.release(cl, p)
		r = r.Merge(got)
		if after != nil {
			after()
		}
		if busy == nil {
			break
		}
		// The session may be on its way here, and has to be let go of then.
		select {
		case <-busy.ended:
		case <-ctx.Done():
		}
	}
	if err := p.wait(ctx); err != nil && !errors.Is(err, ErrNotOwner) {
		s.log.Error("mqtt: session cannot be released", "client", cl.ClientID, "err", err)
		s.stray() // unless somebody takes it
	}
	return r
}

// release does what Release does at once. It returns which of our claims, beaten
// now or before, something is still done for, if there is one, and what is to be
// done after.
func (s *Server) release(cl Claim, p *pending) (r Claimed, busy *claim, after func()) {
	for {
		s.mu.Lock()
		c := s.clients[cl.ClientID]
		if c == nil {
			defer s.mu.Unlock()
			r, busy = s.yield(cl)
			return r, busy, nil
		}
		s.mu.Unlock()
		c.mu.Lock()
		if c.gone {
			c.mu.Unlock()
			continue
		}
		defer c.mu.Unlock()
		own := Stamp{At: c.stamp, Node: s.cfg.Node}
		if c.stamp != 0 && own.Compare(cl.Stamp) > 0 {
			return Claimed{Lost: true, Stamp: own, Settled: true}, nil, nil
		}
		s.mu.Lock()
		r, busy = s.yield(cl)
		s.mu.Unlock()
		if r.Lost {
			return r, nil, nil
		}
		r.Presence = c.presence
		return r, busy, c.let(cl, p)
	}
}

// yield decides between a claim of another node and ours, if there is one. If ours
// does not win, the last one that something is still done for is returned. The
// lock must be held.
func (s *Server) yield(cl Claim) (r Claimed, busy *claim) {
	mine := s.claims[cl.ClientID]
	if mine == nil {
		return Claimed{Presence: s.presences.take(cl.ClientID)}, s.busy[cl.ClientID]
	}
	if mine.Stamp.Compare(cl.Stamp) > 0 {
		return Claimed{Lost: true, Stamp: mine.Stamp}, nil
	}
	mine.beat()
	delete(s.claims, cl.ClientID)
	return Claimed{Presence: mine.presence}, s.busy[cl.ClientID]
}

// let lets another node have the client. What is to be done when the lock, which
// must be held, is no longer, is returned.
func (c *client) let(cl Claim, p *pending) (after func()) {
	s := c.srv
	now := s.now()
	resume := !cl.Clean && c.version == cl.Version && c.expiry > 0
	old := c.cut()
	due := c.will
	if due != nil && resume && now.Before(due.due) {
		due = nil
	}
	switch {
	case !resume:
		c.reset(p)
	case c.kept && s.shared != nil:
		c.handOver(p)
	}
	c.depart(cl.Stamp.Node)
	return func() {
		s.evicted(old)
		due.publish(s)
	}
}

// handOver leaves a session that is kept to whoever takes it. If it may have missed
// something, it remains this node's in Sessions: who takes it from there makes up
// for that, and if nobody does, this node does so itself. The lock must be held.
func (c *client) handOver(p *pending) {
	s := c.srv
	st := c.state(c.ends.UnixMilli())
	if !s.cfg.Peers.Unsettled(c.session.filters()) {
		s.shared.Release(st, c.durable(p))
		return
	}
	s.shared.Put(st, c.durable(p))
	s.stray()
}

// cut ends the connection of the client for its session, and returns it. The lock
// must be held.
func (c *client) cut() *conn {
	k := c.conn
	if k != nil {
		c.leave(k, &ending{event: eventDuplicate})
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	return k
}

// evicted ends a connection whose client is another node's now.
func (s *Server) evicted(k *conn) {
	if k != nil {
		s.disconnected(k, &ending{event: eventDuplicate})
		k.kickOut(&ending{reason: codec.SessionTakenOver, event: eventDuplicate})
	}
}

// linger is how long the subscriptions of a session that has gone stay: until all
// nodes know where it is, messages for it come here.
const linger = 5 * time.Second

// depart forgets the client, whose session is on another node now; to is empty if
// nobody knows on which. Its subscriptions stay for a while, until the other one's
// are known: messages that come for them are sent after it, or, if nobody knows
// where to, refused. The lock must be held.
func (c *client) depart(to string) {
	s := c.srv
	s.metrics.queued.Sub(float64(c.session.bytes))
	c.session = session{subs: c.session.subs}
	c.gone, c.moved, c.astray = true, to, to == ""
	if to == "" {
		c.leaveGroups()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.id)
	s.metrics.sessions.Dec()
	if len(c.session.subs) > 0 {
		s.moved[c.id] = c
		time.AfterFunc(linger, c.fade)
	}
}

// leaveGroups ends the subscriptions in groups: others are in them who can take what
// would be lost here.
func (c *client) leaveGroups() {
	c.session.subs = slices.DeleteFunc(c.session.subs, func(u subscription) bool {
		f := u.filter()
		if f.share == "" {
			return false
		}
		c.unlisten(f)
		return true
	})
}

// fade is the end of what depart has left.
func (c *client) fade() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.session.subs {
		c.unlisten(c.session.subs[i].filter())
	}
	c.session.subs = nil
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.moved, c.astray = "", true
	if c.srv.moved[c.id] == c {
		delete(c.srv.moved, c.id)
	}
}

// unfollow ends what is left of a session that had gone from here and is back.
func (s *Server) unfollow(id string) {
	s.mu.Lock()
	c := s.moved[id]
	s.mu.Unlock()
	if c != nil {
		c.fade()
	}
}

// Connected returns a claim for each client that is connected and has claimed
// that since a stamp of this node: what another node has to know that may have
// missed some.
func (s *Server) Connected(since int64) []Claim {
	var cs []Claim
	for _, c := range s.everyone() {
		c.mu.Lock()
		if c.conn != nil && c.stamp >= since {
			cs = append(cs, Claim{ClientID: c.id, Stamp: Stamp{At: c.stamp, Node: s.cfg.Node}, Version: c.version})
		}
		c.mu.Unlock()
	}
	return cs
}

// everyone returns the clients that the server knows.
func (s *Server) everyone() []*client {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]*client, 0, len(s.clients))
	for _, c := range s.clients {
		cs = append(cs, c)
	}
	return cs
}
