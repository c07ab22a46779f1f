// Package bridge serves the jobs API as a client of an MQTT 5 broker that is
// there already: it subscribes to the requests of devices, publishes the replies
// and is what notifications are published with.
//
// A bridge has two connections. One receives requests, on every node or on the
// active one alone (see [Mode]), and acknowledges each when the engine has
// committed it and the broker has taken its reply. The other publishes, on every
// node. Replies and notifications that share it stay in order, so a node that
// serves alone should publish the notifications of all nodes (see [Bridge.Mode]):
// only there is it known what is being answered. In mode Shared, where any node
// answers, there is no order between nodes.
//
// What Muster's own endpoint can do and a client of a broker cannot: answer a
// device that has not subscribed to the reply, know who has published, decide
// who may, and tell who is connected. A request counts as the thing's whose name
// is in the topic; that nobody else may publish there is the broker's business.
package bridge

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/apierr"
	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
)

// Handler answers a request, as the method Handle of an mqttapi.API does.
type Handler func(context.Context, mqttapi.Request) (mqttapi.Reply, bool, error)

// Config is what a bridge needs. URL must be set.
type Config struct {
	// URL of the broker: mqtt://HOST (port 1883), mqtts://HOST (8883), ws://HOST
	// (80) or wss://HOST (443), each with another port if need be. The path of a
	// WebSocket is /mqtt unless another is given.
	URL string
	// TLS verifies the broker and holds the certificate to show, for mqtts and
	// wss; nil is the system's roots and no certificate.
	TLS *tls.Config
	// Login returns user name and password, for each connection anew; nil: none.
	Login func() (user string, password []byte, err error)
	// Node tells this node's connections from those of others, in client ids.
	// Empty: something random.
	Node string
	// Mode is how nodes share the requests.
	Mode Mode
	// Active waits until this node is the one that serves in mode Single, and
	// returns a channel that is closed when it no longer is. nil: there is no
	// other node, and this one is always active.
	Active func(ctx context.Context) (lost <-chan struct{}, err error)
	// Account and Region are those of the principal of every request.
	Account, Region string
	// Workers is how many requests are served at the same time, each of another
	// thing. 0 is 256.
	Workers int
	// Window is how many requests of QoS 1 the broker may send that have not been
	// acknowledged: the receive maximum. 0 is 1024.
	Window uint16
	// Backoff returns how long to wait before the n-th try to connect, from 1,
	// after a failure or a connection that was short. nil: 50 ms to 10 s, at random.
	Backoff func(n int) time.Duration
	// Log gets what happens to the connections; nil discards.
	Log *slog.Logger
	// Metrics is where the numbers of the bridge are registered; nil keeps none.
	Metrics prometheus.Registerer
}

// How long the broker may take to acknowledge what is published.
const (
	// replyWait is for a reply, with the wait for a connection. After that the
	// device has given up, too.
	replyWait = 10 * time.Second
	// publishWait is for a notification.
	publishWait = 10 * time.Second
)

// Bridge is a client of a broker that serves the jobs API. It implements
// mqttapi.Broker and is safe for concurrent use.
type Bridge struct {
	cfg     Config
	log     *slog.Logger
	dialing dialing // what all connections have in common
	metrics *metrics
	out     *link // publishes
	in      *link // receives requests
	ledger  *ledger
	pool    *pool

	mode    atomic.Uint32   // a Mode, once it is known
	handle  Handler         // set by Serve, before anything is received
	work    context.Context // of the requests
	giveUp  func()          // ends work
	closing chan struct{}   // closed by Close
	once    sync.Once
	gone    chan struct{} // closed when Serve has returned
}

var _ mqttapi.Broker = (*Bridge)(nil)

// New returns a bridge that is not connected. It fails if the URL is none of a
// broker, or if a metric's name is taken.
func New(c Config) (*Bridge, error) {
	dial, err := network(c.URL, c.TLS)
	if err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	c.Node = cmp.Or(c.Node, rand.Text()[:10])
	c.Workers, c.Window = cmp.Or(c.Workers, 256), cmp.Or(c.Window, 1024)
	if c.Login == nil {
		c.Login = func() (string, []byte, error) { return "", nil, nil }
	}
	b := &Bridge{
		cfg: c, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("broker", c.URL),
		dialing: dialing{network: dial, window: c.Window},
		ledger:  newLedger(), closing: make(chan struct{}), gone: make(chan struct{}),
	}
	b.work, b.giveUp = context.WithCancel(context.Background())
	b.pool = newPool(c.Workers, b.serve)
	b.metrics, err = newMetrics(c.Metrics, b.pool.pending)
	if err != nil {
		return nil, err
	}
	b.out, b.in = b.newLink("publish"), b.newLink("requests")
	return b, nil
}

// Mode returns how nodes share the requests, and Auto while that is not known yet.
func (b *Bridge) Mode() Mode { return Mode(b.mode.Load()) }

// Serve connects and answers requests with handle until Close or the end of ctx,
// and returns nil. While the broker cannot be reached it keeps trying. The end
// of ctx gives up what is being served. Serve must be called once.
func (b *Bridge) Serve(ctx context.Context, handle Handler) error {
	defer close(b.gone)
	defer b.giveUp()
	defer context.AfterFunc(ctx, b.giveUp)()
	b.handle = handle
	inCtx, stopIn := context.WithCancel(context.WithoutCancel(ctx))
	outCtx, stopOut := context.WithCancel(context.WithoutCancel(ctx))
	var in, out sync.WaitGroup
	out.Go(func() { b.out.run(outCtx, b.dialOut, (*conn).close) })
	in.Go(func() { b.receive(inCtx) })
	select {
	case <-b.closing:
	case <-b.work.Done():
	}
	stopIn()
	in.Wait()
	_ = b.pool.idle(context.WithoutCancel(ctx)) // they end at the latest when work does
	stopOut()
	out.Wait()
	return nil
}

// Close takes no more requests, waits until those that were taken are served,
// and disconnects. If ctx ends first, the rest is given up without an
// acknowledgement, and the error says so. Serve must have been called.
func (b *Bridge) Close(ctx context.Context) error {
	b.once.Do(func() { close(b.closing) })
	select {
	case <-b.gone:
		return nil
	case <-ctx.Done():
		b.giveUp()
		return fmt.Errorf("bridge: requests are left: %w", context.Cause(ctx))
	}
}

// Publish hands a message to the broker. If its QoS is 1 it returns when the
// broker has taken it. The error is of kind Unavailable, at once if there is no
// connection. What the broker refuses for good counts as taken, and is logged:
// to try it again would only keep all other devices from being told.
func (b *Bridge) Publish(ctx context.Context, m mqttapi.Message) error {
	c := b.out.get()
	if c == nil {
		return apierr.New(apierr.Unavailable, "There is no connection to the MQTT broker.")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, publishWait, errSilent)
	defer cancel()
	err := c.publish(ctx, m)
	if err == nil || b.refused(m.Topic, err) {
		return nil
	}
	b.metrics.failed.WithLabelValues("notification").Inc()
	return apierr.Wrap(apierr.Unavailable, err, "The MQTT broker has not taken a message.")
}

// refused reports whether the broker refuses a message for good, and says so.
func (b *Bridge) refused(topic string, err error) bool {
	r, ok := errors.AsType[notTaken](err)
	if !ok {
		return false
	}
	switch r.Reason {
	case codec.NotAuthorized, codec.TopicNameInvalid, codec.PayloadFormatInvalid, codec.PacketTooLarge:
	default:
		return false
	}
	b.metrics.failed.WithLabelValues("refused").Inc()
	b.log.Error("mqtt broker refuses a message", "topic", topic, "err", err)
	return true
}
