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

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/config"
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
