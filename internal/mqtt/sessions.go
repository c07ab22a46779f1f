package mqtt

import (
	"context"
	"errors"
	"sync"
)

// Sessions keeps what must outlive the process: persistent sessions, the QoS 1
// messages on their way to them, and retained messages. The server has all of
// it in memory, too; it reads Sessions once, when it is made. In a cluster it has
// the sessions that it owns.
//
// The methods that change something must not block and take effect in the order
// of the calls; the server makes those about one client one after another. done
// is called once, from any goroutine, possibly before the method returns: with
// nil when the change, and with it every earlier one about the same client, is
// durable, else with why it is not. It must not block, and may be nil. What is
// handed over must not be modified. They are safe for concurrent use.
type Sessions interface {
	// Load calls the functions for everything kept, but for those that are nil. The
	// messages of a session come after it, in the order of their numbers.
	Load(ctx context.Context, session func(SessionState), message func(clientID string, m QueuedMessage), retained func(*Message)) error
	// Put keeps a session, made or changed, beside the messages it has.
	Put(s SessionState, done func(error))
	// Delete forgets a session and its messages.
	Delete(s SessionRef, done func(error))
	// Append keeps a message for a session.
	Append(s SessionRef, m QueuedMessage, done func(error))
	// Ack forgets a message: it has been delivered or is no longer worth it.
	Ack(s SessionRef, seq uint64, done func(error))
	// Retain keeps the message of a topic, or forgets the topic's if m has no
	// payload. Of messages with a Stamp the one with the greatest stays.
	Retain(m *Message, done func(error))
}

// SessionRef names a session that is to be changed.
type SessionRef struct {
	ClientID string
	// Epoch is that of the session; 0 if the server is alone.
	Epoch int64
}

// Shared is a Sessions that the nodes of a cluster have in common. A session is
// owned by one node at most. Its epoch tells each owner from the next: a change
// that names another epoch, or comes from another node, fails with ErrNotOwner
// and changes nothing.
type Shared interface {
	Sessions
	// Take makes this node the owner of a session, whoever has been, and returns
	// it. What this node has asked for before comes first. The zero value is
	// returned if there is no such session. If it fails, the session may have been
	// taken all the same: Adopt finds it among those of this node.
	Take(ctx context.Context, clientID string) (Taken, error)
	// Release puts a session for the last time and leaves it to whoever takes it.
	Release(s SessionState, done func(error))
	// Owners returns the nodes that own sessions, in order. The empty one is among
	// them if there are sessions that have been released.
	Owners(ctx context.Context) ([]string, error)
	// Adopt takes those sessions of another node for which mine returns true, and
	// calls adopt for each. For the others it calls other. If it fails, some may
	// have been taken. Of this node itself it takes those again, with another epoch.
	Adopt(ctx context.Context, from string, mine func(clientID string) bool, adopt func(Taken), other func(SessionState)) error
}

// Taken is a session that has changed its owner.
type Taken struct {
	SessionState
	// Messages are in the order of their numbers.
	Messages []QueuedMessage
	// From is the node that has owned it, empty if none has.
	From string
}

// ErrNotOwner is why a change of a session fails that this node does not own any
// more, or never has.
var ErrNotOwner = errors.New("mqtt: the session belongs to another node")

// SessionState is what is kept of a session beside its messages.
type SessionState struct {
	// ClientID is the key.
	ClientID string
	// Version is that of the protocol, 4 or 5: a session cannot be resumed
	// with the other one.
	Version byte
	// Expiry is how long it lives after the end of its connection, in milliseconds.
	Expiry int64
	// Ends is when it ends, in milliseconds since the Unix epoch; 0 while its
	// client is connected.
	Ends int64
	// Subscriptions are in the order in which they were made.
	Subscriptions []SubscriptionState
	// Epoch grows with each owner, from 1; 0 if the server is alone.
	Epoch int64
	// New asks a Shared to fail if there is such a session already, whosever it is.
	New bool
}

// SubscriptionState is a subscription of a kept session.
type SubscriptionState struct {
	Filter            string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
}

// QueuedMessage is a QoS 1 message that a session's client has not acknowledged.
type QueuedMessage struct {
	// Seq is its place in the session: the packet id follows from it.
	Seq uint64
	// Retain is the flag that the client will see.
	Retain bool
	// Message is what was published.
	Message *Message
}

// state returns what is to be kept of a session.
func (s *session) state(clientID string, version byte, expiry, ends int64) SessionState {
	st := SessionState{ClientID: clientID, Version: version, Expiry: expiry, Ends: ends}
	for _, u := range s.subs {
		st.Subscriptions = append(st.Subscriptions, SubscriptionState{
			Filter: u.text, QoS: u.qos, NoLocal: u.noLocal, RetainAsPublished: u.retainAsPublished,
		})
	}
	return st
}

// pending is what must be durable before a publisher is answered. The zero
// value waits for nothing.
type pending struct {
	mu   sync.Mutex // guards what follows
	left int
	err  error
	end  chan struct{} // closed when nothing is left; nil unless somebody waits

	// moved are sessions that have gone to other nodes, and astray is whether one
	// has gone to nobody knows where; of the publisher alone.
	moved  []Moved
	astray bool
}

// add returns the function that ends one more thing to wait for.
func (p *pending) add() func(error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left++
	return p.done
}

func (p *pending) done(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	if err != nil && (p.err == nil || errors.Is(p.err, ErrNotOwner)) {
		p.err = err
	}
	if p.left == 0 && p.end != nil {
		close(p.end)
		p.end = nil
	}
}

// over reports whether everything is durable.
func (p *pending) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left == 0 && p.err == nil
}

// wait returns when everything is durable, with the first error, or when ctx ends.
// Nothing may be added meanwhile, and only one may wait.
func (p *pending) wait(ctx context.Context) error {
	p.mu.Lock()
	if p.left == 0 {
		defer p.mu.Unlock()
		return p.err
	}
	end := make(chan struct{})
	p.end = end
	p.mu.Unlock()
	select {
	case <-end:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
