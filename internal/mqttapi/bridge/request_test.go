package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/auth"
	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
)

const get = "$aws/things/t1/jobs/get"

// TestRequest follows one request: it is acknowledged last.
func TestRequest(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	requests, released, after := make(chan mqttapi.Request, 1), make(chan struct{}), make(chan struct{})
	s.start(func(_ context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		requests <- r
		<-released
		return mqttapi.Reply{Topic: r.Topic + "/accepted", Payload: []byte("reply"), QoS: r.QoS, After: func() { close(after) }}, true, nil
	})
	out := s.publisher()
	in := s.receiver(false)
	in.send(request(7, get, "{}"))
	r := await(t, requests, "the request")
	want := mqttapi.Request{
		Principal: auth.Principal{Kind: auth.Bridge, ID: "t1", Account: "123456789012", Region: "us-east-1", Service: "iotdevicegateway"},
		Topic:     get, Payload: []byte("{}"), QoS: 1,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	in.nothing(50 * time.Millisecond)
	close(released)
	reply := expect[*codec.Publish](out)
	if string(reply.Topic) != get+"/accepted" || string(reply.Payload) != "reply" || reply.QoS != codec.QoS1 || reply.Retain {
		t.Errorf("got %+v", reply)
	}
	in.nothing(50 * time.Millisecond) // the broker has not taken the reply
	select {
	case <-after:
		t.Error("notifications may go before the broker has taken the reply")
	default:
	}
	out.send(&codec.Puback{PacketID: reply.PacketID})
	if ack := expect[*codec.Puback](in); ack.PacketID != 7 || ack.Reason != codec.Success {
		t.Errorf("got %+v", ack)
	}
	await(t, after, "the time for notifications")
}

// TestRequestOfQoS0 is answered with QoS 0, and acknowledged not at all.
func TestRequestOfQoS0(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.start(echo)
	out, in := s.publisher(), s.receiver(false)
	in.send(request(0, get, "{}"), request(1, get, "{}"))
	if reply := expect[*codec.Publish](out); reply.QoS != codec.QoS0 {
		t.Errorf("got %+v", reply)
	}
	reply := expect[*codec.Publish](out)
	out.send(&codec.Puback{PacketID: reply.PacketID})
	if ack := expect[*codec.Puback](in); ack.PacketID != 1 {
		t.Errorf("got %+v", ack)
	}
}

// TestConnect checks what the bridge asks of a broker.
func TestConnect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode         bridge.Mode
		id           string
		clean        bool
		expiry       uint32
		filterPrefix string
	}{
		"alone":  {bridge.Auto, "muster-requests", false, 120, "$aws/things/+/jobs/"},
		"single": {bridge.Single, "muster-requests", false, 120, "$aws/things/+/jobs/"},
		"shared": {bridge.Shared, "muster-requests-n1", true, 0, "$share/muster/$aws/things/+/jobs/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			s.start(echo, func(c *bridge.Config) {
				c.Node, c.Mode, c.Window = "n1", tt.mode, 33
				c.Login = func() (string, []byte, error) { return "user", []byte("secret"), nil }
			})
			out := await(t, s.publishers, "a connection to publish")
			if h := out.hello; string(h.ClientID) != "muster-publish-n1" || !h.CleanStart || h.SessionExpiry != 0 || string(h.UserName) != "user" || string(h.Password) != "secret" {
				t.Errorf("to publish: got %+v", h)
			}
			in := await(t, s.receivers, "a connection for requests")
			h := in.hello
			if string(h.ClientID) != tt.id || h.CleanStart != tt.clean || h.SessionExpiry != tt.expiry || h.ReceiveMaximum != 33 || h.MaximumPacketSize == 0 || h.KeepAlive == 0 {
				t.Errorf("for requests: got %+v", h)
			}
			in.accept(false)
			var filters []string
			for _, f := range in.granted() {
				if f.QoS != codec.QoS1 || f.RetainHandling != codec.RetainSendNever {
					t.Errorf("got %+v", f)
				}
				if !strings.HasPrefix(string(f.Filter), tt.filterPrefix) {
					t.Errorf("got %s, want %s…", f.Filter, tt.filterPrefix)
				}
				filters = append(filters, strings.TrimPrefix(string(f.Filter), tt.filterPrefix))
			}
			want := []string{"get", "start-next", "+/get", "+/update", "+/+/get", "+/+/update"}
			if diff := cmp.Diff(want, filters); diff != "" {
				t.Errorf("filters (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAcknowledgementsKeepTheOrder even if requests are served in another one.
func TestAcknowledgementsKeepTheOrder(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	first := make(chan struct{})
	s.start(func(_ context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		if strings.Contains(r.Topic, "/slow/") {
			<-first
		}
		return mqttapi.Reply{}, false, nil
	})
	s.publisher()
	in := s.receiver(false)
	in.send(request(5, "$aws/things/slow/jobs/get", ""))
	for id := range uint16(4) {
		in.send(request(id+1, "$aws/things/fast/jobs/get", fmt.Sprint(id)))
	}
	in.nothing(50 * time.Millisecond)
	close(first)
	for _, want := range []uint16{5, 1, 2, 3, 4} {
		if ack := expect[*codec.Puback](in); ack.PacketID != want {
			t.Fatalf("got %d, want %d", ack.PacketID, want)
		}
	}
}

// TestThingsAreServedSideBySide while the requests of each stay in order.
func TestThingsAreServedSideBySide(t *testing.T) {
	t.Parallel()
	const things, each, workers = 20, 50, 4
	s := newScript(t)
	var mu sync.Mutex
	got := make(map[string][]string)
	var running, most atomic.Int32
	done := make(chan struct{}, things*each)
	together := make(chan struct{}) // as many as there are workers are being served
	s.start(func(_ context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		n := running.Add(1)
		if n == workers && most.Swap(n) < n {
			close(together)
		}
		select {
		case <-together:
		case <-time.After(patience):
		}
		mu.Lock()
		got[r.Topic] = append(got[r.Topic], string(r.Payload))
		mu.Unlock()
		if running.Add(-1) >= workers {
			t.Error("too many at once")
		}
		done <- struct{}{}
		return mqttapi.Reply{}, false, nil
	}, func(c *bridge.Config) { c.Workers = workers })
	s.publisher()
	in := s.receiver(false)
	var id uint16
	var want []string
	for n := range each {
		want = append(want, fmt.Sprint(n))
		for thing := range things {
			id++
			in.send(request(id, fmt.Sprintf("$aws/things/t%d/jobs/get", thing), fmt.Sprint(n)))
		}
	}
	for range things * each {
		await(t, done, "the next request")
	}
	for id := range uint16(things * each) {
		if ack := expect[*codec.Puback](in); ack.PacketID != id+1 {
			t.Fatalf("got %d, want %d", ack.PacketID, id+1)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for thing := range things {
		if diff := cmp.Diff(want, got[fmt.Sprintf("$aws/things/t%d/jobs/get", thing)]); diff != "" {
			t.Errorf("thing %d (-want +got):\n%s", thing, diff)
		}
	}
}

// TestSlowEngine takes no more than it has room for, also of QoS 0, which the
// receive maximum does not bound.
func TestSlowEngine(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	open := make(chan struct{})
	var served atomic.Int64
	s.start(func(context.Context, mqttapi.Request) (mqttapi.Reply, bool, error) {
		<-open
		served.Add(1)
		return mqttapi.Reply{}, false, nil
	})
	s.publisher()
	in := s.receiver(false)
	payload := strings.Repeat("x", 100<<10)
	sent := make(chan int64)
	go func() {
		var n int64
		defer func() { sent <- n }()
		one, err := request(0, get, payload).Append(nil, codec.V5)
		if err != nil {
			t.Error(err)
			return
		}
		for range 2000 { // 200 MB
			_ = in.nc.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := in.nc.Write(one); err != nil {
				return // it reads no more
			}
			n++
		}
	}()
	n := await(t, sent, "the end of what is read")
	if n*int64(len(payload)) > 64<<20 {
		t.Fatalf("%d messages were taken while none was served", n)
	}
	close(open)
	eventually(t, "what was taken is served", func() bool { return served.Load() == n })
}

// TestRedeliveredRequestIsNotServedAgain when the acknowledgement is lost with
// the connection, or when the connection is lost while it is served.
func TestRedeliveredRequestIsNotServedAgain(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var served atomic.Int32
	second := make(chan struct{})
	s.start(func(ctx context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		served.Add(1)
		if string(r.Payload) == "second" {
			<-second
		}
		return echo(ctx, r)
	})
	out, in := s.publisher(), s.receiver(false)
	first, later := request(1, get, "first"), request(2, "$aws/things/t2/jobs/get", "second")
	in.send(first)
	reply := expect[*codec.Publish](out)
	out.send(&codec.Puback{PacketID: reply.PacketID})
	expect[*codec.Puback](in) // and the broker loses it
	in.send(later)
	eventually(t, "both are taken", func() bool { return served.Load() == 2 })
	_ = in.nc.Close()

	in = s.receiver(true)
	in.send(again(first), again(later))
	if ack := expect[*codec.Puback](in); ack.PacketID != 1 {
		t.Errorf("got %d, want 1", ack.PacketID)
	}
	in.nothing(50 * time.Millisecond) // the second is still being served
	close(second)
	reply = expect[*codec.Publish](out)
	out.send(&codec.Puback{PacketID: reply.PacketID})
	if ack := expect[*codec.Puback](in); ack.PacketID != 2 {
		t.Errorf("got %d, want 2", ack.PacketID)
	}
	if n := served.Load(); n != 2 {
		t.Errorf("%d requests were served, want 2", n)
	}
	// The same words under the same number, but new.
	in.send(first)
	expect[*codec.Publish](out)
	if n := served.Load(); n != 3 {
		t.Errorf("%d requests were served, want 3", n)
	}
}

// TestLostSession makes packet ids mean other requests.
func TestLostSession(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var served atomic.Int32
	s.start(func(context.Context, mqttapi.Request) (mqttapi.Reply, bool, error) {
		served.Add(1)
		return mqttapi.Reply{}, false, nil
	})
	s.publisher()
	in := s.receiver(false)
	in.send(request(1, get, ""))
	expect[*codec.Puback](in)
	_ = in.nc.Close()
	in = s.receiver(false)
	in.send(again(request(1, get, "")))
	expect[*codec.Puback](in)
	if n := served.Load(); n != 2 {
		t.Errorf("%d requests were served, want 2", n)
	}
}

// TestReplyOutlivesTheConnection that it was to go over.
func TestReplyOutlivesTheConnection(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.start(echo)
	out, in := s.publisher(), s.receiver(false)
	in.send(request(1, get, "{}"))
	expect[*codec.Publish](out)
	_ = out.nc.Close()
	out = s.publisher()
	reply := expect[*codec.Publish](out)
	out.send(&codec.Puback{PacketID: reply.PacketID})
	expect[*codec.Puback](in)
}

// TestWhatIsNoRequest is acknowledged and left alone.
func TestWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	topics := make(chan string, 10)
	s.start(func(_ context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		topics <- r.Topic
		return mqttapi.Reply{}, false, nil
	})
	s.publisher()
	in := s.receiver(false)
	in.send(request(1, "elsewhere", ""), request(2, get+"/accepted", ""), request(3, "$aws/things/t1/jobs/a/b/get", ""))
	for id := range uint16(3) {
		if ack := expect[*codec.Puback](in); ack.PacketID != id+1 {
			t.Errorf("got %d, want %d", ack.PacketID, id+1)
		}
	}
	close(topics)
	if got := slices.Collect(func(yield func(string) bool) {
		for s := range topics {
			yield(s)
		}
	}); !slices.Equal(got, []string{"$aws/things/t1/jobs/a/b/get"}) {
		t.Errorf("got %q, want what maps to no API and nothing else", got)
	}
}

// TestClose serves what was taken, and gives up what takes too long.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			started, finish := make(chan struct{}), make(chan struct{})
			b := s.start(func(ctx context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
				close(started)
				select {
				case <-finish:
					return echo(ctx, r)
				case <-ctx.Done():
					return mqttapi.Reply{}, true, ctx.Err()
				}
			})
			out, in := s.publisher(), s.receiver(false)
			in.send(request(1, get, "{}"))
			await(t, started, "the request")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			closed := make(chan error, 1)
			if !patient {
				cancel()
				if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if bye := expect[*codec.Disconnect](in); bye.HasSessionExpiry { // and no PUBACK before it
					t.Errorf("got %+v, want the session to go on", bye)
				}
				return
			}
			go func() { closed <- b.Close(ctx) }()
			close(finish)
			reply := expect[*codec.Publish](out)
			out.send(&codec.Puback{PacketID: reply.PacketID})
			if ack := expect[*codec.Puback](in); ack.PacketID != 1 {
				t.Errorf("got %d, want 1", ack.PacketID)
			}
			go func() { _ = in.closed() }()
			if !out.closed() {
				t.Error("the connection is not closed")
			}
			if err := await(t, closed, "the end"); err != nil {
				t.Error(err)
			}
		})
	}
}
