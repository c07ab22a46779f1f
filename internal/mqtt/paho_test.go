package mqtt_test

import (
	"context"
	"net"
	"net/url"
	"testing"

	"github.com/eclipse/paho.golang/autopaho"
	paho5 "github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"muster/internal/mqtt"
)

// echo answers every request to the jobs service.
func echo() mqtt.Config {
	return mqtt.Config{Hooks: mqtt.Hooks{Handle: func(_ context.Context, r *mqtt.Request) (mqtt.Response, error) {
		return mqtt.Response{Handled: true, Replies: []mqtt.Reply{{Topic: r.Topic + "/accepted", Payload: append([]byte(nil), r.Payload...)}}}, nil
	}}}
}

func TestPahoV3(t *testing.T) {
	t.Parallel()
	e := start(t, echo())
	o := paho3.NewClientOptions().AddBroker("tcp://" + e.addr).SetClientID("paho3").SetCleanSession(false).SetOrderMatters(true)
	c := paho3.NewClient(o)
	done := func(tok paho3.Token) {
		t.Helper()
		if !tok.WaitTimeout(patience) || tok.Error() != nil {
			t.Fatalf("got %v", tok.Error())
		}
	}
	done(c.Connect())
	got := make(chan string, 100)
	handler := func(_ paho3.Client, m paho3.Message) { got <- m.Topic() + " " + string(m.Payload()) }
	done(c.Subscribe("$aws/things/t/jobs/get/+", 1, handler))
	done(c.Subscribe("a/#", 1, handler))
	done(c.Publish("$aws/things/t/jobs/get", 1, false, "{}"))
	if m := <-got; m != "$aws/things/t/jobs/get/accepted {}" {
		t.Errorf("got %s", m)
	}
	for _, p := range []string{"1", "2", "3"} {
		done(c.Publish("a/b", 1, false, p))
	}
	for _, want := range []string{"a/b 1", "a/b 2", "a/b 3"} {
		if m := <-got; m != want {
			t.Errorf("got %s, want %s", m, want)
		}
	}
	done(c.Unsubscribe("a/#"))
	c.Disconnect(100)
	if err := e.Publish(t.Context(), mqtt.Message{Topic: "$aws/things/t/jobs/get/x", QoS: 1, Payload: []byte("missed")}); err != nil {
		t.Fatal(err)
	}
	c = paho3.NewClient(o.SetDefaultPublishHandler(handler))
	done(c.Connect())
	if m := <-got; m != "$aws/things/t/jobs/get/x missed" {
		t.Errorf("got %s", m)
	}
	c.Disconnect(100)
}

func TestPahoV5(t *testing.T) {
	t.Parallel()
	e := start(t, echo())
	nc, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	c := paho5.NewClient(paho5.ClientConfig{Conn: nc, OnPublishReceived: []func(paho5.PublishReceived) (bool, error){
		func(r paho5.PublishReceived) (bool, error) {
			got <- r.Packet.Topic + " " + string(r.Packet.Payload)
			return true, nil
		},
	}})
	expiry := uint32(60)
	a, err := c.Connect(t.Context(), &paho5.Connect{ClientID: "paho5", KeepAlive: 30, CleanStart: true, Properties: &paho5.ConnectProperties{SessionExpiryInterval: &expiry}})
	if err != nil || a.ReasonCode != 0 {
		t.Fatalf("connect: %+v, %v", a, err)
	}
	if _, err := c.Subscribe(t.Context(), &paho5.Subscribe{Subscriptions: []paho5.SubscribeOptions{
		{Topic: "$aws/things/t/jobs/start-next/+", QoS: 1}, {Topic: "a", QoS: 1},
	}}); err != nil {
		t.Fatal(err)
	}
	alias := uint16(3)
	for i, topic := range []string{"$aws/things/t/jobs/start-next", ""} {
		r, err := c.Publish(t.Context(), &paho5.Publish{QoS: 1, Topic: topic, Payload: []byte{'0' + byte(i)}, Properties: &paho5.PublishProperties{TopicAlias: &alias}})
		if err != nil || r.ReasonCode != 0 {
			t.Fatalf("publish: %+v, %v", r, err)
		}
		if m := <-got; m != "$aws/things/t/jobs/start-next/accepted "+string('0'+rune(i)) {
			t.Errorf("got %s", m)
		}
	}
	if _, err := c.Publish(t.Context(), &paho5.Publish{QoS: 1, Topic: "a", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if m := <-got; m != "a x" {
		t.Errorf("got %s", m)
	}
	if err := c.Disconnect(&paho5.Disconnect{}); err != nil {
		t.Error(err)
	}
}

func TestAutopahoReconnects(t *testing.T) {
	t.Parallel()
	e := start(t, echo())
	u, err := url.Parse("mqtt://" + e.addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up := make(chan struct{}, 10)
	cm, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 30, SessionExpiryInterval: 60,
		OnConnectionUp: func(*autopaho.ConnectionManager, *paho5.Connack) { up <- struct{}{} },
		ClientConfig:   paho5.ClientConfig{ClientID: "auto"},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-up
	e.connect(5, "auto") // takes over: the client comes back
	<-up
	cancel()
	<-cm.Done()
}
