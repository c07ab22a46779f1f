package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// NATSConfig says how a node reaches the others by NATS: through servers that
// are there already if URL is set, else through one in this process that is
// connected with those of the other nodes. Name is needed.
type NATSConfig struct {
	// Name tells apart what shares a network or a server of NATS, and must be the
	// same on all nodes. It is one token of a subject.
	Name string
	// Log is told of connections that come and go; nil discards.
	Log *slog.Logger

	// URL is the address of one or more servers, separated by commas:
	// nats://user:password@host:port, or tls://… .
	URL string
	// Credentials is a file with a user's credentials for them, or empty.
	Credentials string

	// Listen is where other nodes connect, host:port; port 0 is any. If it is
	// empty, this node is alone.
	Listen string
	// Advertise is the host:port by which others reach this node; empty is Listen.
	Advertise string
	// Peers are the addresses of other nodes. See SetPeers.
	Peers []string
	// Secret is what nodes know each other by. It is needed with Listen.
	Secret []byte

	// TLS holds the certificate and the CAs. With a URL it is for the connection
	// to it, nil being the machine's CAs. With Listen it is for both directions
	// between nodes, which check each other, and is needed unless Listen is an
	// address of this machine alone.
	TLS *tls.Config
}

// NATS is a bus over core NATS. It implements Bus.
type NATS struct {
	conn     *nats.Conn
	embedded *embedded // nil if the servers are others'
	prefix   string
	log      *slog.Logger
	closed   atomic.Bool
}

var _ Bus = (*NATS)(nil)

const (
	// While there is no connection, so many bytes of messages are kept.
	reconnectBuffer = 1 << 20
	// A connection that does not answer is given up after two of these.
	pingEvery = 2 * time.Second
	dialTime  = 5 * time.Second
	flushTime = 2 * time.Second
)

// OpenNATS opens a bus. Servers that cannot be reached, and nodes, are tried
// again for ever: see Healthy. It fails if the settings are wrong or the address
// cannot be listened on.
func OpenNATS(ctx context.Context, cfg NATSConfig) (*NATS, error) {
	if checkSubject(cfg.Name) != nil || strings.Contains(cfg.Name, ".") {
		return nil, fmt.Errorf("cluster: %q is no name for a cluster", cfg.Name)
	}
	b := &NATS{prefix: "muster." + cfg.Name + ".", log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))}
	options := b.options(cfg)
	var err error
	if cfg.URL == "" {
		b.embedded, err = embed(ctx, cfg, b.log)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.InProcessServer(b.embedded.server))
	}
	b.conn, err = nats.Connect(cfg.URL, options...)
	if err != nil {
		b.embedded.close()
		return nil, fmt.Errorf("cluster: connect to NATS: %w", err)
	}
	if !b.conn.IsConnected() {
		b.log.Warn("cluster: no NATS server can be reached, which is tried again for ever; until then nodes learn of each other's changes from "+
			"the database: is one running there, and do user, password and TLS fit?", "servers", hosts(cfg.URL), "err", cmp.Or(b.conn.LastError(), errSilent))
	}
	return b, nil
}

var errSilent = errors.New("no server has answered yet")

// hosts returns the servers of a list of URLs, without what is secret.
func hosts(urls string) string {
	var hs []string
	for text := range strings.SplitSeq(urls, ",") {
		_, rest, _ := strings.Cut(text, "://")
		hs = append(hs, rest[strings.LastIndexByte(rest, '@')+1:])
	}
	return strings.Join(hs, ",")
}

// met looks at a server to which there is a connection now.
func (b *NATS) met(c *nats.Conn, what string) {
	b.log.Info(what, "server", c.ConnectedServerName())
	if most := c.MaxPayload(); most < MaxData {
		b.log.Warn("cluster: the NATS server takes small messages only, so that large ones of devices do not reach other nodes: raise its max_payload",
			"max_payload", most, "want", MaxData)
	}
}

func (b *NATS) options(cfg NATSConfig) []nats.Option {
	options := []nats.Option{
		nats.Name("muster"),
		nats.Timeout(dialTime),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		// Who is turned away twice would else give up for ever, though a password
		// may only be on its way to a server.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(500*time.Millisecond, time.Second),
		nats.ReconnectBufSize(reconnectBuffer),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		nats.CustomInboxPrefix(b.prefix + "_inbox_" + rand.Text()),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !b.closed.Load() {
				b.log.Warn("cluster: the connection to NATS is lost", "err", err)
			}
		}),
		nats.ConnectHandler(func(c *nats.Conn) { b.met(c, "cluster: connected to NATS") }),
		nats.ReconnectHandler(func(c *nats.Conn) { b.met(c, "cluster: connected to NATS again") }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			b.log.Warn("cluster: NATS", "subject", subject, "err", err)
		}),
	}
	if cfg.URL != "" && cfg.TLS != nil {
		options = append(options, nats.Secure(cfg.TLS.Clone()))
	}
	if cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(cfg.Credentials))
	}
	return options
}

// Address returns where other nodes reach this one, host:port, or nothing if
// they do not.
func (b *NATS) Address() string {
	if b.embedded == nil {
		return ""
	}
	return b.embedded.address
}

// SetPeers replaces the addresses of the other nodes. It does nothing if the
// servers are others'.
func (b *NATS) SetPeers(addresses []string) error {
	if b.embedded == nil {
		return nil
	}
	return b.embedded.setPeers(addresses)
}

// Publish implements Bus.
func (b *NATS) Publish(subject string, data []byte) error {
	err := checkMessage(subject, data)
	if err != nil {
		return err
	}
	return fault(b.conn.Publish(b.prefix+subject, data))
}

// withheld is the header of an answer that stands for one that was too large. It
// holds how many bytes that had.
const withheld = "Muster-Withheld"

// respond answers a request, best effort: who asks does not wait for ever. But
// that the answer cannot be sent is one, too.
func (b *NATS) respond(m *nats.Msg, data []byte) {
	if m.Reply == "" {
		return
	}
	err := checkSize(data)
	if err == nil {
		err = fault(b.conn.Publish(m.Reply, data))
	}
	if !errors.Is(err, ErrTooLarge) {
		return
	}
	b.log.Warn("cluster: an answer is too large for the bus", "subject", m.Subject, "err", err)
	instead := nats.NewMsg(m.Reply)
	instead.Header.Set(withheld, strconv.Itoa(len(data)))
	_ = b.conn.PublishMsg(instead)
}

// Request implements Bus.
func (b *NATS) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	err := checkMessage(subject, data)
	if err != nil {
		return nil, err
	}
	m, err := b.conn.RequestWithContext(ctx, b.prefix+subject, data)
	if err != nil {
		return nil, fault(err)
	}
	if size := m.Header.Get(withheld); size != "" {
		return nil, fmt.Errorf("%w: answer of %s bytes", ErrTooLarge, size)
	}
	return m.Data, nil
}

// Subscribe implements Bus.
func (b *NATS) Subscribe(subject string, fn func(Message)) (cancel func(), err error) {
	err = checkSubject(subject)
	if err != nil {
		return nil, err
	}
	s, err := b.conn.Subscribe(b.prefix+subject, func(m *nats.Msg) {
		fn(Message{Subject: subject, Data: m.Data, Respond: func(data []byte) { b.respond(m, data) }})
	})
	if err != nil {
		return nil, fault(err)
	}
	err = s.SetPendingLimits(maxPending, maxPendingBytes)
	if err != nil {
		return nil, fault(err)
	}
	return func() { _ = s.Unsubscribe() }, nil // it fails if the bus is closed, and then it is done
}

// fault returns an error of NATS as the contract of Bus says it.
func fault(err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNobody
	case errors.Is(err, nats.ErrConnectionClosed):
		return ErrClosed
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: more than max_payload of the NATS server", ErrTooLarge)
	}
	return err
}

// Healthy implements Bus.
func (b *NATS) Healthy() error {
	switch status := b.conn.Status(); status {
	case nats.CONNECTED:
	case nats.CLOSED:
		return ErrClosed
	default:
		return fmt.Errorf("cluster: NATS is %s: %w", strings.ToLower(status.String()), cmp.Or(b.conn.LastError(), errSilent))
	}
	if b.embedded != nil {
		return b.embedded.healthy()
	}
	return nil
}

// Close implements Bus.
func (b *NATS) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(flushTime) // best effort
	}
	b.conn.Close()
	b.embedded.close()
	return nil
}
