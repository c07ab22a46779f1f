package mqtt

import (
	"sync"
	"sync/atomic"
	"time"
)

// client is a client id that the server knows: its session and the connection
// that the session has at the moment, if any. It is known as long as it is
// connected or its session has not ended; who finds it gone asks the server again.
//
// Locks are taken in the order client, then tree, server, connection or Sessions.
type client struct {
	srv *Server
	id  string
	// online is whether there is a connection; for those who only want a hint.
	online atomic.Bool

	mu      sync.Mutex // guards what follows
	session session
	conn    *conn // nil while disconnected
	// opened is whether conn has been told that it is connected: nothing is sent before.
	opened  bool
	gone    bool // no longer in the server's table
	version byte
	expiry  time.Duration // of the session after the end of its connection
	kept    bool          // Sessions has it
	ends    time.Time     // of the session, while disconnected
	will    *will         // that is to be published unless the client comes back
	timer   *time.Timer   // for ends and will

	presence int64 // the number of the next connection in lifecycle events

	// epoch is that of the session in Sessions, stamp when the last connection has
	// claimed the client, and moved the node that has taken a session from here,
	// gone since then. If that is not known, the session is astray. They are of use
	// in a cluster only.
	epoch  int64
	stamp  int64
	moved  string
	astray bool

	wanted []wanted // retained messages, since the last SUBSCRIBE

	behind bool          // nobody waits for it until it is relieved
	room   chan struct{} // closed when there is room again; nil if nobody waits
}

// deliver puts m on its way to the client, as o asks for. What must be durable is
// added to p. It reports whether a publisher should wait for room before it goes on.
func (c *client) deliver(m *Message, o options, p *pending) (full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := delivery{msg: m, qos: min(m.QoS, o.qos), retain: m.Retain && o.retainAsPublished}
	if c.gone {
		c.missed(p)
		return false
	}
	if c.conn == nil && d.qos == 0 {
		return false
	}
	if !c.push(&d, p) {
		return false
	}
	if m.Retain {
		c.replaced(m.Topic)
	}
	if k := c.conn; k != nil {
		c.pump()
		k.kick()
	}
	return c.slow()
}

// slow reports whether publishers should wait for the client.
func (c *client) slow() bool { return c.conn != nil && !c.behind && c.session.full() }

// push puts d in the queue. It reports false if there was no room.
func (c *client) push(d *delivery, p *pending) bool {
	d.stored = c.kept && d.qos > 0 && !d.direct
	before := c.session.bytes
	ok := c.session.push(d) || c.tidy(d) || c.squeeze(d)
	c.srv.metrics.queued.Add(float64(c.session.bytes - before))
	if !ok {
		c.srv.metrics.dropped[droppedFull].Inc()
		return false
	}
	if d.stored {
		c.srv.cfg.Sessions.Append(c.ref(), QueuedMessage{Seq: d.seq, Retain: d.retain, Message: d.msg}, c.durable(p))
	}
	return true
}

// tidy tries again to put d in the queue after what has expired there is gone.
func (c *client) tidy(d *delivery) bool {
	c.session.expire(c.srv.nowMillis(), func(gone *delivery) {
		c.srv.metrics.dropped[droppedExpired].Inc()
		c.forget(gone)
	})
	return c.session.push(d)
}

// squeeze tries again in place of those that d makes superfluous, and in the reserve.
func (c *client) squeeze(d *delivery) bool {
	l := &c.srv.limits
	r := reserve{messages: l.ReserveMessages, bytes: l.ReserveBytes, whole: c.srv.cfg.Hooks.Whole}
	return c.session.pushWhole(d, r, func(gone *delivery) {
		c.srv.metrics.dropped[droppedReplaced].Inc()
		c.forget(gone)
	})
}

// pump hands the connection what it can take. The caller sees to it that it is
// written.
func (c *client) pump() {
	k := c.conn
	if k == nil || !c.opened {
		return
	}
	before := c.session.bytes
	for k.hungry() {
		d, ok := c.session.next()
		if !ok {
			break
		}
		if why := c.unwanted(&d); why != "" {
			c.srv.metrics.dropped[why].Inc()
			c.session.drop(&d)
			c.forget(&d)
			continue
		}
		if why := k.sendPublish(&d); why != "" {
			c.srv.metrics.dropped[why].Inc()
			c.session.drop(&d)
			c.forget(&d)
		}
	}
	c.srv.metrics.queued.Add(float64(c.session.bytes - before))
	c.eased()
}

// unwanted returns why d must not be sent after all, or nothing.
func (c *client) unwanted(d *delivery) string {
	if d.msg.Expires != 0 && !d.sent && d.msg.expired(c.srv.nowMillis()) {
		return droppedExpired
	}
	if may := c.srv.cfg.Hooks.CanReceive; may != nil && !d.direct && !may(c.conn.who, d.msg.Topic) {
		return droppedDenied
	}
	return ""
}

// forget tells Sessions that d is done with.
func (c *client) forget(d *delivery) {
	if d.stored {
		c.srv.cfg.Sessions.Ack(c.ref(), d.seq, c.owned(nil))
	}
}

// eased lets those go on who wait for room, if there is enough. What was full must be
// almost empty first: one that merely is a message less than full would be waited for
// again with the next message, and with every one after that.
func (c *client) eased() {
	if c.session.relieved() {
		c.behind = false
		c.release()
	}
}

// release lets those go on who wait for room.
func (c *client) release() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// roomy returns a channel that is closed when a publisher that has found the client
// slow need not wait any more, or nil if that is so already.
func (c *client) roomy() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.slow() {
		return nil
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	return c.room
}

// acknowledged ends the delivery that the client has acknowledged on k.
func (c *client) acknowledged(k *conn, id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k {
		return
	}
	before := c.session.bytes
	d, ok := c.session.ack(id)
	if !ok {
		return // after a resumption it may be for a reply that has gone with its connection
	}
	c.srv.metrics.queued.Add(float64(c.session.bytes - before))
	c.forget(&d)
	c.pump()
}

// refill goes on after k has sent all that it was given.
func (c *client) refill(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == k {
		c.pump()
		k.kick()
	}
}

// giveUp notes that who has waited for room did so in vain.
func (c *client) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = !c.session.relieved()
	c.release()
}

// reply puts the replies to a request on their way, if k is still the connection.
func (c *client) reply(k *conn, rs []Reply, qos byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k {
		c.srv.metrics.dropped[droppedOffline].Add(float64(len(rs)))
		return
	}
	for _, r := range rs {
		q := qos
		if granted, ok := c.session.granted(r.Topic); ok {
			q = min(q, granted.qos)
		}
		c.push(&delivery{msg: &Message{Topic: r.Topic, Payload: r.Payload, QoS: q}, qos: q, direct: true}, nil)
	}
	c.pump()
}
