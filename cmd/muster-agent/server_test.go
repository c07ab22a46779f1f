package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqtt"
	"muster/internal/mqttapi"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

var operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIAOPERATOR", Account: "123456789012", Region: "us-east-1", Service: "iot"}

// server is Muster in this process: the real engine, store and endpoint.
type server struct {
	t        *testing.T
	engine   *engine.Engine
	endpoint *mqtt.Server
	url      string
	notified chan struct{} // holds one when the device has been notified
}

// Publish implements mqttapi.Broker.
func (s *server) Publish(ctx context.Context, m mqttapi.Message) error {
	if strings.HasSuffix(m.Topic, "/notify-next") {
		select {
		case s.notified <- struct{}{}:
		default:
		}
	}
	return s.endpoint.Publish(ctx, mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS})
}

// newServer starts a server that knows the thing t.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, notified: make(chan struct{}, 1)}
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	s.must(err)
	publisher, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: s})
	s.must(err)
	uids := new(job.UIDs)
	s.engine, err = engine.New(t.Context(), engine.Config{Store: db, UIDs: uids, Account: operator.Account, Publisher: publisher})
	s.must(err)
	api, err := mqttapi.New(mqttapi.Config{Engine: s.engine})
	s.must(err)
	s.endpoint, err = mqtt.New(t.Context(), mqtt.Config{Hooks: mqtt.Hooks{
		Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
			return auth.Principal{Kind: auth.Local, ID: r.ClientID, Account: operator.Account, Region: operator.Region}, nil
		},
		Handle: func(ctx context.Context, r *mqtt.Request) (mqtt.Response, error) {
			reply, handled, err := api.Handle(ctx, mqttapi.Request{
				Principal: r.Principal, ClientID: r.ID, Topic: r.Topic, Payload: r.Payload, QoS: r.QoS,
			})
			return mqtt.Response{Handled: handled, Replies: []mqtt.Reply{{Topic: reply.Topic, Payload: reply.Payload}}, After: reply.After}, err
		},
	}})
	s.must(err)
	s.must(db.Update(t.Context(), func(tx store.Tx) error {
		return tx.InsertThing(thing.Thing{UID: uids.Next(time.Now().UnixMilli()), Name: "t", ID: "t", Version: 1})
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.url = "mqtt://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.endpoint.Serve(ctx, l, mqtt.ListenerOptions{}) })
	running.Go(func() {
		if err := s.engine.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		closing, done := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer done()
		s.must(s.endpoint.Close(closing))
		cancel()
		running.Wait()
		s.must(db.Close())
	})
	return s
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// create makes a job for the thing.
func (s *server) create(id, document string) {
	s.t.Helper()
	s.must(s.tryCreate(id, document))
}

// tryCreate does so if there is none of that name.
func (s *server) tryCreate(id, document string) error {
	_, err := s.engine.CreateJob(s.t.Context(), operator, job.Spec{
		ID: id, Document: document, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: "t"}},
	}, nil)
	return err
}
