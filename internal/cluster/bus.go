// Package cluster makes servers on one database into one service: it says which
// of them live, which parts each works on, what time it is, and carries messages
// between them.
//
// Everything that must not be lost or done twice is in the database, guarded by
// fences. The bus is best effort: it makes things fast, never right.
package cluster

import (
	"context"
	"errors"
)

// ErrNobody is what Request returns if nobody listens to the subject.
var ErrNobody = errors.New("cluster: nobody listens")

// Message is what a subscriber is handed. Its data must not be modified.
type Message struct {
	Subject string
	Data    []byte
	// Respond answers a request; for anything else it does nothing. It may be
	// called later, from any goroutine, once. An answer that is too large becomes
	// the error ErrTooLarge of the request.
	Respond func(data []byte)
}

// Bus carries messages between nodes, at most once. Messages of one publisher on
// one subject arrive in order. A subject is a list of tokens separated by dots,
// each of letters, digits, - and _. There are no wildcards. It is safe for
// concurrent use.
type Bus interface {
	// Publish sends to all who have subscribed, the publisher included if it
	// has. It does not wait for anybody, and returns an error only if the message
	// was certainly not sent, as one of more than MaxData is not: ErrTooLarge.
	Publish(subject string, data []byte) error
	// Request sends, and waits for the first answer or the end of ctx. It
	// returns ErrNobody, at once where that is known, if there is no subscriber,
	// and ErrTooLarge if it, or the answer, cannot be sent.
	Request(ctx context.Context, subject string, data []byte) ([]byte, error)
	// Subscribe calls fn for each message on a subject, one after another: fn must
	// not block for long. cancel ends it; a message on its way may still come.
	Subscribe(subject string, fn func(Message)) (cancel func(), err error)
	// Healthy returns nil if messages can pass now, else why not.
	Healthy() error
	// Close ends the bus and its subscriptions. What was published before is sent.
	Close() error
}
