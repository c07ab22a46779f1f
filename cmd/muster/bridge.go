package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/cluster"
	"muster/internal/config"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqttapi/bridge"
)

// newBridge returns the bridge to the broker that the configuration names, or nil
// if devices connect to this server. active says when this node is the one that
// serves, as in bridge.Config; nil if there is no other node. Certificate and
// password are read again for each connection, so that both can be changed while
// the server runs.
func newBridge(c config.Config, active func(context.Context) (<-chan struct{}, error), log *slog.Logger, metrics prometheus.Registerer) (*bridge.Bridge, error) {
	if c.MQTTBroker == "" {
		return nil, nil //nolint:nilnil // what is not wanted is no error
	}
	if c.Cluster != "" && active == nil { // they would take the requests from each other
		return nil, errors.New("mqtt broker: nothing says which node of the cluster is active")
	}
	secure, err := brokerTLS(c)
	if err != nil {
		return nil, fmt.Errorf("mqtt broker: %w", err)
	}
	mode, err := bridge.ParseMode(c.MQTTBrokerMode)
	if err != nil {
		return nil, fmt.Errorf("mqtt broker: mode %w", err)
	}
	login := brokerLogin(c)
	if _, _, err := login(); err != nil {
		return nil, fmt.Errorf("mqtt broker: %w", err)
	}
	return bridge.New(bridge.Config{
		URL: c.MQTTBroker, TLS: secure, Login: login, Mode: mode, Active: active, Account: c.Account, Region: c.Region,
		Log: log, Metrics: metrics,
	})
}

// brokerLogin returns what finds user name and password, as bridge.Config wants it.
func brokerLogin(c config.Config) func() (string, []byte, error) {
	return func() (string, []byte, error) {
		if c.MQTTBrokerPasswordFile == "" {
			return c.MQTTBrokerUsername, nil, nil
		}
		password, err := os.ReadFile(c.MQTTBrokerPasswordFile)
		// Editors end a file with a line break.
		return c.MQTTBrokerUsername, bytes.TrimRight(password, "\r\n"), err
	}
}

// brokerTLS returns what the broker's certificate is checked with, and what
// shows ours.
func brokerTLS(c config.Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.MQTTBrokerCAFile != "" {
		pem, err := os.ReadFile(c.MQTTBrokerCAFile)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", c.MQTTBrokerCAFile)
		}
	}
	if c.MQTTBrokerCertFile == "" {
		return t, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.MQTTBrokerCertFile, c.MQTTBrokerKeyFile)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return t, nil
}

// leader is a member of a cluster in which one node does what one must do for all.
type leader interface {
	Leader() bool
	// OnChange makes it call fn after Leader may have changed.
	OnChange(fn func())
}

// whileLeader makes the node active that is the leader: what it returns is for
// bridge.Config.
func whileLeader(l leader) func(context.Context) (<-chan struct{}, error) {
	var mu sync.Mutex
	changed := make(chan struct{}) // guarded by mu: closed by the next change
	l.OnChange(func() {
		mu.Lock()
		defer mu.Unlock()
		close(changed)
		changed = make(chan struct{})
	})
	await := func(ctx context.Context, want bool) error {
		for {
			mu.Lock()
			next := changed
			mu.Unlock()
			if l.Leader() == want {
				return nil
			}
			select {
			case <-next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return func(ctx context.Context) (<-chan struct{}, error) {
		if err := await(ctx, true); err != nil {
			return nil, err
		}
		lost := make(chan struct{})
		go func() {
			if await(ctx, false) == nil {
				close(lost)
			}
		}()
		return lost, nil
	}
}

// throughActive lets the node that serves the broker alone tell the devices of
// all nodes: there it is known which requests are being answered, and over one
// connection a device gets its answer before the notification that follows from
// it. While that node cannot, each node publishes what it has to tell itself: late
// would be worse than out of order. It implements engine.Peers.
type throughActive struct {
	engine.Peers
	active func() string // another node that serves alone, or nothing

	mu     sync.Mutex
	silent string    // the node that has failed to tell a device; guarded by mu
	until  time.Time // it is not asked again before; guarded by mu
}

// silence is how long a node is not asked that has failed.
const silence = 5 * time.Second

// Route implements engine.Peers. All devices are the active node's.
func (p *throughActive) Route(string, string) (holders []string, others bool) {
	node := p.active()
	p.mu.Lock()
	defer p.mu.Unlock()
	if node == "" || node == p.silent && time.Now().Before(p.until) {
		return nil, true
	}
	return []string{node}, false
}

// Tell implements engine.Peers.
func (p *throughActive) Tell(ctx context.Context, node string, d engine.Owed) (is job.Told, ok bool, err error) {
	is, ok, err = p.Peers.Tell(ctx, node, d)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.silent, p.until = node, time.Now().Add(silence)
	}
	return is, ok, err
}

// activeElsewhere returns the node that serves the broker alone, if it is another
// than this one.
func (d *devices) activeElsewhere(self *cluster.Node) string {
	lead := self.Lead()
	if d.bridge == nil || d.bridge.Mode() != bridge.Single || lead == self.ID() {
		return ""
	}
	return lead
}
