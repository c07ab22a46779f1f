package mqtt_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// message returns a PUBLISH.
func message(qos codec.QoS, topic, payload string) *codec.Publish {
	m := &codec.Publish{Message: codec.Message{Topic: []byte(topic), Payload: []byte(payload), QoS: qos}}
	if qos > 0 {
		m.PacketID = 7
	}
	return m
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{
		CanPublish: func(_ mqtt.Client, topic string) bool { return topic != "secret" },
		Handle: func(_ context.Context, r *mqtt.Request) (mqtt.Response, error) {
			if r.Topic == "$aws/fault" {
				return mqtt.Response{}, context.DeadlineExceeded
			}
			return mqtt.Response{Handled: r.Topic == "$aws/known"}, nil
		},
	}})
	alias := func(topic string, n uint16) *codec.Publish {
		m := message(1, topic, "")
		m.Alias = n
		return m
	}
	var user codec.UserProperties
	for range 5 {
		if err := user.Add("n", strings.Repeat("v", 2000)); err != nil {
			t.Fatal(err)
		}
	}
	wordy := message(1, "a", "")
	wordy.User = user
	const goesOn = codec.Success
	for _, c := range []struct {
		name    string
		packet  *codec.Publish
		puback  codec.Reason // what MQTT 5 acknowledges with; goesOn if it disconnects
		goodbye codec.Reason
		only5   bool
	}{
		{"denied, QoS 1", message(1, "secret", ""), codec.NotAuthorized, 0, false},
		{"denied, QoS 0", message(0, "secret", ""), 0, codec.NotAuthorized, false},
		{"unknown reserved topic, QoS 1", message(1, "$aws/other", ""), codec.TopicNameInvalid, 0, false},
		{"unknown reserved topic, QoS 0", message(0, "$SYS/x", ""), 0, codec.TopicNameInvalid, false},
		{"fault of the hook", message(1, "$aws/fault", ""), codec.UnspecifiedError, 0, false},
		{"long topic", message(1, strings.Repeat("t", 257), ""), codec.TopicNameInvalid, 0, false},
		{"deep topic", message(1, "1/2/3/4/5/6/7/8/9", ""), codec.TopicNameInvalid, 0, false},
		{"long payload", message(1, "a", strings.Repeat("x", 128<<10+1)), 0, codec.QuotaExceeded, false},
		{"long packet", message(1, "a", strings.Repeat("x", 150_000)), 0, codec.QuotaExceeded, false},
		{"wildcard in the topic", message(1, "a/+", ""), 0, codec.TopicNameInvalid, false},
		{"alias above the maximum", alias("a", 9), 0, codec.TopicAliasInvalid, true},
		{"alias that stands for nothing", alias("", 3), 0, codec.ProtocolError, true},
		{"user properties", wordy, codec.QuotaExceeded, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !c.only5 {
				p := e.connect(codec.V311, c.name)
				p.send(c.packet)
				p.ended()
			}
			p := e.connect(codec.V5, c.name)
			p.send(c.packet)
			if c.goodbye != goesOn {
				p.refused(c.goodbye)
				return
			}
			if a := expect[*codec.Puback](p); a.Reason != c.puback || a.PacketID != 7 {
				t.Errorf("got %+v, want %v", a, c.puback)
			}
			p.publish(codec.QoS1, "$aws/known", "")
			p.publish(codec.QoS1, "fine", "")
		})
	}
	t.Run("QoS 2", func(t *testing.T) {
		t.Parallel()
		for _, v := range []codec.Version{codec.V311, codec.V5} {
			p := e.connect(v, "qos2 "+v.String())
			b := []byte{0x34, 6, 0, 1, 'a', 0, 1, 0}
			if v == codec.V311 {
				b = []byte{0x34, 5, 0, 1, 'a', 0, 1}
			}
			p.write(b)
			p.refused(codec.QoSNotSupported)
		}
	})
	t.Run("what is as long as allowed arrives", func(t *testing.T) {
		t.Parallel()
		p := e.connect(codec.V311, "just right")
		p.subscribe(codec.QoS1, "1/2/3/4/5/6/7/8")
		body := strings.Repeat("x", 128<<10)
		p.send(message(1, "1/2/3/4/5/6/7/8", body))
		for range 2 {
			q, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if m, ok := q.(*codec.Publish); ok && string(m.Payload) != body {
				t.Errorf("got %d bytes", len(m.Payload))
			}
		}
	})
}

func TestRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	hooks := mqtt.Hooks{CanSubscribe: func(_ mqtt.Client, filter string) bool { return filter != "secret/#" }}
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{Hooks: hooks})
		p := e.connect(v, "c")
		p.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{
			{Filter: []byte("a"), QoS: 2},
			{Filter: []byte("secret/#"), QoS: 1},
			{Filter: []byte("$share/g/secret/#"), QoS: 1},
			{Filter: []byte("$SYS/#"), QoS: 1},
			{Filter: []byte("$aws/things/a/b/c/d/e/f/g/h/i"), QoS: 1},
			{Filter: []byte("1/2/3/4/5/6/7/8/9"), QoS: 1},
			{Filter: []byte("b"), QoS: 0},
			{Filter: []byte("$share/g/1/2/3/4/5/6/7/8"), QoS: 1},
			{Filter: []byte("the ninth"), QoS: 0},
		}})
		want := []codec.Reason{
			codec.GrantedQoS1, codec.NotAuthorized, codec.NotAuthorized, codec.TopicFilterInvalid, codec.GrantedQoS1,
			codec.TopicFilterInvalid, codec.Success, codec.GrantedQoS1, codec.QuotaExceeded,
		}
		if v == codec.V311 {
			for i := range want {
				if want[i].Failed() {
					want[i] = codec.UnspecifiedError
				}
			}
		}
		if diff := cmp.Diff(want, expect[*codec.Suback](p).Reasons); diff != "" {
			t.Errorf("SUBACK (-want +got):\n%s", diff)
		}
		for i := range 46 { // with the 4 that it has, 50
			p.subscribe(codec.QoS1, fmt.Sprint("more/", i))
		}
		p.subscribe(codec.QoS1, "more/3") // again is not one more
		p.send(&codec.Subscribe{PacketID: 2, Filters: []codec.Subscription{{Filter: []byte("too many")}}})
		if got := expect[*codec.Suback](p).Reasons[0]; !got.Failed() || v == codec.V5 && got != codec.QuotaExceeded {
			t.Errorf("the 51st: got %v", got)
		}
		p.send(&codec.Unsubscribe{PacketID: 3, Filters: [][]byte{[]byte("more/1"), []byte("never")}})
		u := expect[*codec.Unsuback](p)
		if diff := cmp.Diff([]codec.Reason{codec.Success, codec.NoSubscriptionExisted}, u.Reasons); v == codec.V5 && diff != "" {
			t.Errorf("UNSUBACK (-want +got):\n%s", diff)
		}
		p.subscribe(codec.QoS1, "there is room again")
	})
	t.Run("a subscription id is not supported", func(t *testing.T) {
		t.Parallel()
		e := start(t, mqtt.Config{})
		p := e.connect(codec.V5, "c")
		p.send(&codec.Subscribe{PacketID: 1, SubscriptionID: 1, Filters: []codec.Subscription{{Filter: []byte("a")}}})
		p.refused(codec.SubscriptionIDsNotSupported)
	})
}

func TestReceivingIsAsked(t *testing.T) {
	t.Parallel()
	allowed := make(chan bool, 1)
	allowed <- true
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{CanReceive: func(c mqtt.Client, topic string) bool {
		ok := <-allowed
		allowed <- ok
		return c.ID != "c" || ok || topic == "free"
	}}})
	gone := e.watch()
	p, _ := e.persistent(codec.V5, "c")
	p.subscribe(codec.QoS1, "a", "free")
	pub := e.connect(codec.V5, "pub")
	pub.publish(codec.QoS1, "a", "sent, not acknowledged")
	expect[*codec.Publish](p)
	_ = p.nc.Close()
	gone()
	pub.publish(codec.QoS1, "a", "waits")
	<-allowed
	allowed <- false // the policy has changed
	p, _ = e.persistent(codec.V5, "c")
	pub.publish(codec.QoS1, "a", "new")
	pub.publish(codec.QoS1, "free", "fine")
	p.receive("free", "fine")
	p.quiet()
}

func TestRetained(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{Limits: mqtt.Limits{RetainedMessages: 2}})
		pub, p := e.connect(v, "pub"), e.connect(v, "sub")
		keep := func(topic, payload string, want ...codec.Reason) {
			m := message(1, topic, payload)
			m.Retain = true
			pub.send(m)
			if a := expect[*codec.Puback](pub); v == codec.V5 && a.Reason != append(want, codec.Success)[0] {
				t.Errorf("%s %q: got %v", topic, payload, a.Reason)
			}
		}
		p.subscribe(codec.QoS1, "a/+")
		keep("a/1", "old")
		if m := p.receive("a/1", "old"); m.Retain {
			t.Error("a message that is new to the subscriber is marked as retained")
		}
		keep("a/1", "kept")
		p.receive("a/1", "kept")
		keep("a/2", "gone")
		p.receive("a/2", "gone")
		keep("a/2", "") // forgets it, and is passed on
		p.receive("a/2", "")
		keep("b", "b")
		p.subscribe(codec.QoS1, "c")
		keep("c", "no room", codec.QuotaExceeded)
		if v == codec.V311 { // which was told nothing
			p.receive("c", "no room")
		}
		p.quiet()
		keep("b", "has room")
		keep("c", "") // nothing is forgotten, but it is passed on
		p.receive("c", "")
		late := e.connect(v, "late")
		late.subscribe(codec.QoS1, "a/+", "#", "$share/g/a/1", "a/2", "c")
		late.quiet()
		late.subscribe(codec.QoS0, "a/1")
		if m := late.receive("a/1", "kept"); !m.Retain || m.QoS != 0 {
			t.Errorf("got %+v", m)
		}
		if v == codec.V311 {
			return
		}
		for _, c := range []struct {
			name     string
			filter   string
			handling codec.RetainHandling
			want     bool
		}{
			{"never", "b", codec.RetainSendNever, false},
			{"if new, but it is not", "b", codec.RetainSendIfNew, false},
			{"always", "b", codec.RetainSend, true},
			{"if new", "a/1", codec.RetainSendIfNew, false},
		} {
			late.send(&codec.Subscribe{PacketID: 5, Filters: []codec.Subscription{{Filter: []byte(c.filter), RetainHandling: c.handling}}})
			expect[*codec.Suback](late)
			if c.want {
				late.receive("b", "has room")
			}
			late.quiet()
		}
	})
}

func TestSubscriptionOptions(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p, q := e.connect(codec.V5, "p"), e.connect(codec.V5, "q")
	p.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{
		{Filter: []byte("a"), QoS: 1, NoLocal: true, RetainAsPublished: true},
		{Filter: []byte("b/#"), QoS: 0}, {Filter: []byte("b/+"), QoS: 1},
	}})
	expect[*codec.Suback](p)
	p.publish(codec.QoS1, "a", "own")
	p.quiet()
	m := message(1, "a", "other's")
	m.Retain = true
	q.send(m)
	expect[*codec.Puback](q)
	if m := p.receive("a", "other's"); !m.Retain {
		t.Error("retain flag is not as published")
	}
	q.publish(codec.QoS1, "b/c", "overlap")
	if m := p.receive("b/c", "overlap"); m.QoS != 1 {
		t.Errorf("got QoS %d", m.QoS)
	}
	p.quiet() // and once only
}

func TestPropertiesArePassedOn(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p, old, pub := e.connect(codec.V5, "p"), e.connect(codec.V311, "old"), e.connect(codec.V5, "pub")
	p.subscribe(codec.QoS1, "a")
	old.subscribe(codec.QoS1, "a")
	m := message(1, "a", "x")
	m.PayloadIsText, m.ContentType, m.ResponseTopic, m.CorrelationData = true, []byte("c"), []byte("r"), []byte{0}
	if err := m.User.Add("k", "v"); err != nil {
		t.Fatal(err)
	}
	pub.send(m)
	got := p.receive("a", "x")
	got.PacketID = m.PacketID
	if diff := cmp.Diff(m.Message, got.Message, cmp.Comparer(codec.UserProperties.Equal)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	old.receive("a", "x")
}

func TestMaximumPacketSizeOfTheClient(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{})
	p, _ := e.open(&codec.Connect{Version: 5, ClientID: []byte("p"), MaximumPacketSize: 100})
	p.subscribe(codec.QoS1, "a")
	pub := e.connect(codec.V311, "pub")
	pub.publish(codec.QoS1, "a", strings.Repeat("x", 200))
	pub.publish(codec.QoS1, "a", "short")
	p.receive("a", "short")
	p.quiet()
}

func TestSharedSubscriptions(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, v codec.Version) {
		e := start(t, mqtt.Config{})
		gone := e.watch()
		first, _ := e.persistent(v, "first")
		second, _ := e.persistent(v, "second")
		pub := e.connect(v, "pub")
		for _, p := range []*peer{first, second} {
			p.subscribe(codec.QoS1, "$share/g/a/#")
		}
		const n = 100
		for i := range n {
			pub.publish(codec.QoS1, "a/b", fmt.Sprint(i))
		}
		counts := [2]int{}
		seen := map[string]bool{}
		for i, p := range []*peer{first, second} {
			p.send(&codec.Pingreq{})
			for {
				q, err := p.read()
				if err != nil {
					t.Fatal(err)
				}
				m, ok := q.(*codec.Publish)
				if !ok {
					break
				}
				p.ack(m)
				if seen[string(m.Payload)] {
					t.Errorf("%s came twice", m.Payload)
				}
				seen[string(m.Payload)] = true
				counts[i]++
			}
		}
		if len(seen) != n || counts[0] < n/5 || counts[1] < n/5 {
			t.Errorf("got %d of %d: %v", len(seen), n, counts)
		}
		_ = first.nc.Close()
		gone()
		pub.publish(codec.QoS1, "a/b", "to the one that is there")
		second.receive("a/b", "to the one that is there")
		second.quiet()
		_ = second.nc.Close()
		gone()
		pub.publish(codec.QoS0, "a/b", "lost")
		pub.publish(codec.QoS1, "a/b", "kept for one of them")
		first, _ = e.persistent(v, "first")
		second, _ = e.persistent(v, "second")
		got := 0
		for _, p := range []*peer{first, second} {
			p.send(&codec.Pingreq{})
			for {
				q, err := p.read()
				if err != nil {
					t.Fatal(err)
				}
				m, ok := q.(*codec.Publish)
				if !ok {
					break
				}
				if !bytes.Equal(m.Payload, []byte("kept for one of them")) {
					t.Errorf("got %s", m.Payload)
				}
				got++
			}
		}
		if got != 1 {
			t.Errorf("kept by %d", got)
		}
	})
}

func TestLoweredLimitsTakeNothingAway(t *testing.T) {
	t.Parallel()
	var kept mqtt.Memory
	t.Run("before", func(t *testing.T) {
		e := start(t, mqtt.Config{Sessions: &kept})
		p, _ := e.persistent(codec.V5, "c")
		p.subscribe(codec.QoS1, "a", "b", "c")
		p.send(&codec.Disconnect{})
		p.ended()
		pub := e.connect(codec.V5, "pub")
		pub.publish(codec.QoS1, "a", "1")
		pub.publish(codec.QoS1, "b", "2")
		pub.publish(codec.QoS1, "c", "3")
		for _, topic := range []string{"d", "e"} {
			m := message(codec.QoS1, topic, "kept")
			m.Retain = true
			pub.send(m)
			expect[*codec.Puback](pub)
		}
	})
	t.Run("after", func(t *testing.T) {
		e := start(t, mqtt.Config{Sessions: &kept, Limits: mqtt.Limits{Subscriptions: 1, QueueMessages: 1, RetainedMessages: 1}})
		p, _ := e.persistent(codec.V5, "c")
		p.receive("a", "1")
		p.receive("b", "2")
		p.receive("c", "3")
		p.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("d")}}})
		if a := expect[*codec.Suback](p); a.Reasons[0] != codec.QuotaExceeded {
			t.Errorf("another subscription: got %v", a.Reasons)
		}
		p.send(&codec.Unsubscribe{PacketID: 2, Filters: [][]byte{[]byte("c")}})
		if a := expect[*codec.Unsuback](p); a.Reasons[0] != codec.Success {
			t.Errorf("unsubscribe: got %v", a.Reasons)
		}
		pub := e.connect(codec.V5, "pub")
		pub.publish(codec.QoS1, "c", "nobody's")
		p.quiet()
		for _, topic := range []string{"d", "e"} { // one after the other, as the limit will have it
			pub.subscribe(codec.QoS1, topic)
			pub.receive(topic, "kept")
			pub.send(&codec.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte(topic)}})
			expect[*codec.Unsuback](pub)
		}
	})
}
