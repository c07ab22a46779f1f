package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqtt"
	"muster/internal/mqtt/stored"
	"muster/internal/mqttapi"
	"muster/internal/store/sqlite"
)

// mqttChild serves the endpoint of Muster, with the jobs behind it or bare.
func mqttChild(ctx context.Context, o childOptions) (err error) {
	e := new(benchEndpoint)
	cfg := mqtt.Config{Hooks: mqtt.Hooks{Connect: e.connect, Handle: e.handleBare}, Metrics: prometheus.NewRegistry()}
	if o.Serve == serveDevices {
		done, err := e.openDevices(ctx, o.Dir, &cfg)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
	}
	listen := mqtt.ListenerOptions{Name: "bench"}
	if o.TLS != "" {
		listen.TLS, e.cas, err = serverTLS(o.TLS)
		if err != nil {
			return err
		}
	}
	e.server, err = mqtt.New(ctx, cfg)
	if err != nil {
		return err
	}
	if e.start != nil {
		e.start()
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(ctx, l, listen) }()
	fmt.Println(l.Addr())
	stop, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	err = answerUntilEOF(os.Stdin, os.Stdout)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return errors.Join(err, stop(), e.server.Close(ctx), <-served)
}

// serverTLS is that of a server with the certificate in an authority's folder.
func serverTLS(dir string) (*tls.Config, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, caFile))
	cas := x509.NewCertPool()
	if err == nil && !cas.AppendCertsFromPEM(ca) {
		err = errors.New("the authority has no certificate")
	}
	return mqtt.DeviceTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, true), cas, err
}

// benchEndpoint is what stands behind the endpoint.
type benchEndpoint struct {
	server *mqtt.Server
	api    *mqttapi.API
	cas    *x509.CertPool // nil without TLS
	start  func()         // starts the loops when there is a server; nil if there are none
}

// connect says who a device is, as the real server does.
func (e *benchEndpoint) connect(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
	p := auth.Principal{Kind: auth.Local, ID: r.ClientID, Account: account, Region: region, Service: "iotdevicegateway"}
	if e.cas == nil {
		return p, nil
	}
	_, err := r.Certificate.Verify(x509.VerifyOptions{Roots: e.cas, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return auth.Principal{}, mqtt.BadCredentials
	}
	p.Kind, p.ID = auth.Certificate, r.Fingerprint
	return p, nil
}

// fanOutTopic makes the bare endpoint send messages to many things.
const fanOutTopic = "$bench/fan-out"

// fanOutRequest says what to send: two messages to each of so many things.
type fanOutRequest struct {
	Things             int
	Notify, NotifyNext []byte // payloads
}

// handleBare answers at once what Muster answers after a change, or starts to
// send messages that nothing stands behind.
func (e *benchEndpoint) handleBare(_ context.Context, r *mqtt.Request) (mqtt.Response, error) {
	if r.Topic == fanOutTopic {
		var f fanOutRequest
		if err := json.Unmarshal(r.Payload, &f); err != nil {
			return mqtt.Response{}, err
		}
		go e.fanOut(f)
		return mqtt.Response{Handled: true}, nil
	}
	payload := append(make([]byte, 0, 64), `{"clientToken":"`+benchToken+`","timestamp":`...)
	payload = append(strconv.AppendInt(payload, time.Now().Unix(), 10), '}')
	return mqtt.Response{Handled: true, Replies: []mqtt.Reply{{Topic: r.Topic + "/accepted", Payload: payload}}}, nil
}

// fanOut publishes one message after the other, as the engine does. The loader
// misses those that fail.
func (e *benchEndpoint) fanOut(f fanOutRequest) {
	for i := range f.Things {
		base := jobsOf(thingName(i))
		_ = e.server.Publish(context.Background(), mqtt.Message{Topic: base + notify, Payload: f.Notify, QoS: 1})
		_ = e.server.Publish(context.Background(), mqtt.Message{Topic: base + notifyNext, Payload: f.NotifyNext, QoS: 1})
	}
}

func jobsOf(thing string) string { return "$aws/things/" + thing + "/jobs/" }

const (
	notify     = "notify"
	notifyNext = "notify-next"
)

// openDevices puts the jobs API on the store in dir behind the endpoint, as
// cmd/muster does but for the log, and returns how to close it.
func (e *benchEndpoint) openDevices(ctx context.Context, dir string, cfg *mqtt.Config) (func() error, error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	inspector := mqttapi.NewInspector(mqttapi.InspectorConfig{})
	publisher, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: e, Inspector: inspector})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	jobs, err := engine.New(ctx, engine.Config{Store: s, UIDs: new(job.UIDs), Account: account, Publisher: publisher})
	if err == nil {
		e.api, err = mqttapi.New(mqttapi.Config{Engine: jobs, Inspector: inspector, Metrics: cfg.Metrics})
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	sessions := stored.New(s, nil)
	cfg.Sessions = sessions
	cfg.Hooks.Handle = e.handle
	cfg.Hooks.Reserved = func(filter string) bool {
		return mqttapi.CanSubscribe(filter) || strings.HasPrefix(filter, "$aws/events/")
	}
	ctx, cancel := context.WithCancel(ctx)
	ran := make(chan error, 1)
	e.start = func() { go func() { ran <- jobs.Run(ctx) }() }
	return func() error {
		sessions.Close()
		cancel()
		return errors.Join(<-ran, s.Close())
	}, nil
}

// Publish implements mqttapi.Broker.
func (e *benchEndpoint) Publish(ctx context.Context, m mqttapi.Message) error {
	return e.server.Publish(ctx, mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS})
}

// handle serves the jobs API.
func (e *benchEndpoint) handle(ctx context.Context, r *mqtt.Request) (mqtt.Response, error) {
	reply, handled, err := e.api.Handle(ctx, mqttapi.Request{
		Principal: r.Principal, ClientID: r.ID, Topic: r.Topic, Payload: r.Payload, QoS: r.QoS,
	})
	if err != nil || !handled {
		return mqtt.Response{}, err
	}
	return mqtt.Response{Handled: true, Replies: []mqtt.Reply{{Topic: reply.Topic, Payload: reply.Payload}}, After: reply.After}, nil
}
