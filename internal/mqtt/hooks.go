package mqtt

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"

	"muster/internal/auth"
)

// Client is an authenticated client, as hooks see it.
type Client struct {
	// Principal is what the Connect hook made of its credentials.
	Principal auth.Principal
	// ID is the client identifier.
	ID string
}

// ConnectRequest is a client that wants to connect.
type ConnectRequest struct {
	// ClientID is what it calls itself, or the name that the server has given
	// to a client without one.
	ClientID string
	// Version of the protocol: 4 is 3.1.1, 5 is 5.
	Version byte
	// Username and Password are what CONNECT carries. AWS clients send a user
	// name that only tells of their software: it is no sign of credentials.
	Username string
	Password []byte
	// Listener is the name of the listener, Remote the address of the client.
	Listener string
	Remote   net.Addr
	// Certificate is the client's, with its possession proved by the TLS
	// handshake and nothing else verified; nil if it has shown none.
	Certificate *x509.Certificate
	// Fingerprint is the SHA-256 of the certificate in lower-case hex, or empty.
	Fingerprint string
	// ALPN is the protocol that TLS has settled on, or empty.
	ALPN string
	// HTTP is the request that opened the WebSocket; nil on other transports.
	HTTP *http.Request
}

// Refusal is a reason why the Connect hook turns a client away. Any other error
// is a fault of the server, which the client is told nothing about.
type Refusal byte

// The refusals.
const (
	// BadCredentials means that nobody knows who this is.
	BadCredentials Refusal = iota + 1
	// NotAuthorized means that who it is may not connect, or not by this client id.
	NotAuthorized
)

// Error implements error.
func (r Refusal) Error() string {
	if r == BadCredentials {
		return "bad credentials"
	}
	return "not authorized"
}

// Request is a message published to a topic of the server.
type Request struct {
	Client
	// Topic begins with $.
	Topic string
	// Payload is valid during the call only.
	Payload []byte
	// QoS is 0 or 1.
	QoS byte
}

// Reply goes to the connection that made the request and to nobody else.
type Reply struct {
	Topic   string
	Payload []byte
}

// Response is what a request leads to. The zero value, with Handled set, is a
// request that nobody answers.
type Response struct {
	// Handled is whether the topic is one that clients may publish to.
	Handled bool
	// Replies are sent in order, once each, whether or not the client has
	// subscribed to them, in the QoS of the request or the one that it has
	// subscribed with, whichever is lower. If the connection is gone, so are they.
	Replies []Reply
	// After, if not nil, is called when the acknowledgement and the replies
	// have been handed to the connection: what is published from then on
	// arrives after them.
	After func()
}

// Hooks are the decisions that the endpoint leaves to others. A nil hook allows
// everything, but for Handle, without which no topic that begins with $ can be
// published to, and Whole. They are called on the goroutine of the connection concerned,
// CanReceive also on those of publishers: they should not block, but for
// Connect, Thing and Handle, and must be safe for concurrent use.
type Hooks struct {
	// Connect says who a client is, or refuses it with a Refusal.
	Connect func(context.Context, *ConnectRequest) (auth.Principal, error)
	// CanPublish, CanSubscribe and CanReceive say whether a client may do that.
	// A filter comes without $share/{name}/. Replies are not asked about.
	CanPublish   func(c Client, topic string) bool
	CanSubscribe func(c Client, filter string) bool
	CanReceive   func(c Client, topic string) bool
	// Thing returns the name of the thing that a client is, for lifecycle events, or
	// nothing. It is asked if somebody listens to those, and may read the store.
	Thing func(context.Context, Client) string
	// Reserved says whether a filter that begins with $ is one that clients may
	// subscribe to at all; nil allows those that begin with $aws/.
	Reserved func(filter string) bool
	// Whole says whether a message of the server to a topic that begins with $ tells
	// all that there is to know, so that it makes those before it superfluous. There
	// is room for it in a queue that is full of other messages; see
	// Limits.ReserveMessages. Without the hook no message is.
	Whole func(topic string) bool
	// Handle serves what a client has published to a topic that begins with $,
	// after CanPublish has allowed it. What it does must be durable when it
	// returns, because then the message is acknowledged, whatever the replies
	// say. An error is a fault of the server: the message is not acknowledged.
	Handle func(context.Context, *Request) (Response, error)
}
