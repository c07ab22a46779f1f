package mqtt

import (
	"context"
	"errors"
	"time"
)

// state returns what is to be kept of the session. ends is when it ends, in
// milliseconds; 0 while connected. The lock must be held.
func (c *client) state(ends int64) SessionState {
	st := c.session.state(c.id, c.version, c.expiry.Milliseconds(), ends)
	if c.srv.shared == nil {
		return st
	}
	if !c.kept {
		st.New, c.epoch = true, c.stamp // greater than that of any before
	}
	st.Epoch = c.epoch
	return st
}

// ref names the session to Sessions.
func (c *client) ref() SessionRef { return SessionRef{ClientID: c.id, Epoch: c.epoch} }

// durable returns the function to be told when a change of the session, for
// which p waits, is durable. The lock must be held.
func (c *client) durable(p *pending) func(error) { return c.owned(p.add()) }

// owned returns a function that is told of a change of the session and calls
// next, which may be nil. If the session is another node's, it goes from here.
func (c *client) owned(next func(error)) func(error) {
	if c.srv.shared == nil {
		return next
	}
	epoch := c.epoch
	return func(err error) {
		if errors.Is(err, ErrNotOwner) {
			go c.lost(epoch) // whoever tells us may hold the lock
		}
		if next != nil {
			next(err)
		}
	}
}

// lost forgets the client, because its session as of an epoch has turned out to be
// another node's. What is kept of it is left alone.
func (c *client) lost(epoch int64) {
	c.mu.Lock()
	if c.gone || c.epoch != epoch {
		c.mu.Unlock()
		return
	}
	s := c.srv
	s.log.Warn("mqtt: session has been taken by another node", "client", c.id, "connected", c.conn != nil)
	old := c.cut()
	due := c.will
	if due != nil && s.now().Before(due.due) {
		due = nil
	}
	c.depart("")
	c.mu.Unlock()
	s.stray()
	s.evicted(old)
	due.publish(s)
}

// install makes a session that this node has taken known here, behind what has
// come for it meanwhile. It does nothing if the client has come here by itself.
// held is until when its subscriptions stand where it was before; zero if nobody
// knows.
func (s *Server) install(t *Taken, cl *claim, held time.Time) {
	c := s.lock(t.ClientID)
	defer c.mu.Unlock()
	if c.conn != nil || c.epoch >= t.Epoch && c.kept {
		return
	}
	if c.kept { // as of an earlier epoch: nothing of it is right
		c.kept = false
		c.reset(nil)
	}
	now := s.now()
	c.restore(t.SessionState, now)
	s.cfg.Peers.Inherit(c.session.filters(), held)
	for _, m := range t.Messages {
		c.restoreMessage(m)
	}
	if cl == nil {
		c.due(now) // ends it, or sets its timer
		return
	}
	c.arrive(cl)
}

// Adopt takes those sessions of a node that has died for which mine returns true;
// of a node without a name, those that have been released. other is called with
// each filter of those that it leaves, whose number it returns.
func (s *Server) Adopt(ctx context.Context, from string, mine func(clientID string) bool, other func(filter string)) (left int, err error) {
	if s.shared == nil {
		return 0, nil
	}
	var held time.Time
	if from == "" { // else it has not gone in order
		held = time.Now().Add(linger)
	}
	err = s.shared.Adopt(ctx, from, func(id string) bool {
		return mine(id) && !s.claimed(id)
	}, func(t Taken) {
		s.install(&t, nil, held)
		s.unfollow(t.ClientID)
	}, func(st SessionState) {
		left++
		for _, u := range st.Subscriptions {
			other(u.Filter)
		}
	})
	if err != nil {
		s.stray() // some may have been taken
	}
	return left, err
}

// Reclaim takes those sessions that are this node's in Sessions, but not known
// here: because a write has failed, or seemed to, while they came or went. Nobody
// else looks after them. It takes those for which seen returns true, which must have
// been found before, some seconds ago: a session on its way is found, too.
func (s *Server) Reclaim(ctx context.Context, seen func(clientID string) bool) (found []string, err error) {
	if s.shared == nil || s.closing.Load() {
		return nil, nil
	}
	err = s.shared.Adopt(ctx, s.cfg.Node, func(id string) bool {
		known, leaving := s.concerned(id)
		if !known {
			found = append(found, id)
		}
		return !known && !leaving && seen(id)
	}, func(t Taken) {
		s.log.Warn("mqtt: session was nobody's business", "client", t.ClientID)
		s.install(&t, nil, time.Time{})
	}, func(SessionState) {})
	return found, err
}

// concerned reports whether a client is known here, or about to be, and whether it
// has only just gone from here.
func (s *Server) concerned(id string) (known, leaving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[id] != nil || s.claims[id] != nil || s.busy[id] != nil, s.moved[id] != nil
}

// stray notes that a session may be this node's and not known here.
func (s *Server) stray() {
	if s.cfg.Peers != nil {
		s.cfg.Peers.Stray()
	}
}

// claimed reports whether a client is about to connect here, which brings its
// session along.
func (s *Server) claimed(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[id] != nil
}

// Owners returns the nodes that own sessions; see Shared.
func (s *Server) Owners(ctx context.Context) ([]string, error) {
	if s.shared == nil {
		return nil, nil
	}
	return s.shared.Owners(ctx)
}

// Verify makes sure that the sessions here are still this node's, after it may
// have been taken for dead, and drops those that are not. If it fails, it does not
// know.
func (s *Server) Verify(ctx context.Context) error {
	if s.shared == nil {
		return nil
	}
	p := new(pending)
	for _, c := range s.everyone() {
		c.mu.Lock()
		if c.kept && !c.gone {
			ends := int64(0)
			if c.conn == nil {
				ends = c.ends.UnixMilli()
			}
			c.keep(p, ends)
		}
		c.mu.Unlock()
	}
	if err := p.wait(ctx); !errors.Is(err, ErrNotOwner) {
		return err
	}
	return nil
}

// leaveAll releases all sessions, because the server stops. Their subscriptions
// stay, so that nobody takes them for ended before others have the sessions.
func (s *Server) leaveAll(ctx context.Context) error {
	if s.shared == nil {
		return nil
	}
	p := new(pending)
	for _, c := range s.everyone() {
		c.mu.Lock()
		if c.kept && !c.gone {
			c.handOver(p)
			c.gone, c.astray = true, true
			s.mu.Lock()
			delete(s.clients, c.id)
			s.mu.Unlock()
		}
		c.mu.Unlock()
	}
	if err := p.wait(ctx); !errors.Is(err, ErrNotOwner) {
		return err
	}
	return nil
}

// filters returns those of the subscriptions.
func (s *session) filters() []string {
	texts := make([]string, len(s.subs))
	for i := range s.subs {
		texts[i] = s.subs[i].text
	}
	return texts
}
