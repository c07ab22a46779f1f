package mqtt

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Memory is a Sessions that lives as long as the process: for tests of what
// survives a server. The zero value is empty.
type Memory struct {
	mu       sync.Mutex // guards what follows
	sessions map[string]SessionState
	messages map[string][]QueuedMessage // by client id, in order of their numbers
	retained map[string]*Message
}

var _ Sessions = (*Memory)(nil)

// Load implements Sessions. Sessions and topics are in order.
func (m *Memory) Load(_ context.Context, session func(SessionState), message func(string, QueuedMessage), retained func(*Message)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.sessions)) {
		if session == nil {
			break
		}
		session(m.sessions[id])
		for _, q := range m.messages[id] {
			own := *q.Message
			q.Message = &own
			message(id, q)
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(m.retained)) {
		own := *m.retained[topic]
		retained(&own)
	}
	return nil
}

// change makes a change, which is durable at once.
func (m *Memory) change(f func(), done func(error)) {
	m.mu.Lock()
	if m.sessions == nil {
		m.sessions = make(map[string]SessionState)
		m.messages = make(map[string][]QueuedMessage)
		m.retained = make(map[string]*Message)
	}
	f()
	m.mu.Unlock()
	if done != nil {
		done(nil)
	}
}

// Put implements Sessions.
func (m *Memory) Put(s SessionState, done func(error)) {
	m.change(func() { m.sessions[s.ClientID] = s }, done)
}

// Delete implements Sessions.
func (m *Memory) Delete(s SessionRef, done func(error)) {
	m.change(func() {
		delete(m.sessions, s.ClientID)
		delete(m.messages, s.ClientID)
	}, done)
}

// Append implements Sessions.
func (m *Memory) Append(s SessionRef, q QueuedMessage, done func(error)) {
	m.change(func() { m.messages[s.ClientID] = append(m.messages[s.ClientID], q) }, done)
}

// Ack implements Sessions.
func (m *Memory) Ack(s SessionRef, seq uint64, done func(error)) {
	m.change(func() {
		m.messages[s.ClientID] = slices.DeleteFunc(m.messages[s.ClientID], func(q QueuedMessage) bool { return q.Seq == seq })
	}, done)
}

// Retain implements Sessions.
func (m *Memory) Retain(msg *Message, done func(error)) {
	m.change(func() {
		if len(msg.Payload) == 0 {
			delete(m.retained, msg.Topic)
			return
		}
		m.retained[msg.Topic] = msg
	}, done)
}
