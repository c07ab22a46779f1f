package mqttapi_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqttapi"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

// t0 is where the clock of a test stands: 2023-11-14T22:13:20.123Z.
const t0 = 1_700_000_000_123

// b is the jobs namespace of thing t1.
const b = "$aws/things/t1/jobs/"

var (
	operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIAOPERATOR", Account: "123456789012", Region: "us-east-1", Service: "iot"}
	device   = auth.Principal{Kind: auth.AccessKey, ID: "AKIADEVICE", Account: "123456789012", Region: "us-east-1", Service: "iotdevicegateway"}
)

// broker is one that only writes down what it is given.
type broker struct {
	around func(deliver func() error) error // nil: deliver

	mu       sync.Mutex
	messages []mqttapi.Message // guarded by mu
}

func (b *broker) Publish(_ context.Context, m mqttapi.Message) error {
	deliver := func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.messages = append(b.messages, m)
		return nil
	}
	if b.around != nil {
		return b.around(deliver)
	}
	return deliver()
}

// take returns the messages since the last call.
func (b *broker) take() []mqttapi.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.messages
	b.messages = nil
	return m
}

// world is the whole API on a real store, on a clock that the test moves.
type world struct {
	*mqttapi.API
	t         testing.TB
	dir       string
	broker    *broker
	inspector *mqttapi.Inspector
	engine    *engine.Engine
	store     store.Store
	uids      *job.UIDs
	conf      engine.Config
	wrap      func(store.Store) store.Store // what the engine sees of the store
	around    mqttapi.Broker                // in place of broker; nil: broker

	mu  sync.Mutex
	now int64 // guarded by mu: milliseconds since the epoch
}

// newWorld returns a world with a thing t1; tune changes what it is made of.
func newWorld(t testing.TB, tune ...func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), now: t0, broker: &broker{}, inspector: mqttapi.NewInspector(mqttapi.InspectorConfig{}),
		wrap: func(s store.Store) store.Store { return s },
	}
	w.conf = engine.Config{Account: "123456789012", Clock: engine.Clock{Now: w.clock, Wait: engine.WallClock().Wait}}
	for _, f := range tune {
		f(w)
	}
	w.open()
	t.Cleanup(func() { w.must(w.store.Close()) })
	w.things("t1")
	return w
}

func (w *world) open() {
	w.t.Helper()
	s, err := sqlite.Open(w.t.Context(), sqlite.Config{Dir: w.dir})
	w.must(err)
	w.store, w.uids = s, new(job.UIDs)
	to := w.around
	if to == nil {
		to = w.broker
	}
	p, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: to, Inspector: w.inspector})
	w.must(err)
	w.conf.Store, w.conf.UIDs, w.conf.Publisher = w.wrap(s), w.uids, p
	w.engine, err = engine.New(w.t.Context(), w.conf)
	w.must(err)
	w.API, err = mqttapi.New(mqttapi.Config{Engine: w.engine, Inspector: w.inspector})
	w.must(err)
}

// restart closes the store, as a stopped process would, and opens it again.
func (w *world) restart() {
	w.t.Helper()
	w.must(w.store.Close())
	w.open()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.UnixMilli(w.now)
}

func (w *world) set(ms int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = ms
}

func (w *world) wait(d time.Duration) { w.set(w.clock().Add(d).UnixMilli()) }

func (w *world) uid() int64 { return w.uids.Next(w.clock().UnixMilli()) }

// things registers things, as the registry would.
func (w *world) things(names ...string) {
	w.t.Helper()
	w.must(w.store.Update(w.t.Context(), func(tx store.Tx) error {
		for _, n := range names {
			if err := tx.InsertThing(thing.Thing{UID: w.uid(), Name: n, ID: n, Version: 1}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// deleteThing takes a thing away, as the registry would.
func (w *world) deleteThing(name string) {
	w.t.Helper()
	w.must(w.store.Update(w.t.Context(), func(tx store.Tx) error {
		x, err := tx.ThingByName(name)
		if err != nil {
			return err
		}
		return errors.Join(tx.DeleteThing(x),
			tx.AddChange(thing.Change{Seq: w.uid(), Kind: thing.Deleted, Thing: name, ThingUID: x.UID}))
	}))
	w.engine.Kick()
}

// create makes a job for t1, unless adjust says otherwise.
func (w *world) create(id, document string, adjust ...func(*job.Spec)) {
	w.t.Helper()
	s := job.Spec{
		ID: id, Document: document, Selection: job.Snapshot,
		Targets: []job.Target{{Kind: job.ThingTarget, Name: "t1"}},
	}
	for _, f := range adjust {
		f(&s)
	}
	_, err := w.engine.CreateJob(w.t.Context(), operator, s, nil)
	w.must(err)
}

func on(things ...string) func(*job.Spec) {
	return func(s *job.Spec) {
		s.Targets = nil
		for _, n := range things {
			s.Targets = append(s.Targets, job.Target{Kind: job.ThingTarget, Name: n})
		}
	}
}

// publish sends a request of a connected device and returns the reply, which
// has not been handed over yet.
func (w *world) publish(topic, payload string) mqttapi.Reply {
	w.t.Helper()
	r, ok, err := w.Handle(w.t.Context(), mqttapi.Request{
		Principal: device, ClientID: "client-1", Topic: topic, Payload: []byte(payload), QoS: 1,
	})
	if !ok || err != nil {
		w.t.Fatalf("%s: handled %v, error %v", topic, ok, err)
	}
	return r
}

// ask sends a request and returns "topic payload" of the reply, without b.
func (w *world) ask(topic, payload string) string {
	w.t.Helper()
	r := w.publish(topic, payload)
	if r.After != nil {
		r.After()
	}
	return strings.TrimPrefix(r.Topic, b) + " " + string(r.Payload)
}

// settle runs the engine's loops until nothing is due.
func (w *world) settle() {
	w.t.Helper()
	w.must(w.engine.Settle(w.t.Context()))
}
