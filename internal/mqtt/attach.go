package mqtt

import (
	"time"

	"muster/internal/mqtt/codec"
)

// attach makes k the connection of the client that it names. Another connection
// of that client is ended: of all that come, one at a time is the client's, and
// the last one stays. It returns whether a session is resumed, and what to wait
// for before the client is told; nil if the claim of k to the client has been
// beaten.
func (s *Server) attach(k *conn, cl *claim, clean bool, expiry time.Duration, window int) (present bool, p *pending) {
	p = new(pending)
	c := s.lock(k.who.ID)
	if !s.grant(c, cl) {
		if c.conn == nil && !c.kept { // made known by us, and there is nothing to know
			c.end()
		}
		c.mu.Unlock()
		return false, nil
	}
	now := s.now()
	var due *will
	old := c.conn
	if old != nil {
		c.leave(old, &ending{event: eventDuplicate})
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	resume := !clean && c.version == byte(k.version) && (old != nil || now.Before(c.ends)) && c.expiry > 0
	if w := c.will; w != nil && (!resume || !now.Before(w.due)) {
		due = w // its session has ended, or its time had come
	}
	c.will = nil
	if !resume {
		c.reset(p)
	}
	k.client = c
	c.conn, c.opened, c.version, c.expiry = k, false, byte(k.version), expiry
	c.ends = time.Time{}
	c.session.window = window
	c.behind = c.behind || c.session.full() // what has gathered while it was away is nobody's fault
	c.online.Store(true)
	c.countOnline(1)
	c.keep(p, 0)
	k.presence = c.presence
	c.presence++
	c.mu.Unlock()

	s.settled(k)
	if old != nil {
		s.disconnected(old, &ending{event: eventDuplicate})
		old.kickOut(&ending{reason: codec.SessionTakenOver, event: eventDuplicate})
	}
	due.publish(s)
	return resume, p
}

// lock returns the client with the given id, known from now on if it was not,
// with its lock held.
func (s *Server) lock(id string) *client {
	for {
		s.mu.Lock()
		c := s.clients[id]
		if c == nil {
			c = &client{srv: s, id: id, presence: s.presences.take(id)}
			c.session.maxQueue, c.session.maxBytes = s.limits.QueueMessages, s.limits.QueueBytes
			s.clients[id] = c
			s.metrics.sessions.Inc()
		}
		s.mu.Unlock()
		c.mu.Lock()
		if !c.gone {
			return c
		}
		c.mu.Unlock()
	}
}

// open tells the client on k that it is connected, and sends what waits for it.
// It reports false if k is no longer the connection.
func (c *client) open(k *conn, a *codec.Connack) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k {
		return false
	}
	k.send(a)
	c.opened = true
	c.pump()
	return true
}

// keep stores the session as it is now, if it outlives its connection, or sees
// to it that it is not stored. ends is when it ends, in milliseconds; 0 while
// connected.
func (c *client) keep(p *pending, ends int64) {
	sessions := c.srv.cfg.Sessions
	switch {
	case sessions == nil:
	case c.expiry > 0:
		sessions.Put(c.state(ends), c.durable(p))
		c.kept = true
	case c.kept:
		c.kept = false
		sessions.Delete(c.ref(), c.durable(p))
	}
}

// reset ends the session and begins another.
func (c *client) reset(p *pending) {
	for _, u := range c.session.subs {
		c.unlisten(u.filter())
	}
	c.srv.metrics.queued.Sub(float64(c.session.bytes))
	c.session = session{maxQueue: c.session.maxQueue, maxBytes: c.session.maxBytes}
	c.eased()
	if c.kept {
		c.kept = false
		c.srv.cfg.Sessions.Delete(c.ref(), c.durable(p))
	}
}

// leave is the end of k for the session. The lock must be held.
func (c *client) leave(k *conn, end *ending) {
	before := c.session.bytes
	c.session.end()
	c.srv.metrics.queued.Add(float64(c.session.bytes - before))
	c.countOnline(-1)
	c.conn, c.opened, c.wanted = nil, false, nil
	c.online.Store(false)
	c.release()
	now := c.srv.now()
	c.ends = now.Add(c.expiry)
	if k.will != nil && !end.noWill {
		c.will = k.will
		c.will.due = time.Time{} // at once, whatever clock whoever asks has read, and when
		if delay := min(c.will.delay, c.expiry); delay > 0 {
			c.will.due = now.Add(delay)
		}
	}
	k.will = nil
}

// detach ends the connection k of the client, unless another has taken over.
func (c *client) detach(k *conn, end *ending) {
	c.mu.Lock()
	if c.conn != k {
		c.mu.Unlock()
		return
	}
	told := c.opened
	c.leave(k, end)
	due := c.due(c.srv.now())
	c.mu.Unlock()
	if told { // else nobody was told that it is connected
		c.srv.disconnected(k, end)
	}
	due.publish(c.srv)
}

// due does what must be done at now with a client that is not connected: it
// returns the will if that is to be published, ends the session if its time has
// come, and sets the timer if not. The lock must be held.
func (c *client) due(now time.Time) *will {
	w := c.will
	over := !now.Before(c.ends)
	if w != nil && !over && now.Before(w.due) {
		w = nil
	}
	if w != nil {
		c.will = nil
	}
	if over {
		c.end()
		return w
	}
	c.keep(new(pending), c.ends.UnixMilli())
	next := c.ends
	if c.will != nil && c.will.due.Before(next) {
		next = c.will.due
	}
	c.schedule(next.Sub(now))
	return w
}

// schedule sets the timer.
func (c *client) schedule(d time.Duration) {
	if c.srv.closing.Load() {
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.tick)
		return
	}
	c.timer.Reset(d)
}

// tick is called when the will or the end of the session may be due.
func (c *client) tick() {
	c.mu.Lock()
	if c.gone || c.conn != nil {
		c.mu.Unlock()
		return
	}
	w := c.due(c.srv.now())
	c.mu.Unlock()
	w.publish(c.srv)
}

// end forgets the client, whose session is over. The lock must be held.
func (c *client) end() {
	c.reset(new(pending))
	c.gone = true
	c.srv.presences.put(c.id, c.presence)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	delete(c.srv.clients, c.id)
	c.srv.metrics.sessions.Dec()
}

// setExpiry changes how long the session outlives the connection, as the client
// asks for in seconds when it leaves. It reports false if it must not ask.
func (c *client) setExpiry(k *conn, seconds uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k {
		return true
	}
	if c.expiry == 0 && seconds > 0 {
		return false
	}
	c.expiry = min(time.Duration(seconds)*time.Second, c.srv.limits.SessionExpiry)
	return true
}

// shut ends the connection of the client, because the server stops.
func (c *client) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.conn != nil {
		c.conn.kickOut(&ending{reason: codec.ServerShuttingDown, event: eventServerInitiated})
	}
}
