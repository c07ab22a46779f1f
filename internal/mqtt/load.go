package mqtt

import (
	"context"
	"maps"
	"slices"
	"time"
)

// load takes over what Sessions has kept. It is called before anybody connects.
func (s *Server) load(ctx context.Context) error {
	now := time.Now()
	err := s.cfg.Sessions.Load(ctx, s.loadSession(now), func(id string, m QueuedMessage) {
		c := s.clients[id]
		if c == nil {
			return // its session is being forgotten
		}
		m.Message.topic = []byte(m.Message.Topic)
		c.session.restore(delivery{msg: m.Message, seq: m.Seq, qos: 1, retain: m.Retain})
		s.metrics.queued.Add(float64(m.Message.size()))
	}, func(m *Message) {
		s.retained.set(m)
	})
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

// loadSession returns the function that takes over one session.
func (s *Server) loadSession(now time.Time) func(SessionState) {
	return func(st SessionState) {
		c := s.lock(st.ClientID)
		defer c.mu.Unlock()
		c.version, c.kept = st.Version, true
		c.expiry = time.Duration(st.Expiry) * time.Millisecond
		c.ends = time.UnixMilli(st.Ends)
		if st.Ends == 0 {
			c.ends = now.Add(c.expiry) // it was connected when the server stopped
		}
		for _, u := range st.Subscriptions {
			f, ok := parseFilter(u.Filter)
			if !ok {
				continue
			}
			o := options{qos: u.QoS, noLocal: u.NoLocal, retainAsPublished: u.RetainAsPublished}
			c.session.subscribe(f, o, s.limits.Subscriptions)
			s.tree.subscribe(f, c, o)
		}
	}
}
