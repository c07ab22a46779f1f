// Package mqtt is the endpoint that devices connect to: MQTT 3.1.1 and 5 over
// TCP, TLS and WebSocket, with the manners of AWS IoT Core where those differ
// from the standard's. It knows no jobs: topics that begin with $ are served by
// a hook, whose replies go to the connection that asked and to nobody else.
//
// # Who runs what
//
// Each connection has one goroutine, which reads a packet, does what it asks
// for, and answers; a second one writes only while there is something to write.
// A client that does not read is not read from. Whatever waits for a client
// stands in its session, whose queue is bounded: a publisher waits a moment for
// subscribers that are slow, once, and what then finds a queue full is refused.
// Nobody else is kept waiting by anything that a client does or fails to do.
//
// # Durability
//
// A message of QoS 1 is acknowledged when every persistent session that it goes
// to has it in Sessions, and a request when the hook that serves it has
// returned. Then the order is: acknowledgement, replies, whatever was published
// because of it.
//
// # Many nodes
//
// With Peers the server is one of several that are one endpoint. A client is
// connected to one of them: whoever comes claims it from the others first, and the
// greatest Stamp wins. Its session is owned by one of them, as its epoch in
// Sessions tells: it is loaded when the client comes, written down and let go of
// when the client goes elsewhere, and dropped as soon as a write shows that another
// node owns it. Messages for a session that has just gone follow it.
//
// What was acknowledged to a publisher is durable in the sessions of its node. It
// reaches those of other nodes if they and the bus live; what must arrive is
// published by the node that has the session (PublishWithin) and repeated until
// that has happened. Between two nodes messages keep their order; while a session
// moves, those of a third node may pass each other.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a server consists of. All of it may be left out.
type Config struct {
	// Limits bounds what clients may do; zero fields take the defaults.
	Limits Limits
	// Hooks decide what the endpoint does not know.
	Hooks Hooks
	// Sessions keeps what outlives the process; nil keeps nothing.
	Sessions Sessions
	// Peers are the other nodes of a cluster, Node is the id of this one. Sessions
	// must be a Shared then. Nil if the server is alone.
	Peers Peers
	Node  string
	// Now is the clock by which sessions and messages end; nil is that of the
	// machine. In a cluster it must be the same on all nodes.
	Now func() time.Time
	// Log is told of faults; nil discards.
	Log *slog.Logger
	// Metrics registers the numbers of the endpoint; nil keeps them to itself.
	Metrics prometheus.Registerer
}

// Server is an MQTT endpoint. It is safe for concurrent use.
type Server struct {
	cfg      Config
	limits   Limits
	log      *slog.Logger
	metrics  *metrics
	now      func() time.Time
	shared   Shared // Sessions in a cluster
	tree     tree[*client]
	retained retained

	presences presences

	// ctx ends when Close runs out of patience: nobody waits for hooks and stores any more.
	ctx     context.Context
	cancel  context.CancelFunc
	closing atomic.Bool

	mu        sync.Mutex // guards what follows
	clients   map[string]*client
	claims    map[string]*claim            // the newest to each client, unless it is beaten
	busy      map[string]*claim            // the newest to each client that something is done for
	moved     map[string]*client           // sessions that have gone from here lately
	arrived   map[string]map[string]uint64 // see arrive
	stamped   int64                        // see stamp
	all       map[*conn]struct{}
	strangers strangers // of all
	listeners map[net.Listener]struct{}
	closed    bool
	conns     sync.WaitGroup // Add is guarded by mu, or made by those who are in it
}

// New returns a server that goes on with the sessions and retained messages that
// cfg.Sessions has kept. It fails if those cannot be read or a metric's name is taken.
func New(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Log,
		clients: make(map[string]*client), all: make(map[*conn]struct{}), listeners: make(map[net.Listener]struct{}),
		claims: make(map[string]*claim), busy: make(map[string]*claim), moved: make(map[string]*client), arrived: make(map[string]map[string]uint64), now: cfg.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.retained.maxCount, s.retained.maxBytes = s.limits.RetainedMessages, s.limits.RetainedBytes
	if cfg.Peers != nil && cfg.Sessions != nil {
		var ok bool
		if s.shared, ok = cfg.Sessions.(Shared); !ok {
			return nil, errors.New("mqtt: the sessions of a cluster must be shared")
		}
	}
	var err error
	if s.metrics, err = newMetrics(cfg.Metrics, s); err != nil {
		return nil, fmt.Errorf("mqtt: metrics: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if cfg.Sessions == nil {
		return s, nil
	}
	if err = s.load(ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("mqtt: sessions cannot be read: %w", err)
	}
	return s, nil
}

// Publish publishes a message of the server itself, to any topic, and returns
// when every persistent session that it goes to has it durably. Unlike a client
// that publishes, it waits for no subscriber that is slow. Those whose queue is
// full do not get it, which is no error: they have more than enough to do. Nor is
// it one if another node could not be told.
func (s *Server) Publish(ctx context.Context, m Message) error {
	return s.PublishWithin(ctx, m, Reach{})
}

// begin starts to serve a connection. It reports false if the server stops.
func (s *Server) begin(k *conn) bool {
	k.srv = s
	if s.limits.PublishRate > 0 {
		k.stopped = make(chan struct{})
	}
	k.deadline = time.Now().Add(s.limits.ConnectTimeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.all[k] = struct{}{}
	s.strangers.add(k)
	s.conns.Add(1)
	if s.strangers.n > s.limits.Pending {
		s.metrics.refused.Inc()
		s.conns.Go(s.strangers.evict().abort)
	}
	return true
}

// known notes that k is authenticated. It reports false if k has had to go for
// another connection.
func (s *Server) known(k *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strangers.remove(k)
}

// settled notes that k has a client.
func (s *Server) settled(k *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.settledIn = true
	s.metrics.connections.Inc()
}

// forget notes that k is no longer served.
func (s *Server) forget(k *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, k)
	s.strangers.remove(k)
	if k.settledIn {
		s.metrics.connections.Dec()
	}
	s.conns.Done()
}

// Close ends all listeners and connections, tells the clients that can be told,
// and waits for what they are doing. When ctx ends it waits no longer and
// returns its error. Sessions stay as they are; their keeper is the caller's.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Store(true)
	s.mu.Lock()
	s.closed = true
	var errs []error
	for l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for k := range s.all {
		if !k.settledIn {
			k.abort()
		}
	}
	for _, cl := range s.claims {
		cl.beat()
	}
	s.mu.Unlock()
	for _, c := range s.everyone() {
		c.shut()
	}
	done := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(done)
	}()
	select {
	case <-done:
		errs = append(errs, s.leaveAll(ctx))
		s.cancel()
		return errors.Join(errs...)
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.all {
		k.abort()
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// nowMillis is the clock of sessions and messages in their unit.
func (s *Server) nowMillis() int64 { return s.now().UnixMilli() }
