package peers_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/cluster"
	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/peers"
	"muster/internal/mqtt/stored"
	"muster/internal/pgtest"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// world is a cluster in one process: nodes with a bus and a store in common.
type world struct {
	t     testing.TB
	db    store.Store
	hub   *cluster.Hub
	beat  time.Duration
	ahead atomic.Int64 // how far the clock of the cluster is before that of the machine, in nanoseconds
	nodes []*member    // of the test's goroutine

	mu   sync.Mutex
	ids  []string        // guarded by mu
	dead map[string]bool // guarded by mu: true until it is forgotten
}

// member is a node.
type member struct {
	*mqtt.Server
	t     testing.TB
	id    string
	addr  string
	peers *peers.Peers
	kept  stored.Shared
	port  *cluster.Port
	probe *client // see settle
	close func()

	mu     sync.Mutex
	retold []string // subjects, guarded by mu
}

// subject makes the clients of topics below news/ ones that must know how things stand.
func subject(topic string) string {
	if strings.HasPrefix(topic, "news/") && !strings.ContainsAny(topic, "+#") {
		return topic
	}
	return ""
}

// retell tells the clients of a node how a subject stands.
func (m *member) retell(ctx context.Context, subject string) error {
	err := m.PublishWithin(ctx, mqtt.Message{Topic: subject, Payload: []byte("again"), QoS: 1}, mqtt.Reach{Here: true})
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.retold = append(m.retold, subject)
	}
	return err
}

// retells waits until the clients of a node have been told again of a subject.
func (m *member) retells(subject string) {
	m.t.Helper()
	m.await(subject+" is told again", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Contains(m.retold, subject)
	})
}

// newWorld starts a cluster in which everybody is patient.
func newWorld(t testing.TB, nodes int) *world {
	t.Helper()
	return newHastyWorld(t, nodes, 0)
}

// newHastyWorld starts a cluster in which nobody waits for long for a node that
// says nothing.
func newHastyWorld(t testing.TB, nodes int, beat time.Duration) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := emptyWorld(t, db)
	w.beat = beat
	for range nodes {
		w.join()
	}
	return w
}

// emptyWorld returns a cluster without nodes.
func emptyWorld(t testing.TB, db store.Store) *world {
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, db: db, hub: cluster.NewHub(), dead: make(map[string]bool)}
}

// realWorld starts a cluster of three nodes on PostgreSQL and NATS.
func realWorld(t *testing.T) *world {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	w := emptyWorld(t, db)
	var addresses []string
	for range 3 {
		bus, err := cluster.OpenNATS(t.Context(), cluster.NATSConfig{Name: "test", Listen: "127.0.0.1:0", Peers: addresses, Secret: []byte("s")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bus.Close() })
		addresses = append(addresses, bus.Address())
		w.joinOver(bus)
	}
	return w
}

// join starts another node.
func (w *world) join() *member {
	w.t.Helper()
	port := w.hub.Bus()
	m := w.joinOver(port)
	m.port = port
	return m
}

func (w *world) joinOver(bus cluster.Bus) *member {
	w.t.Helper()
	w.mu.Lock()
	m := &member{t: w.t, id: fmt.Sprint("node", len(w.ids))}
	w.ids = append(w.ids, m.id)
	w.mu.Unlock()
	w.nodes = append(w.nodes, m)
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("at", m.id)
	m.kept = stored.NewShared(w.db, m.id, log)
	var err error
	m.peers, err = peers.New(peers.Config{
		Bus: bus, Node: m.id, Beat: w.beat, Log: log,
		Alive:   func() []string { return w.others(m.id, false) },
		Dead:    func() []string { return w.others(m.id, true) },
		Subject: subject, Retell: m.retell,
		Forget: w.forget, Implies: implies, Announce: func(filter string) bool { return filter != "private/#" },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	m.Server, err = mqtt.New(w.t.Context(), mqtt.Config{Sessions: m.kept, Peers: m.peers, Node: m.id, Log: log, Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	if err = m.peers.Start(w.t.Context(), m.Server); err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	m.addr = l.Addr().String()
	served := make(chan error, 1)
	ctx := w.t.Context()
	go func() { served <- m.Serve(ctx, l, mqtt.ListenerOptions{Name: "tcp"}) }()
	m.close = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			w.t.Errorf("%s: close: %v", m.id, err)
		}
		m.kept.Close()
		m.peers.Close()
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) { // closed before it began
			w.t.Errorf("%s: serve: %v", m.id, err)
		}
	})
	w.t.Cleanup(m.close)
	return m
}

// now is the clock of the cluster.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// others returns the nodes beside one that live, or that are dead.
func (w *world) others(id string, dead bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for _, other := range w.ids {
		known, gone := w.dead[other]
		if other != id && (dead && known || !dead && !gone) {
			ids = append(ids, other)
		}
	}
	return ids
}

func (w *world) forget(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead[id] {
		w.dead[id] = false
	}
	return nil
}

// dies makes the others take a node for dead.
func (w *world) dies(m *member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[m.id] = true
}

// revive makes the others see that a node lives.
func (w *world) revive(m *member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.dead, m.id)
}

// keyOf returns the key of a client's session.
func keyOf(clientID string) store.SessionKey {
	sum := sha256.Sum256([]byte(clientID))
	return store.SessionKey(sum[:16])
}

// forgotten reports whether nothing is left of a dead node.
func (w *world) forgotten(m *member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known, gone := w.dead[m.id]
	return gone && !known
}

// kill makes a node die: it says nothing to the others any more.
func (w *world) kill(m *member) {
	m.port.Cut()
	w.dies(m)
}

// await waits until cond is true for the peers of a node.
func (m *member) await(what string, cond func() bool) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if !m.peers.Await(ctx, cond) {
		m.t.Fatalf("%s: waited in vain: %s", m.id, what)
	}
}

// know waits until all other nodes that are not dead know that m has subscribed to
// a filter.
func (w *world) know(m *member, filter string) {
	w.t.Helper()
	for _, other := range w.nodes {
		if other != m && slices.Contains(w.others(m.id, false), other.id) {
			other.await(m.id+" has subscribed to "+filter, func() bool { return other.peers.Knows(m.id, filter) })
		}
	}
}

// client is a client that says exactly what a test tells it to.
type client struct {
	t       testing.TB
	nc      net.Conn
	version codec.Version
	buf     []byte
	ahead   []*codec.Publish // read by flush
}

// dial opens a connection and says nothing yet.
func (m *member) dial(v codec.Version) *client {
	m.t.Helper()
	nc, err := net.Dial("tcp", m.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = nc.Close() })
	return &client{t: m.t, nc: nc, version: v}
}

// connect connects a client with a clean session.
func (m *member) connect(id string) *client {
	m.t.Helper()
	c, _ := m.open(&codec.Connect{Version: codec.V5, ClientID: []byte(id), CleanStart: true, KeepAlive: 60})
	return c
}

// persistent connects a client whose session outlives the connection, and returns
// whether it has been resumed.
func (m *member) persistent(v codec.Version, id string) (*client, bool) {
	m.t.Helper()
	c, a := m.open(hello(v, id))
	return c, a.SessionPresent
}

func hello(v codec.Version, id string) *codec.Connect {
	c := &codec.Connect{Version: v, ClientID: []byte(id), KeepAlive: 60}
	if v == codec.V5 {
		c.SessionExpiry = 3600
	}
	return c
}

func (m *member) open(h *codec.Connect) (*client, *codec.Connack) {
	m.t.Helper()
	c := m.dial(h.Version)
	c.send(h)
	a := expect[*codec.Connack](c)
	if a.Reason != codec.Success {
		m.t.Fatalf("connect %s: got %v", h.ClientID, a.Reason)
	}
	return c, a
}

func (c *client) send(q codec.Packet) {
	c.t.Helper()
	b, err := q.Append(nil, c.version)
	if err == nil {
		_, err = c.nc.Write(b)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next packet.
func (c *client) read() (codec.Packet, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		f, n, err := codec.Cut(c.buf, codec.MaxSize)
		if err != nil {
			return nil, err
		}
		if n <= len(c.buf) {
			q, err := codec.Decode(f, c.version)
			c.buf = append([]byte(nil), c.buf[n:]...)
			return q, err
		}
		chunk := make([]byte, 4096)
		got, err := c.nc.Read(chunk)
		c.buf = append(c.buf, chunk[:got]...)
		if got == 0 && err != nil {
			return nil, err
		}
	}
}

// expect returns the next packet, which must be of type P.
func expect[P codec.Packet](c *client) P {
	c.t.Helper()
	q, err := c.read()
	if err != nil {
		var want P
		c.t.Fatalf("got %v, want %v", err, want.Type())
	}
	want, ok := q.(P)
	if !ok {
		c.t.Fatalf("got %v %+v, want %v", q.Type(), q, want.Type())
	}
	return want
}

// takenOver waits for the end of the connection, because there is another one.
func (c *client) takenOver() {
	c.t.Helper()
	if c.version == codec.V5 {
		if got := expect[*codec.Disconnect](c).Reason; got != codec.SessionTakenOver {
			c.t.Fatalf("disconnected for %v", got)
		}
	}
	c.ended()
}

// ended waits for the end of the connection.
func (c *client) ended() {
	c.t.Helper()
	q, err := c.read()
	var timeout net.Error
	switch {
	case err == nil:
		c.t.Fatalf("got %v %+v, want the end of the connection", q.Type(), q)
	case errors.As(err, &timeout) && timeout.Timeout():
		c.t.Fatal("the connection has not been closed")
	case !errors.Is(err, io.EOF):
		c.t.Logf("ended with %v", err)
	}
}

// quiet shows that nothing is under way to the client from its node.
func (c *client) quiet() {
	c.t.Helper()
	c.send(&codec.Pingreq{})
	expect[*codec.Pingresp](c)
}

func (c *client) subscribe(qos codec.QoS, filters ...string) {
	c.t.Helper()
	s := &codec.Subscribe{PacketID: 9}
	for _, f := range filters {
		s.Filters = append(s.Filters, codec.Subscription{Filter: []byte(f), QoS: qos})
	}
	c.send(s)
	for _, r := range expect[*codec.Suback](c).Reasons {
		if r != codec.Reason(qos) {
			c.t.Fatalf("subscribe %q: got %v", filters, r)
		}
	}
}

// publish publishes a message of QoS 1 and waits for the acknowledgement.
func (c *client) publish(topic, payload string) {
	c.t.Helper()
	if r := c.tryPublish(codec.Message{Topic: []byte(topic), Payload: []byte(payload)}); r != codec.Success {
		c.t.Fatalf("publish to %s: got %v", topic, r)
	}
}

func (c *client) tryPublish(m codec.Message) codec.Reason {
	c.t.Helper()
	m.QoS = codec.QoS1
	c.send(&codec.Publish{Message: m, PacketID: 7})
	return expect[*codec.Puback](c).Reason
}

// receive returns the next message, acknowledged, and checks topic and payload.
func (c *client) receive(topic, payload string) *codec.Publish {
	c.t.Helper()
	m := c.next()
	if string(m.Topic) != topic || string(m.Payload) != payload {
		c.t.Fatalf("got %s %q, want %s %q", m.Topic, m.Payload, topic, payload)
	}
	return m
}

// flush waits until the server has seen all that the client has sent. Messages that
// come meanwhile are kept for next.
func (c *client) flush() {
	c.t.Helper()
	c.send(&codec.Pingreq{})
	for {
		q, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		switch q := q.(type) {
		case *codec.Publish:
			c.ahead = append(c.ahead, q)
		case *codec.Pingresp:
			return
		}
	}
}

// next returns the next message, acknowledged.
func (c *client) next() *codec.Publish {
	c.t.Helper()
	var m *codec.Publish
	if len(c.ahead) > 0 {
		m, c.ahead = c.ahead[0], c.ahead[1:]
	} else {
		m = expect[*codec.Publish](c)
	}
	if m.QoS > 0 {
		c.send(&codec.Puback{PacketID: m.PacketID})
	}
	return m
}

// versions runs a test with both versions of the protocol.
func versions(t *testing.T, f func(t *testing.T, v codec.Version)) {
	t.Helper()
	for _, v := range []codec.Version{codec.V311, codec.V5} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			f(t, v)
		})
	}
}
