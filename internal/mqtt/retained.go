package mqtt

import (
	"context"
	"math"
	"sync"
)

// retained keeps the last message of each topic for those who subscribe later.
// A subscription gets it only if its filter is the topic itself: wildcards find
// nothing [AWS IoT Core, Retained messages]. It is safe for concurrent use.
//
// In a cluster every node has all of them. Of the messages of a topic the one with
// the greatest stamp stays, in whatever order they come.
type retained struct {
	// order is held while a message is kept here and in Sessions, so that both
	// see the same order.
	order sync.Mutex

	mu       sync.RWMutex
	messages map[string]*Message
	gone     map[string]int64 // stamps of what was taken back lately, in a cluster
	bytes    int
	warned   bool // that there is no room, since there was some
	maxCount int
	maxBytes int
}

// maxGone is how many stamps of messages that were taken back are remembered: more
// than can be on their way.
const maxGone = 1 << 14

// set keeps m, or forgets the topic's message if m has no payload. It reports
// false if there is no room, in which case what was kept stays.
func (r *retained) set(m *Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.put(m, r.maxCount, r.maxBytes)
}

// restore keeps m, which Sessions has, whether or not there is room: a limit that
// was lowered takes nothing away.
func (r *retained) restore(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(m, math.MaxInt, math.MaxInt)
}

// put is set with room for so much.
func (r *retained) put(m *Message, maxCount, maxBytes int) bool {
	old := r.messages[m.Topic]
	if m.Stamp != 0 && (old != nil && old.Stamp > m.Stamp || r.gone[m.Topic] > m.Stamp) {
		return true // it has come too late
	}
	before := 0
	if old != nil {
		before = old.size()
	}
	if len(m.Payload) == 0 {
		delete(r.messages, m.Topic)
		r.bytes -= before
		r.warned = false
		r.forget(m)
		return true
	}
	if old == nil && len(r.messages) >= maxCount || m.size() > before && r.bytes-before+m.size() > maxBytes {
		return false
	}
	if r.messages == nil {
		r.messages = make(map[string]*Message)
	}
	r.messages[m.Topic] = m
	r.bytes += m.size() - before
	return true
}

// forget remembers that a topic's message was taken back.
func (r *retained) forget(m *Message) {
	if m.Stamp == 0 {
		return
	}
	if r.gone == nil || len(r.gone) >= maxGone {
		r.gone = make(map[string]int64)
	}
	r.gone[m.Topic] = m.Stamp
}

// complain reports whether it is time to say that there is no room: once, until
// there is some again.
func (r *retained) complain() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.warned
	r.warned = true
	return first
}

// has reports whether a message is kept for a topic.
func (r *retained) has(topic string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.messages[topic] != nil
}

// get returns the message of a topic, or nil if there is none that is still
// worth delivering at now.
func (r *retained) get(topic string, now int64) *Message {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.messages[topic]
	if m == nil || m.expired(now) {
		return nil
	}
	return m
}

// expire forgets what is not worth delivering at now and returns it.
func (r *retained) expire(now int64) []*Message {
	return r.drop(func(m *Message) bool { return m.expired(now) })
}

// drop forgets those messages for which unwanted returns true and returns them.
func (r *retained) drop(unwanted func(*Message) bool) []*Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []*Message
	for topic, m := range r.messages {
		if unwanted(m) {
			gone = append(gone, m)
			r.warned = false
			r.bytes -= m.size()
			delete(r.messages, topic)
		}
	}
	return gone
}

func (r *retained) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.messages)
}

// unsettled is how long a retained message of another node may take to get into
// Sessions, in nanoseconds.
const unsettled = int64(60e9)

// ReloadRetained reads the retained messages again, because some of other nodes
// may have been missed.
func (s *Server) ReloadRetained(ctx context.Context) error {
	if s.shared == nil {
		return nil
	}
	until := s.now().UnixNano() - unsettled
	kept := make(map[string]bool)
	err := s.shared.Load(ctx, nil, nil, func(m *Message) {
		kept[m.Topic] = true
		s.retained.restore(m)
	})
	if err != nil {
		return err
	}
	s.retained.drop(func(m *Message) bool { return !kept[m.Topic] && m.Stamp < until })
	return nil
}
