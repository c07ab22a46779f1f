package bridge_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/mqtt"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
)

// rules say who may do what at a broker. nil allows.
type rules struct {
	login   func(user, password string) bool
	write   func(topic string) bool
	swallow func(topic string) bool // acknowledged and not delivered; nil: nothing
}

// newBroker returns Muster's own endpoint, made into a broker that lets clients
// publish to reserved topics and, unlike mosquitto, delivers them to shared
// subscriptions.
func newBroker(t *testing.T, r rules) *mqtt.Server {
	t.Helper()
	var s *mqtt.Server
	s, err := mqtt.New(t.Context(), mqtt.Config{Log: slog.New(slog.DiscardHandler), Hooks: mqtt.Hooks{
		Connect: func(_ context.Context, c *mqtt.ConnectRequest) (auth.Principal, error) {
			if r.login != nil && !r.login(c.Username, string(c.Password)) {
				return auth.Principal{}, mqtt.BadCredentials
			}
			return auth.Principal{}, nil
		},
		CanPublish: func(_ mqtt.Client, topic string) bool { return r.write == nil || r.write(topic) },
		Handle: func(ctx context.Context, m *mqtt.Request) (mqtt.Response, error) {
			if r.swallow != nil && r.swallow(m.Topic) {
				return mqtt.Response{Handled: true}, nil
			}
			err := s.Publish(ctx, mqtt.Message{Topic: m.Topic, Payload: bytes.Clone(m.Payload), QoS: m.QoS})
			return mqtt.Response{Handled: true}, err
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// listen returns the address of a new listener of a broker.
func listen(t *testing.T, s *mqtt.Server, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(t.Context(), l, mqtt.ListenerOptions{TLS: config}) }()
	return l.Addr().String()
}

// TestSharedSubscription is found out, and gives each request to one of two
// nodes; when one leaves, to the other.
func TestSharedSubscription(t *testing.T) {
	t.Parallel()
	address := listen(t, newBroker(t, rules{}), nil)
	w := newWorld(t, "pump")
	var served [2]atomic.Int32
	var bridges [2]*bridge.Bridge
	for i := range served {
		reg := prometheus.NewRegistry()
		bridges[i] = startBridge(t, "mqtt://"+address, func(ctx context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
			served[i].Add(1)
			return w.api.Handle(ctx, r)
		}, func(c *bridge.Config) { c.Metrics, c.Active = reg, newLease().active })
		subscribed(t, reg)
		if n := value(t, reg, "muster_bridge_mode", "shared"); n != 1 {
			t.Error("a broker that can does not share")
		}
	}
	d := w.device(address, "pump")
	for range 20 {
		d.ask("get", "")
		d.gets("get/accepted")
	}
	if first, second := served[0].Load(), served[1].Load(); first+second != 20 || first == 0 || second == 0 {
		t.Errorf("the nodes have served %d and %d of 20 requests", first, second)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := bridges[0].Close(ctx); err != nil {
		t.Error(err)
	}
	before := served[1].Load()
	for range 5 {
		d.ask("get", "")
		d.gets("get/accepted")
	}
	if n := served[1].Load() - before; n != 5 {
		t.Errorf("the node that is left has served %d of 5 requests", n)
	}
}

// TestBrokerThatDeliversNoProbe leaves the bridge with what always works.
func TestBrokerThatDeliversNoProbe(t *testing.T) {
	t.Parallel()
	isProbe := func(topic string) bool { return strings.HasSuffix(topic, "/probe") }
	for name, r := range map[string]rules{
		"it forbids it":             {write: func(topic string) bool { return !isProbe(topic) }},
		"it takes it and says that": {swallow: isProbe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := prometheus.NewRegistry()
			l := newLease()
			l.grant <- struct{}{}
			startBridge(t, "mqtt://"+listen(t, newBroker(t, r), nil), echo, func(c *bridge.Config) { c.Metrics, c.Active = reg, l.active })
			subscribed(t, reg)
			if n := value(t, reg, "muster_bridge_mode", "single"); n != 1 {
				t.Error("it does not serve alone")
			}
		})
	}
}

// TestTransports connects in every way that a URL can name.
func TestTransports(t *testing.T) {
	t.Parallel()
	ca, server, client := authorities(t)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	mutual := &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	mine := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}, MinVersion: tls.VersionTLS12}
	web := func(t *testing.T, s *mqtt.Server, config *tls.Config) string {
		h := httptest.NewUnstartedServer(s.WebSocket("web"))
		h.TLS = config
		if config == nil {
			h.Start()
		} else {
			h.StartTLS()
		}
		t.Cleanup(h.Close)
		return h.Listener.Addr().String()
	}
	for scheme, tt := range map[string]struct {
		listen func(*testing.T, *mqtt.Server, *tls.Config) string
		server *tls.Config
	}{
		"mqtt": {listen, nil}, "mqtts": {listen, mutual}, "ws": {web, nil}, "wss": {web, mutual},
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s := newBroker(t, rules{login: func(user, password string) bool { return user == "muster" && password == "secret" }})
			served := make(chan string, 1)
			reg := prometheus.NewRegistry()
			var tries atomic.Int32
			startBridge(t, scheme+"://"+tt.listen(t, s, tt.server), func(ctx context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
				served <- r.Topic
				return echo(ctx, r)
			}, func(c *bridge.Config) {
				c.TLS, c.Metrics = mine, reg
				c.Login = func() (string, []byte, error) {
					if tries.Add(1) < 3 {
						return "muster", []byte("old"), nil
					}
					return "muster", []byte("secret"), nil // it was changed, and is asked for again
				}
			})
			subscribed(t, reg)
			if err := s.Publish(t.Context(), mqtt.Message{Topic: get, Payload: []byte("{}"), QoS: 1}); err != nil {
				t.Fatal(err)
			}
			await(t, served, "the request")
		})
	}
}

// authorities returns a certificate authority and two certificates that it has
// issued, for 127.0.0.1.
func authorities(t *testing.T) (ca *x509.Certificate, server, client tls.Certificate) {
	t.Helper()
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	issue := func(parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := template
		if parent == nil {
			c.IsCA = true
			parent, signer = &c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, &c, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	root, rootKey := issue(nil, nil)
	ca, err := x509.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	pair := func() tls.Certificate {
		der, key := issue(ca, rootKey)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	return ca, pair(), pair()
}
