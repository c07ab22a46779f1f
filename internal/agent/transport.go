package agent

import "context"

// Transport makes connections to the server.
type Transport interface {
	// Connect returns a new connection on which messages to the topics that
	// match filters, and the answers to what the device publishes, are
	// received. It fails if the server cannot be reached, refuses the device,
	// or refuses a filter. Connect is not called while a connection is open.
	Connect(ctx context.Context, filters []string) (Conn, error)
}

// Conn is one connection to the server.
type Conn interface {
	// Publish sends a message. It returns nil when the server has it, and an
	// error if that is not known, at the latest when ctx ends.
	Publish(ctx context.Context, topic string, payload []byte) error
	// Receive returns the next message, in the order in which the server has
	// sent them. It fails when the connection or ctx has ended.
	Receive(ctx context.Context) (Message, error)
	// Close ends the connection. It may be called again.
	Close() error
}

// Message is a message from the server.
type Message struct {
	Topic string
	// Payload belongs to the receiver.
	Payload []byte
}
