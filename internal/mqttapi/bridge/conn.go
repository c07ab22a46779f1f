package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/mqtt/codec"
)

// Bounds of a connection to the broker.
const (
	connectWait = 10 * time.Second // for all of network, TLS and CONNACK
	ackWait     = 10 * time.Second // for the answer to SUBSCRIBE
	writeWait   = 20 * time.Second // for the broker to read what it is sent
	byeWait     = time.Second      // for DISCONNECT to leave
	keepAlive   = 20 * time.Second // twice the time between two pings
	// maxPacket is the longest packet that the broker may send. It is twice what
	// the jobs API takes, so that what is too long for that gets its answer.
	maxPacket = 256 << 10
	// maxQuota is how many messages of ours may be without an acknowledgement,
	// if the broker does not set a lower bound.
	maxQuota = 4096
)

// dialing says how to connect.
type dialing struct {
	network  func(context.Context) (net.Conn, error)
	id       string // client id
	user     string
	password []byte
	expiry   time.Duration // of the session; 0: it is new and ends with the connection
	window   uint16        // receive maximum
	// receive takes what the broker publishes; it owns the packet. While it
	// waits, nothing more is read. nil: nothing is expected.
	receive func(*conn, *codec.Publish)
	// ping is called before a PINGREQ and returns what its answer calls. nil: nothing.
	ping func() func()
}

// conn is one MQTT 5 connection to a broker, from CONNACK to its end. It is not
// a general client: it does what a bridge needs, and no more. In exchange it
// acknowledges when it is told to, in batches and without a clock, and whoever
// waits for the broker knows at once when the connection is lost.
type conn struct {
	dialing
	nc   net.Conn
	told codec.Connack // without what shares memory with the packet
	rest []byte        // what came right after CONNACK

	out     outbox
	quota   chan struct{} // a slot for each message of QoS 1 under way
	mu      sync.Mutex
	pending map[uint16]pending // guarded by mu: by packet id
	lastID  uint16             // guarded by mu

	pongs   chan func()  // what the PINGREQs under way have left behind
	read    atomic.Int64 // when the broker was last heard, in nanoseconds since the epoch
	waiting atomic.Bool  // receive is being called, and may wait
	quiet   atomic.Bool  // what the broker publishes is ignored

	life     context.Context         // ends with the connection; its cause says why
	cut      context.CancelCauseFunc // ends life
	finished chan struct{}           // closed when nothing is received any more
}

// pending is a packet that the broker has yet to answer.
type pending struct {
	answer chan<- []codec.Reason // has room for it
	quota  bool                  // its slot is free again then
}

// Errors of a connection.
var (
	errClosed = errors.New("the connection was closed")
	errSilent = errors.New("the broker is silent")
	errAnswer = errors.New("the broker answers something else")
)

// connect returns a connection that the broker has accepted. Nothing is read
// from it until it is started.
func connect(ctx context.Context, d dialing) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	nc, err := d.network(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{
		dialing: d, nc: nc, pending: make(map[uint16]pending), pongs: make(chan func(), 4), finished: make(chan struct{}),
	}
	c.life, c.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	if err := c.shakeHands(); err != nil {
		c.end(err)
	}
	if !stop() || c.life.Err() != nil {
		<-c.life.Done()
		return nil, context.Cause(c.life)
	}
	return c, nil
}

// shakeHands sends CONNECT and reads its answer.
func (c *conn) shakeHands() error {
	hello := codec.Connect{
		Version: codec.V5, ClientID: []byte(c.id), CleanStart: c.expiry == 0, SessionExpiry: uint32(c.expiry / time.Second),
		KeepAlive: uint16(keepAlive / time.Second), ReceiveMaximum: c.window, MaximumPacketSize: maxPacket,
	}
	if c.user != "" {
		hello.UserName = []byte(c.user)
	}
	hello.Password = c.password
	if err := c.write(&hello); err != nil {
		return err
	}
	in := inbound{from: c.nc}
	f, err := in.next()
	if err != nil {
		return err
	}
	if f.Type != codec.TypeConnack {
		return fmt.Errorf("%s instead of CONNACK", f.Type)
	}
	var a codec.Connack
	if err := a.Decode(f, codec.V5); err != nil {
		return fmt.Errorf("no CONNACK of MQTT 5: %w", err)
	}
	if a.Reason.Failed() {
		return refusal("connection", a.Reason, a.ReasonString)
	}
	quota := maxQuota
	if a.ReceiveMaximum > 0 {
		quota = min(quota, int(a.ReceiveMaximum))
	}
	c.quota = make(chan struct{}, quota)
	c.told = codec.Connack{
		SessionPresent: a.SessionPresent, MaximumPacketSize: a.MaximumPacketSize, NoShared: a.NoShared, NoWildcards: a.NoWildcards,
		HasMaximumQoS: a.HasMaximumQoS, MaximumQoS: a.MaximumQoS,
		HasServerKeepAlive: a.HasServerKeepAlive, ServerKeepAlive: a.ServerKeepAlive,
	}
	c.rest = in.rest()
	return nil
}

// refusal is what the broker says no to, with its reason and words.
func refusal(what string, reason codec.Reason, text []byte) error {
	if len(text) == 0 {
		return fmt.Errorf("%s refused: %w", what, reason)
	}
	return fmt.Errorf("%s refused: %w: %q", what, reason, text)
}

// start begins to read, and to ping.
func (c *conn) start() {
	c.read.Store(time.Now().UnixNano())
	go func() {
		defer close(c.finished)
		c.end(c.readAll())
	}()
	go c.pingAll()
}

// end ends the connection. The first reason counts.
func (c *conn) end(err error) {
	c.cut(err)
	_ = c.nc.Close() // err says more
}

// close says good-bye and ends the connection. The session goes on as long as
// was agreed on.
func (c *conn) close() {
	late := time.AfterFunc(byeWait, func() { c.end(errClosed) })
	defer late.Stop()
	_ = c.write(&codec.Disconnect{}) // nothing can follow from the error
	c.end(errClosed)
}
