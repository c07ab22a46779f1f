package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/cluster"
	"muster/internal/config"
	"muster/internal/engine"
	"muster/internal/engine/peers"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
)

// nodeName is the file in the data folder with the id of the node that runs on
// it, or was killed there.
const nodeName = "node"

// externalBus stands for the address of nodes that meet on NATS servers.
const externalBus = "nats"

// membership is what makes this server one of those that share a database. The
// nil membership is that of a server that has its database to itself.
type membership struct {
	node   *cluster.Node
	bus    cluster.Bus
	routes func([]string) error // tells an embedded bus where the others are; nil if there is nothing to tell
	peers  *peers.Peers
	log    *slog.Logger

	address string     // as others know it
	apart   chan error // why this node must end: it cannot work beside another one

	parts   atomic.Pointer[[]engine.Part]
	stop    context.CancelFunc
	stopped chan struct{}
}

// join makes the server a member of the cluster on its database. There is none,
// and the result is nil, on SQLite.
func join(ctx context.Context, c config.Config, f *folder, log *slog.Logger) (*membership, error) {
	if c.Store == "" {
		return nil, nil //nolint:nilnil // alone is no error
	}
	m := &membership{log: log, apart: make(chan error, 1)}
	err := m.open(ctx, c, f)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *membership) open(ctx context.Context, c config.Config, f *folder) error {
	file := filepath.Join(c.Data, nodeName)
	err := bury(ctx, f.store, file)
	if err != nil {
		return err
	}
	m.address, err = m.openBus(ctx, c, f.masterKey)
	if err != nil {
		return err
	}
	id := rand.Text()
	err = writeFile(file, []byte(id+"\n")) // before anybody else knows of it
	if err != nil {
		return err
	}
	m.node, err = cluster.Join(ctx, cluster.Config{Store: f.store, ID: id, Address: m.address, Log: m.log})
	if err != nil {
		return err
	}
	err = checkPeers(m.address, m.node.Peers())
	if err != nil {
		return err
	}
	return m.node.Beat(ctx) // takes the parts that are free
}

// bury tells the cluster that the node which ran on a data folder is gone. Nobody
// else has the folder, so it was killed, and others need not wait for it.
func bury(ctx context.Context, s store.Store, file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return cluster.Bury(ctx, s, strings.TrimSpace(string(text)))
}

// checkPeers returns an error if this node and the others could not reach each other.
func checkPeers(address string, others []store.Node) error {
	for _, n := range others {
		switch {
		case n.Address == "":
			return fmt.Errorf("another server works on this database, and it does so alone: give every one of them --cluster, " +
				"or stop it; if it was killed on another machine, wait a few seconds")
		case address == "":
			return fmt.Errorf("other servers work on this database: this one needs --cluster, too, to reach them")
		case (n.Address == externalBus) != (address == externalBus):
			return fmt.Errorf("other servers on this database use another kind of --cluster: all must meet on NATS servers, or all directly")
		}
	}
	return nil
}

// watch ends this node if it has turned out that another one, which it cannot
// reach, was there before. Each lets nobody start beside it, but if one was not
// heard of for a while, and another has started, both are there when it is back.
func (m *membership) watch() {
	elders := slices.DeleteFunc(m.node.Peers(), func(n store.Node) bool {
		return cmp.Or(cmp.Compare(m.node.StartedAt(), n.StartedAt), cmp.Compare(m.node.ID(), n.ID)) < 0
	})
	err := checkPeers(m.address, elders)
	if err == nil {
		return
	}
	select {
	case m.apart <- err:
	default: // it is known
	}
}

// failed returns a channel that says why this node must end.
func (m *membership) failed() <-chan error {
	if m == nil {
		return nil
	}
	return m.apart
}

// openBus opens the bus and returns what other nodes are told of where it is.
func (m *membership) openBus(ctx context.Context, c config.Config, masterKey []byte) (string, error) {
	if c.Cluster == "" {
		m.bus = cluster.NewHub().Bus()
		return "", nil
	}
	secure, err := clusterTLS(c)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	cfg := cluster.NATSConfig{
		Name: derive(masterKey, "bus name")[:16], Secret: []byte(derive(masterKey, "bus secret")), Log: m.log, TLS: secure,
	}
	external := config.IsNATS(c.Cluster)
	if external {
		cfg.URL = c.Cluster
	} else {
		cfg.Listen, cfg.Advertise = c.Cluster, c.ClusterAdvertise
	}
	bus, err := cluster.OpenNATS(ctx, cfg)
	if err != nil {
		return "", err
	}
	m.bus = bus
	if external {
		return externalBus, nil
	}
	m.routes = bus.SetPeers
	return bus.Address(), nil
}

// clusterTLS returns how nodes, or NATS servers, know each other, or nil if no
// files say so.
func clusterTLS(c config.Config) (*tls.Config, error) {
	if c.ClusterCertFile == "" && c.ClusterCAFile == "" {
		return nil, nil //nolint:nilnil // none is no error
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ClusterCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.ClusterCertFile, c.ClusterKeyFile)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if c.ClusterCAFile != "" {
		pem, err := os.ReadFile(c.ClusterCAFile)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", c.ClusterCAFile)
		}
		t.ClientCAs = t.RootCAs
	}
	return t, nil
}

// derive returns a secret for a purpose that follows from the master key.
func derive(masterKey []byte, purpose string) string {
	h := hmac.New(sha256.New, masterKey)
	_, _ = h.Write([]byte("muster " + purpose)) // cannot fail
	return hex.EncodeToString(h.Sum(nil))
}

// configure makes an engine one of many: it goes by the clock of the database and
// works on the parts of this node. d says which nodes a thing's devices are
// connected to.
func (m *membership) configure(c *engine.Config, d *devices) {
	if m == nil {
		return
	}
	m.peers = peers.New(peers.Config{Bus: m.bus, Node: m.node.ID(), Route: d.route, Log: m.log})
	c.Clock, c.Parts, c.Peers = engine.ClockOf(m.node.Now), m.owned, m.peers
	if d.cfg.MQTTBroker != "" {
		c.Peers = &throughActive{Peers: m.peers, active: func() string { return d.activeElsewhere(m.node) }}
	}
}

// led returns the loop that sweeps groups, for whoever leads. The others do not
// tell each other of groups, so the leader looks every few seconds.
func (m *membership) led(sweep *registry.GroupSweep) []engine.Loop {
	l := engine.Loop{Name: "group sweep", Next: sweep.Next, Once: sweep.Once}
	if m == nil {
		return []engine.Loop{l}
	}
	var look time.Time
	l.Next = func(ctx context.Context) (time.Time, error) {
		if !m.node.Leader() {
			look = time.Time{}
			return look, nil
		}
		if now := m.node.Now(); !now.Before(look) {
			look = now.Add(sweepEvery)
			sweep.Look()
		}
		at, err := sweep.Next(ctx)
		if err == nil && at.IsZero() {
			at = look
		}
		return at, err
	}
	return []engine.Loop{l}
}

// sweepEvery is how often the leader looks for groups that others have deleted.
const sweepEvery = 3 * time.Second

// follow keeps an engine and its uids in step with the cluster.
func (m *membership) follow(e *engine.Engine, uids *job.UIDs) {
	if m == nil {
		return
	}
	changed := func() {
		uids.SetSlot(m.node.Slot())
		m.refresh()
		m.connect()
		m.watch()
		e.Look()
	}
	m.node.OnChange(changed)
	changed()
}

// serve lets other nodes reach the engine, which can tell devices by now.
func (m *membership) serve(e *engine.Engine) error {
	if m == nil {
		return nil
	}
	return m.peers.Serve(e)
}

// refresh remembers the parts: they are asked for often.
func (m *membership) refresh() {
	var ps []engine.Part
	for _, p := range m.node.Parts() {
		ps = append(ps, engine.Part{Part: p.Part, Fence: p.Fence})
	}
	m.parts.Store(&ps)
}

// now returns the clock of the cluster, or nil if that of the machine will do.
func (m *membership) now() func() time.Time {
	if m == nil {
		return nil
	}
	return m.node.Now
}

// owned returns the parts that the loops of this node work on.
func (m *membership) owned() []engine.Part {
	ps := m.parts.Load()
	if ps == nil {
		return nil
	}
	return *ps
}

// connect tells the bus where the others are.
func (m *membership) connect() {
	if m.routes == nil {
		return
	}
	var addresses []string
	for _, n := range m.node.Peers() {
		addresses = append(addresses, n.Address)
	}
	if err := m.routes(addresses); err != nil {
		m.log.Error("cluster: bus cannot be told of other nodes", "err", err)
	}
}

// run says that the node lives, until leave.
func (m *membership) run() {
	if m == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.stopped = cancel, make(chan struct{})
	go func() {
		defer close(m.stopped)
		m.node.Run(ctx)
	}()
}

// leave hands the parts to others. The loops must have ended.
func (m *membership) leave(ctx context.Context) error {
	if m == nil {
		return nil
	}
	err := m.node.Leave(ctx)
	m.stop()
	<-m.stopped
	return err
}

// close ends the bus. A node that has never run leaves first: others need not
// wait for the parts that it took.
func (m *membership) close() error {
	if m == nil {
		return nil
	}
	var errs []error
	if m.node != nil && m.stop == nil {
		errs = append(errs, within("cluster", clusterGrace, m.node.Leave))
	}
	if m.peers != nil {
		m.peers.Close()
	}
	if m.bus != nil {
		errs = append(errs, m.bus.Close())
	}
	return errors.Join(errs...)
}

// metrics are the numbers of the cluster.
func (m *membership) metrics() []prometheus.Collector {
	if m == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("muster_cluster_nodes", "Nodes that live, this one included.", func() float64 { return float64(1 + len(m.node.Peers())) }),
		gauge("muster_cluster_parts", "Parts of the fleet whose loops this node runs.", func() float64 { return float64(len(m.owned())) }),
		gauge("muster_cluster_bus_up", "1 while messages pass between nodes.", func() float64 {
			if m.bus.Healthy() != nil {
				return 0
			}
			return 1
		}),
	}
}
