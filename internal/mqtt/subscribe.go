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
	kept, wait := k.client.subscribe(k, &p, fs, a)
	if err := wait.wait(k.srv.ctx); err != nil {
		return serverError(err)
	}
	k.send(a)
	k.client.sendRetained(k, kept)
	k.srv.subscribed(k, subscribedEvent, accepted(fs, a.Reasons))
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
// client gets. It returns the topics whose retained messages the client is to be
// sent, and what must be durable before it is answered.
func (c *client) subscribe(k *conn, p *codec.Subscribe, fs []filter, a *codec.Suback) (topics []delivery, wait *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = new(pending)
	if c.conn != k {
		return nil, wait
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
			if m := c.srv.retained.get(f.levels, c.srv.nowMillis()); m != nil {
				topics = append(topics, delivery{msg: m, qos: min(m.QoS, o.qos), retain: true})
			}
		}
	}
	if changed && c.expiry > 0 {
		c.keep(wait, 0)
	}
	return topics, wait
}

// sendRetained sends what was kept for those who subscribe later.
func (c *client) sendRetained(k *conn, ds []delivery) {
	if len(ds) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != k {
		return
	}
	for i := range ds {
		c.push(&ds[i], new(pending))
	}
	c.pump()
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
