package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/config"
	"muster/internal/engine"
	"muster/internal/mqtt"
	"muster/internal/mqtt/peers"
	"muster/internal/mqtt/stored"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
	"muster/internal/store"
)

// Names of the listeners, in metrics and for the Connect hook.
const (
	plainMQTT = "mqtt"
	tlsMQTT   = "mqtts"
	webMQTT   = "wss"
)

// devices is what connects devices to the engine: the MQTT endpoint, the jobs
// API on it, and the listeners.
type devices struct {
	cfg       config.Config
	verifier  auth.Authenticator // of requests that open a WebSocket
	cas       *x509.CertPool     // of device certificates; nil without a TLS listener
	api       *mqttapi.API
	inspector *mqttapi.Inspector
	server    *mqtt.Server
	peers     *peers.Peers   // the endpoints of other nodes; nil if there are none
	bridge    *bridge.Bridge // in place of sessions, server and listeners; nil: they are there
	// active says when this node serves the broker alone, as in bridge.Config; nil:
	// there is no other node.
	active func(context.Context) (<-chan struct{}, error)
	built  atomic.Bool  // server or bridge are there
	plain  net.Listener // nil if off
	secure net.Listener // nil if off
	tls    *tls.Config

	closeSessions func() // waits until all that is kept of sessions is stored
}

// openDevices opens the listeners that the configuration names. The rest is
// built when there is an engine. now is the clock that all nodes have in common.
func openDevices(ctx context.Context, c config.Config, now func() time.Time) (*devices, error) {
	d := &devices{cfg: c, inspector: mqttapi.NewInspector(mqttapi.InspectorConfig{Now: now})}
	var err error
	if c.MQTTListen != config.Off {
		d.plain, err = listen(ctx, "--mqtt-listen", c.MQTTListen)
		if err != nil {
			return nil, fmt.Errorf("mqtt: %w", err)
		}
	}
	if c.MQTTSListen == "" {
		return d, nil
	}
	d.tls, d.cas, err = deviceTLS(c)
	if err == nil {
		d.secure, err = listen(ctx, "--mqtts-listen", c.MQTTSListen)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mqtt over tls: %w", err), d.closeListeners())
	}
	return d, nil
}

func deviceTLS(c config.Config) (*tls.Config, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(c.DeviceCAFile)
	if err != nil {
		return nil, nil, err
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no certificate", c.DeviceCAFile)
	}
	return mqtt.DeviceTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, true), cas, nil
}

// errStarting is why nobody can be told yet.
var errStarting = errors.New("mqtt: the endpoint is not there yet")

// Publish hands a message of the engine to the endpoint. It implements
// mqttapi.Broker before there is an endpoint: the engine's loops, which publish,
// run later, but other nodes may have something to tell already.
func (d *devices) Publish(ctx context.Context, m mqttapi.Message) error {
	if !d.built.Load() {
		return errStarting
	}
	if d.bridge != nil {
		return d.bridge.Publish(ctx, m)
	}
	return d.server.PublishWithin(ctx, mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS}, mqtt.Reach{Here: m.Here, Except: m.Except})
}

// route says who has to be told of changes of a thing's queue; see engine.Peers.
func (d *devices) route(thing, namespace string) (holders []string, others bool) {
	if d.peers == nil {
		return nil, true // the broker is everybody's
	}
	return d.peers.Route(mqttapi.Holders(thing, namespace)...)
}

// build makes the endpoint.
func (d *devices) build(ctx context.Context, s *server, e *engine.Engine, metrics prometheus.Registerer) error {
	var err error
	d.api, err = mqttapi.New(mqttapi.Config{Engine: e, Inspector: d.inspector, Log: s.log, Metrics: metrics})
	if err != nil {
		return err
	}
	d.bridge, err = newBridge(s.cfg, d.active, s.log, metrics)
	if err != nil || d.bridge != nil {
		d.built.Store(err == nil)
		return err
	}
	c := mqtt.Config{
		Limits: limits(s.cfg), Log: s.log, Metrics: metrics,
		Hooks: mqtt.Hooks{Connect: d.connect, Thing: thingOf(s.folder.store), Reserved: reserved, Whole: whole, Handle: d.handle},
	}
	err = d.share(&c, s, metrics)
	if err != nil {
		return err
	}
	d.server, err = mqtt.New(ctx, c)
	d.built.Store(err == nil)
	if err == nil && d.peers != nil {
		err = d.peers.Start(ctx, d.server)
	}
	return err
}

// share says where sessions are kept, and, if there are other nodes, how the
// endpoints of all of them are one.
func (d *devices) share(c *mqtt.Config, s *server, metrics prometheus.Registerer) error {
	if s.members == nil {
		sessions := stored.New(s.folder.store, s.log)
		c.Sessions, d.closeSessions = sessions, sessions.Close
		return nil
	}
	node := s.members.node
	sessions := stored.NewShared(s.folder.store, node.ID(), s.log)
	c.Sessions, d.closeSessions = sessions, sessions.Close
	c.Node, c.Now = node.ID(), node.Now
	var err error
	d.peers, err = peers.New(peers.Config{
		Bus: s.members.bus, Node: node.ID(), Alive: idsOf(node.Peers), Dead: idsOf(node.Dead), Forget: node.Forget,
		Announce: mqttapi.CanMatchMessages, Implies: mqttapi.Notifications, Subject: mqttapi.Subject, Retell: d.api.Retell,
		Log: s.log, Metrics: metrics,
	})
	if err == nil {
		c.Peers = d.peers
	}
	return err
}

// idsOf returns the ids of nodes.
func idsOf(nodes func() []store.Node) func() []string {
	return func() []string {
		var ids []string
		for _, n := range nodes() {
			ids = append(ids, n.ID)
		}
		return ids
	}
}

// connect says who a client is: one with a certificate of a known CA, one whose
// WebSocket was opened by a signed request, or one on this machine.
func (d *devices) connect(ctx context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
	p := auth.Principal{Account: d.cfg.Account, Region: d.cfg.Region, Service: "iotdevicegateway"}
	switch {
	case r.HTTP != nil:
		// The request is over, since its connection has become the client's.
		signed, err := d.verifier.Authenticate(r.HTTP.WithContext(ctx), nil)
		if err != nil {
			return auth.Principal{}, turnAway(err)
		}
		return signed, nil
	case r.Certificate != nil:
		_, err := r.Certificate.Verify(x509.VerifyOptions{Roots: d.cas, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return auth.Principal{}, mqtt.BadCredentials
		}
		p.Kind, p.ID = auth.Certificate, r.Fingerprint
		return p, nil
	case r.Listener == plainMQTT && isLoopback(r.Remote):
		p.Kind, p.ID = auth.Local, r.ClientID
		return p, nil
	}
	return auth.Principal{}, mqtt.BadCredentials
}

// reserved says which filters of reserved topics clients may subscribe to.
func reserved(filter string) bool {
	return mqttapi.CanSubscribe(filter) || strings.HasPrefix(filter, "$aws/events/")
}

// handle serves what is published to reserved topics.
func (d *devices) handle(ctx context.Context, r *mqtt.Request) (mqtt.Response, error) {
	if !mqttapi.CanPublish(r.Topic) {
		return mqtt.Response{}, nil
	}
	reply, handled, err := d.api.Handle(ctx, mqttapi.Request{
		Principal: r.Principal, ClientID: r.ID, Topic: r.Topic, Payload: r.Payload, QoS: r.QoS,
	})
	if err != nil || !handled {
		return mqtt.Response{}, err
	}
	return mqtt.Response{Handled: true, Replies: []mqtt.Reply{{Topic: reply.Topic, Payload: reply.Payload}}, After: reply.After}, nil
}

// webSocket returns the handler of /mqtt.
func (d *devices) webSocket() http.Handler {
	if d.bridge != nil {
		return http.NotFoundHandler()
	}
	return d.server.WebSocket(webMQTT)
}

// serve accepts devices until the server is closed, and reports listeners that fail.
func (d *devices) serve(ctx context.Context, failed chan<- error) {
	if d.bridge != nil {
		go func() { _ = d.bridge.Serve(ctx, d.api.Handle) }() // never fails
		return
	}
	for name, l := range map[string]net.Listener{plainMQTT: d.plain, tlsMQTT: d.secure} {
		if l == nil {
			continue
		}
		o := mqtt.ListenerOptions{Name: name}
		if name == tlsMQTT {
			o.TLS = d.tls
		}
		go func() {
			if err := d.server.Serve(ctx, l, o); err != nil {
				failed <- fmt.Errorf("listener %s: %w", name, err)
			}
		}()
	}
}

// urls returns where devices find the endpoint.
func (d *devices) urls() []string {
	var urls []string
	if d.bridge != nil {
		urls = append(urls, d.cfg.MQTTBroker)
	}
	if d.plain != nil {
		urls = append(urls, "mqtt://"+d.plain.Addr().String())
	}
	if d.secure != nil {
		urls = append(urls, "mqtts://"+d.secure.Addr().String())
	}
	return urls
}

// close ends the connections of devices.
func (d *devices) close(ctx context.Context) error {
	if d.bridge != nil {
		return d.bridge.Close(ctx)
	}
	err := d.server.Close(ctx)
	d.closeSessions()
	if d.peers != nil {
		d.peers.Close()
	}
	return err
}

func (d *devices) closeListeners() error {
	var errs []error
	for _, l := range []net.Listener{d.plain, d.secure} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}
