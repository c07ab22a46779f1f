package bridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

var operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIAOPERATOR", Account: "123456789012", Region: "us-east-1", Service: "iot"}

// world is the jobs API on a real store, with its loops running.
type world struct {
	t      *testing.T
	engine *engine.Engine
	api    *mqttapi.API
	brokers
}

// brokers publishes over the first bridge that can.
type brokers struct{ all chan []*bridge.Bridge }

func (b brokers) Publish(ctx context.Context, m mqttapi.Message) error {
	all := <-b.all
	b.all <- all
	err := error(apierr.New(apierr.Unavailable, "no bridge"))
	for _, one := range all {
		if err = one.Publish(ctx, m); err == nil {
			return nil
		}
	}
	return err
}

// newWorld returns a world with things.
func newWorld(t *testing.T, things ...string) *world {
	t.Helper()
	w := &world{t: t, brokers: brokers{make(chan []*bridge.Bridge, 1)}}
	w.all <- nil
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	w.must(err)
	uids := new(job.UIDs)
	w.must(s.Update(t.Context(), func(tx store.Tx) error {
		var errs []error
		for _, n := range things {
			errs = append(errs, tx.InsertThing(thing.Thing{UID: uids.Next(1), Name: n, ID: n, Version: 1}))
		}
		return errors.Join(errs...)
	}))
	p, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: w})
	w.must(err)
	w.engine, err = engine.New(t.Context(), engine.Config{Store: s, UIDs: uids, Account: "123456789012", Publisher: p, Log: logger(t)})
	w.must(err)
	w.api, err = mqttapi.New(mqttapi.Config{Engine: w.engine, Log: logger(t)})
	w.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// bridge starts a bridge of this world.
func (w *world) bridge(url string, tune ...func(*bridge.Config)) *bridge.Bridge {
	w.t.Helper()
	b := startBridge(w.t, url, w.api.Handle, tune...)
	w.all <- append(<-w.all, b)
	return b
}

// create makes a job for a thing.
func (w *world) create(id, thing string) {
	w.t.Helper()
	_, err := w.engine.CreateJob(w.t.Context(), operator, job.Spec{
		ID: id, Document: `{"do":"` + id + `"}`, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: thing}},
	}, nil)
	w.must(err)
}

// device is an MQTT 5 client of a broker.
type device struct {
	t       *testing.T
	thing   string
	client  *paho.Client
	inbox   chan string // topics without what is common, and payloads
	resumed bool
}

// device connects a device that keeps its session, and subscribes to what is for it.
func (w *world) device(address, thing string) *device {
	w.t.Helper()
	d, err := dialDevice(w.t, address, thing)
	w.must(err)
	prefix := d.topic("")
	sub := &paho.Subscribe{}
	for _, f := range []string{"notify", "notify-next", "get/+", "start-next/+", "+/get/+", "+/update/+"} {
		sub.Subscriptions = append(sub.Subscriptions, paho.SubscribeOptions{Topic: prefix + f, QoS: 1})
	}
	_, err = d.client.Subscribe(w.t.Context(), sub)
	w.must(err)
	return d
}

// dialDevice connects without subscribing. It does not wait for a broker.
func dialDevice(t *testing.T, address, thing string) (*device, error) {
	t.Helper()
	nc, err := dialTCP(t, address)
	if err != nil {
		return nil, err
	}
	d := &device{t: t, thing: thing, inbox: make(chan string, 100)}
	d.client = paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(nc), OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(r paho.PublishReceived) (bool, error) {
			d.inbox <- strings.TrimPrefix(r.Packet.Topic, d.topic("")) + " " + string(r.Packet.Payload)
			return true, nil
		},
	}})
	expiry := uint32(60)
	ack, err := d.client.Connect(t.Context(), &paho.Connect{
		ClientID: thing, KeepAlive: 30, Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry},
	})
	if err != nil {
		return nil, err
	}
	d.resumed = ack.SessionPresent
	t.Cleanup(func() { _ = d.client.Disconnect(&paho.Disconnect{}) })
	return d, nil
}

func (d *device) topic(suffix string) string { return "$aws/things/" + d.thing + "/jobs/" + suffix }

// ask publishes a request.
func (d *device) ask(topic, payload string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	_, err := d.client.Publish(ctx, &paho.Publish{Topic: d.topic(topic), QoS: 1, Payload: []byte(payload)})
	if err != nil {
		d.t.Fatal(err)
	}
}

// gets checks the next message: the beginning of it, and what is in it.
func (d *device) gets(topic string, parts ...string) {
	d.t.Helper()
	got := await(d.t, d.inbox, topic)
	if !strings.HasPrefix(got, topic+" ") {
		d.t.Fatalf("got %s, want %s", got, topic)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			d.t.Fatalf("got %s, want %s in it", got, part)
		}
	}
}
