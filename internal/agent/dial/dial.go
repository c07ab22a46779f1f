// Package dial connects devices to a server over MQTT: version 5, or 3.1.1 where
// the server does not know that.
package dial

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"muster/internal/agent"
)

// Config says where the server is and who the device is. URL and ClientID are
// required.
type Config struct {
	// URL of the endpoint: mqtt://HOST (port 1883), mqtts://HOST (8883),
	// ws://HOST (80) or wss://HOST (443), each with another port if need be.
	// The path of a WebSocket is /mqtt unless another is given.
	URL string
	// ClientID is the client identifier.
	ClientID string
	// TLS verifies the server and holds the certificate of the device; nil is
	// the system's roots and no certificate.
	TLS *tls.Config
	// KeepAlive is the longest silence on the connection; 0 means a minute.
	KeepAlive time.Duration
}

// connectWait is how long a connection may take to be ready for use, and a
// request on it to be acknowledged.
const connectWait = 30 * time.Second

// receiveMaximum is how many messages the server may send without an
// acknowledgment. The client library sets memory aside for all of them.
const receiveMaximum = 16

// messageBuffer is how many received messages wait for the agent.
const messageBuffer = 8

// MQTT is an agent.Transport.
type MQTT struct {
	cfg Config
	url *url.URL
	old bool // the server has said that it does not know MQTT 5
}

// New returns a transport, which connects to nothing until it is told to. It
// fails if the URL is none of an endpoint.
func New(c Config) (*MQTT, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	port, ok := ports[u.Scheme]
	if !ok || u.Hostname() == "" {
		return nil, fmt.Errorf("dial: %q is not the URL of an MQTT endpoint, such as mqtts://host", c.URL)
	}
	if c.ClientID == "" {
		return nil, errors.New("dial: a client identifier is required")
	}
	u.Host = u.Hostname() + ":" + cmp.Or(u.Port(), port)
	if strings.Contains(u.Hostname(), ":") { // an IPv6 address
		u.Host = "[" + u.Hostname() + "]:" + cmp.Or(u.Port(), port)
	}
	c.KeepAlive = cmp.Or(c.KeepAlive, time.Minute)
	return &MQTT{cfg: c, url: u}, nil
}

// Connect implements agent.Transport. The session ends with the connection: the
// agent asks what is next whenever it connects, so that the server need not
// keep anything for it.
func (m *MQTT) Connect(ctx context.Context, filters []string) (agent.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	said := m.old
	if !m.old {
		conn, err := m.connect5(ctx, filters)
		said = errors.Is(err, errVersion)
		if err == nil || !said && !errors.Is(err, errHungUp) {
			return conn, err
		}
	}
	conn, err := m.connect3(ctx, filters)
	m.old = said && err == nil // else the server may have learned it by the next time
	return conn, err
}

var (
	// errVersion means that a server says that it does not know MQTT 5.
	errVersion = errors.New("dial: the server does not know MQTT 5")
	// errHungUp means that a server has said nothing that is MQTT 5. Some that
	// are too old do that, but so does every bad network: it is worth another
	// attempt, and no reason to do without MQTT 5 from then on.
	errHungUp = errors.New("dial: no answer in MQTT 5")
)

// inbox hands messages from a client library to the agent.
type inbox struct {
	messages chan agent.Message
	ended    chan struct{} // closed when the connection has ended, or is about to
	once     *sync.Once    // closes ended
}

func newInbox() inbox {
	return inbox{make(chan agent.Message, messageBuffer), make(chan struct{}), new(sync.Once)}
}

// end makes Receive fail and put return.
func (i inbox) end() { i.once.Do(func() { close(i.ended) }) }

// put waits until there is room: then the library does not read either.
func (i inbox) put(topic string, payload []byte) {
	select {
	case i.messages <- agent.Message{Topic: topic, Payload: payload}:
	case <-i.ended:
	}
}

var errClosed = errors.New("dial: the connection has ended")

// Receive implements agent.Conn.
func (i inbox) Receive(ctx context.Context) (agent.Message, error) {
	select {
	case m := <-i.messages:
		return m, nil
	case <-i.ended:
		return agent.Message{}, errClosed
	case <-ctx.Done():
		return agent.Message{}, ctx.Err()
	}
}
