package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/apierr"
	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
)

var notice = mqttapi.Message{Topic: "$aws/things/t1/jobs/notify", Payload: []byte("{}"), QoS: 1}

// publishing starts a Publish and returns its result.
func publishing(t *testing.T, b *bridge.Bridge, m mqttapi.Message) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	go func() { done <- b.Publish(ctx, m) }()
	return done
}

// TestPublish waits for the broker to take the message.
func TestPublish(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	reg := prometheus.NewRegistry()
	b := s.start(echo, func(c *bridge.Config) { c.Metrics = reg })
	if err := b.Publish(t.Context(), notice); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("before there is a connection: got %v, want unavailable", err)
	}
	out := s.publisher()
	eventually(t, "there is a connection", b.Ready)
	for _, tt := range []struct {
		name   string
		answer codec.Reason
		fails  bool
	}{
		{"taken", codec.Success, false},
		{"taken with nobody there", codec.NoMatchingSubscribers, false},
		{"refused for good", codec.NotAuthorized, false},
		{"refused for now", codec.QuotaExceeded, true},
	} {
		done := publishing(t, b, notice)
		m := expect[*codec.Publish](out)
		if string(m.Topic) != notice.Topic || m.QoS != codec.QoS1 || m.Dup {
			t.Errorf("%s: got %+v", tt.name, m)
		}
		select {
		case err := <-done:
			t.Errorf("%s: published before the broker has answered: %v", tt.name, err)
		case <-time.After(20 * time.Millisecond):
		}
		out.send(&codec.Puback{PacketID: m.PacketID, Reason: tt.answer})
		if err := await(t, done, "the result"); apierr.Is(err, apierr.Unavailable) != tt.fails {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	if n := value(t, reg, "muster_bridge_failures_total", "refused"); n != 1 {
		t.Errorf("got %v refused messages, want 1", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.Publish(ctx, notice); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without an answer: got %v, want unavailable", err)
	}
	late := expect[*codec.Publish](out)

	done := publishing(t, b, notice)
	if m := expect[*codec.Publish](out); m.PacketID == late.PacketID {
		t.Error("a packet id is used twice at the same time")
	}
	_ = out.nc.Close()
	if err := await(t, done, "the result"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a connection: got %v, want unavailable", err)
	}
	out = s.publisher()
	out.nothing(50 * time.Millisecond) // what is owed is up to the outbox, which knows what is new
	eventually(t, "there is a connection", b.Ready)
	if n := value(t, reg, "muster_bridge_connects_total", "publish", "ok"); n != 2 {
		t.Errorf("got %v connections, want 2", n)
	}
}

// TestPublishWithinTheLimitsOfTheBroker.
func TestPublishWithinTheLimitsOfTheBroker(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	b := s.start(echo)
	out := await(t, s.publishers, "a connection")
	out.send(&codec.Connack{ReceiveMaximum: 1, MaximumPacketSize: 100})
	eventually(t, "there is a connection", b.Ready)
	if err := await(t, publishing(t, b, mqttapi.Message{Topic: notice.Topic, Payload: make([]byte, 100), QoS: 1}), "the result"); err != nil {
		t.Errorf("too long for the broker: got %v, want it to count as taken", err)
	}
	first, second := publishing(t, b, notice), publishing(t, b, notice)
	m := expect[*codec.Publish](out)
	out.nothing(50 * time.Millisecond)
	out.send(&codec.Puback{PacketID: m.PacketID})
	m = expect[*codec.Publish](out)
	out.send(&codec.Puback{PacketID: m.PacketID})
	for _, done := range []<-chan error{first, second} {
		if err := await(t, done, "the result"); err != nil {
			t.Error(err)
		}
	}
}

// TestUnaskedMessages are none of the bridge's business.
func TestUnaskedMessages(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	b := s.start(echo)
	out := s.publisher()
	eventually(t, "there is a connection", b.Ready)
	out.send(request(0, "news", ""), request(9, "news", ""))
	if ack := expect[*codec.Puback](out); ack.PacketID != 9 {
		t.Errorf("got %+v", ack)
	}
	if !b.Ready() {
		t.Error("the connection is given up")
	}
}

// TestWrongAnswers do no harm.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	b := s.start(echo)
	out := s.publisher()
	eventually(t, "there is a connection", b.Ready)
	out.send(&codec.Puback{PacketID: 77}) // nobody waits for it
	done := publishing(t, b, notice)
	m := expect[*codec.Publish](out)
	out.send(&codec.Suback{PacketID: m.PacketID, Reasons: []codec.Reason{codec.Success, codec.Success}})
	if err := await(t, done, "the result"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

// TestPublishIsLeftToABrokerThatHangsUp: that it does so with a reason is not
// the refusal of a message.
func TestPublishIsLeftToABrokerThatHangsUp(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	b := s.start(echo)
	out := s.publisher()
	eventually(t, "there is a connection", b.Ready)
	done := publishing(t, b, notice)
	expect[*codec.Publish](out)
	out.send(&codec.Disconnect{Reason: codec.NotAuthorized})
	if err := await(t, done, "the result"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}
