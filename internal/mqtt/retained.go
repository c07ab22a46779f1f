package mqtt

import "sync"

// retained keeps the last message of each topic for those who subscribe later.
// A subscription gets it only if its filter is the topic itself: wildcards find
// nothing [AWS IoT Core, Retained messages]. It is safe for concurrent use.
type retained struct {
	// order is held while a message is kept here and in Sessions, so that both
	// see the same order.
	order sync.Mutex

	mu       sync.RWMutex
	messages map[string]*Message
	bytes    int
	maxCount int
	maxBytes int
}

// set keeps m, or forgets the topic's message if m has no payload. It reports
// false if there is no room, in which case what was kept stays.
func (r *retained) set(m *Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.messages[m.Topic]
	before := 0
	if old != nil {
		before = old.size()
	}
	if len(m.Payload) == 0 {
		delete(r.messages, m.Topic)
		r.bytes -= before
		return true
	}
	if old == nil && len(r.messages) >= r.maxCount || r.bytes-before+m.size() > r.maxBytes {
		return false
	}
	if r.messages == nil {
		r.messages = make(map[string]*Message)
	}
	r.messages[m.Topic] = m
	r.bytes += m.size() - before
	return true
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

// expire forgets what is not worth delivering at now and returns the topics.
func (r *retained) expire(now int64) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []string
	for topic, m := range r.messages {
		if m.expired(now) {
			gone = append(gone, topic)
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
