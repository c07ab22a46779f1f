package mqtt

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"
)

// load takes over what Sessions has kept. It is called before anybody connects.
// In a cluster sessions are taken one by one, when their clients come here.
func (s *Server) load(ctx context.Context) error {
	retain := s.retained.restore
	if s.shared != nil {
		return s.shared.Load(ctx, nil, nil, retain)
	}
	now := s.now()
	err := s.cfg.Sessions.Load(ctx, func(st SessionState) {
		c := s.lock(st.ClientID)
		defer c.mu.Unlock()
		c.restore(st, now)
	}, func(id string, m QueuedMessage) {
		if c := s.clients[id]; c != nil { // else its session is being forgotten
			c.restoreMessage(m)
		}
	}, retain)
	if err != nil {
		return err
	}
	for _, c := range slices.Collect(maps.Values(s.clients)) {
		c.mu.Lock()
		c.due(now) // ends it or sets its timer
		c.mu.Unlock()
	}
	return nil
}

// restore makes the session what has been kept of it. The lock must be held.
func (c *client) restore(st SessionState, now time.Time) {
	c.version, c.kept, c.epoch = st.Version, true, st.Epoch
	c.expiry = time.Duration(st.Expiry) * time.Millisecond
	c.ends = time.UnixMilli(st.Ends)
	if st.Ends == 0 {
		c.ends = now.Add(c.expiry) // it was connected when its server stopped
	}
	for _, u := range st.Subscriptions {
		f, ok := parseFilter(u.Filter)
		if !ok {
			continue
		}
		o := options{qos: u.QoS, noLocal: u.NoLocal, retainAsPublished: u.RetainAsPublished}
		c.session.subscribe(f, o, math.MaxInt) // a limit that was lowered takes nothing away
		c.listen(f, o)
	}
}

// restoreMessage puts back a message of the session.
func (c *client) restoreMessage(m QueuedMessage) {
	m.Message.topic = []byte(m.Message.Topic)
	c.session.restore(delivery{msg: m.Message, seq: m.Seq, qos: 1, retain: m.Retain})
	c.srv.metrics.queued.Add(float64(m.Message.size()))
}
