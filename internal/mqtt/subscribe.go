package mqtt

import (
	"slices"
	"strings"

	"muster/internal/mqtt/codec"
)

// subscribe serves a SUBSCRIBE. Its packet id is the client's alone: that a
// message to the client happens to have the same means nothing.
func (k *conn) subscribe(f codec.Frame) *ending {
	var p codec.Subscribe
	if err := p.Decode(f, k.version); err != nil {
		return clientError(err)
	}
	if p.SubscriptionID != 0 {
		return clientError(&codec.Error{Reason: codec.SubscriptionIDsNotSupported, Text: "subscription id"})
	}
	a := &codec.Suback{PacketID: p.PacketID, Reasons: make([]codec.Reason, len(p.Filters))}
	fs := make([]filter, len(p.Filters))
	for i := range p.Filters {
		fs[i], a.Reasons[i] = k.maySubscribe(p.Filters[i].Filter, i)
	}
	wait := k.client.subscribe(k, &p, fs, a)
	made := accepted(fs, a.Reasons)
	if k.srv.cfg.Peers != nil {
		k.srv.cfg.Peers.Settle(k.srv.ctx, made)
	}
	if err := wait.wait(k.srv.ctx); err != nil {
		return serverError(err)
	}
	k.send(a)
	k.client.sendRetained(k)
	k.srv.subscribed(k, subscribedEvent, made)
	return nil
}

// maySubscribe takes the i-th filter of a SUBSCRIBE apart and says why the
// client may not have it.
func (k *conn) maySubscribe(b []byte, i int) (filter, codec.Reason) {
	f, ok := parseFilter(string(b))
	hooks := &k.srv.cfg.Hooks
	switch {
	case i >= k.srv.limits.SubscribeFilters:
		return f, codec.QuotaExceeded
	case !ok || !k.srv.limits.fits(f.levels):
		return f, codec.TopicFilterInvalid
	case reserved(f.levels) && !k.srv.mayReserve(f.levels):
		return f, codec.TopicFilterInvalid
	case hooks.CanSubscribe != nil && !hooks.CanSubscribe(k.who, f.levels):
		return f, codec.NotAuthorized
	}
	return f, codec.Success
}

func (s *Server) mayReserve(levels string) bool {
	if s.cfg.Hooks.Reserved != nil {
		return s.cfg.Hooks.Reserved(levels)
	}
	return strings.HasPrefix(levels, "$aws/")
}

// accepted returns the filters that were not refused.
func accepted(fs []filter, reasons []codec.Reason) []string {
	var texts []string
	for i := range fs {
		if !reasons[i].Failed() {
			texts = append(texts, fs[i].text)
		}
	}
	return texts
}

// subscribe makes the subscriptions that are allowed and writes into a what the
// client gets. It returns what must be durable before it is answered.
func (c *client) subscribe(k *conn, p *codec.Subscribe, fs []filter, a *codec.Suback) *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := new(pending)
	if c.conn != k {
		return wait
	}
	changed := false
	for i, f := range fs {
		if a.Reasons[i].Failed() {
			continue
		}
		s := &p.Filters[i]
		o := options{qos: min(byte(s.QoS), 1), noLocal: s.NoLocal, retainAsPublished: s.RetainAsPublished}
		fresh, ok := c.session.subscribe(f, o, c.srv.limits.Subscriptions)
		if !ok {
			a.Reasons[i] = codec.QuotaExceeded
			continue
		}
		a.Reasons[i] = codec.Reason(o.qos)
		c.listen(f, o)
		changed = true
		if f.share == "" && !f.wild && (s.RetainHandling == codec.RetainSend || s.RetainHandling == codec.RetainSendIfNew && fresh) {
			c.wanted = append(c.wanted, wanted{topic: f.levels, qos: o.qos})
		}
	}
	if changed && c.expiry > 0 {
		c.keep(wait, 0)
	}
	return wait
}

// wanted is a topic whose retained message a client has yet to be sent, because it
// has subscribed to it.
type wanted struct {
	topic string
	qos   byte // of the subscription
}

// sendRetained sends what was kept for those who subscribe later. What is kept may
// have changed since the client subscribed: a message that replaces it and has
// reached the client already is not followed by what it has replaced.
func (c *client) sendRetained(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k || len(c.wanted) == 0 {
		return
	}
	for _, w := range c.wanted {
		if m := c.srv.retained.get(w.topic, c.srv.nowMillis()); m != nil {
			c.push(&delivery{msg: m, qos: min(m.QoS, w.qos), retain: true}, new(pending))
		}
	}
	c.wanted = nil
	c.pump()
}

// replaced notes that the retained message of a topic has come as any other does.
func (c *client) replaced(topic string) {
	c.wanted = slices.DeleteFunc(c.wanted, func(w wanted) bool { return w.topic == topic })
}

// unsubscribe serves an UNSUBSCRIBE.
func (k *conn) unsubscribe(f codec.Frame) *ending {
	var p codec.Unsubscribe
	if err := p.Decode(f, k.version); err != nil {
		return clientError(err)
	}
	a := &codec.Unsuback{PacketID: p.PacketID, Reasons: make([]codec.Reason, len(p.Filters))}
	gone, wait := k.client.unsubscribe(k, p.Filters, a)
	if err := wait.wait(k.srv.ctx); err != nil {
		return serverError(err)
	}
	k.send(a)
	k.srv.subscribed(k, unsubscribedEvent, gone)
	return nil
}

// unsubscribe ends subscriptions and writes into a which there were.
func (c *client) unsubscribe(k *conn, filters [][]byte, a *codec.Unsuback) (gone []string, wait *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = new(pending)
	if c.conn != k {
		return nil, wait
	}
	for i, b := range filters {
		u, ok := c.session.unsubscribe(string(b))
		if !ok {
			a.Reasons[i] = codec.NoSubscriptionExisted
			continue
		}
		c.unlisten(u.filter())
		gone = append(gone, u.text)
	}
	if len(gone) > 0 && c.expiry > 0 {
		c.keep(wait, 0)
	}
	return slices.Clip(gone), wait
}
