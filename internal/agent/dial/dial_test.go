package dial_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/agent"
	"muster/internal/agent/dial"
	"muster/internal/auth"
	"muster/internal/mqtt"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// endpoint is Muster's own endpoint, which answers every request on its topic
// with /accepted and what it was asked.
type endpoint struct {
	*mqtt.Server
	t        *testing.T
	versions chan byte // of those that connect
}

func newEndpoint(t *testing.T, connect func(*mqtt.ConnectRequest) error) *endpoint {
	t.Helper()
	e := &endpoint{t: t, versions: make(chan byte, 100)}
	var err error
	e.Server, err = mqtt.New(t.Context(), mqtt.Config{
		Log: slog.New(slog.DiscardHandler),
		Hooks: mqtt.Hooks{
			Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
				e.versions <- r.Version
				if connect != nil {
					return auth.Principal{}, connect(r)
				}
				return auth.Principal{}, nil
			},
			CanSubscribe: func(_ mqtt.Client, filter string) bool { return filter != "forbidden" },
			Handle: func(_ context.Context, r *mqtt.Request) (mqtt.Response, error) {
				return mqtt.Response{Handled: true, Replies: []mqtt.Reply{{Topic: r.Topic + "/accepted", Payload: bytes.Clone(r.Payload)}}}, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// listen returns the address of a new listener.
func (e *endpoint) listen(o mqtt.ListenerOptions) string {
	e.t.Helper()
	l := listener(e.t)
	go func() { _ = e.Serve(e.t.Context(), l, o) }()
	return l.Addr().String()
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect connects a device that has subscribed to what it needs.
func connect(t *testing.T, c dial.Config, filters ...string) (agent.Conn, error) {
	t.Helper()
	c.ClientID = "t"
	m, err := dial.New(c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := m.Connect(t.Context(), filters)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// converse makes a request and reads the answer, and a message from the server.
func (e *endpoint) converse(conn agent.Conn) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	if err := conn.Publish(ctx, "$aws/things/t/jobs/$next/get", []byte("{}")); err != nil {
		e.t.Fatal(err)
	}
	e.expect(conn, "$aws/things/t/jobs/$next/get/accepted", "{}")
	if err := e.Publish(ctx, mqtt.Message{Topic: "$aws/things/t/jobs/notify-next", Payload: []byte("hello"), QoS: 1}); err != nil {
		e.t.Fatal(err)
	}
	e.expect(conn, "$aws/things/t/jobs/notify-next", "hello")
}

func (e *endpoint) expect(conn agent.Conn, topic, payload string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	m, err := conn.Receive(ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	if m.Topic != topic || string(m.Payload) != payload {
		e.t.Errorf("got %s %q, want %s %q", m.Topic, m.Payload, topic, payload)
	}
}

const notifyNext = "$aws/things/t/jobs/notify-next"

func TestConversation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url     func(*endpoint) string
		version byte
	}{
		"MQTT 5": {
			url:     func(e *endpoint) string { return "mqtt://" + e.listen(mqtt.ListenerOptions{}) },
			version: 5,
		},
		"MQTT 3.1.1 with a server that says no to 5": {
			url:     func(e *endpoint) string { return "mqtt://" + old(e, []byte{0x20, 0x02, 0x00, 0x01}) },
			version: 4,
		},
		"MQTT 3.1.1 with a server that hangs up on 5": {
			url:     func(e *endpoint) string { return "mqtt://" + old(e, nil) },
			version: 4,
		},
		"MQTT 3.1.1 with a server that says so as 5 wants it": {
			url:     func(e *endpoint) string { return "mqtt://" + old(e, []byte{0x20, 0x03, 0x00, 0x84, 0x00}) },
			version: 4,
		},
		"WebSocket": {
			url: func(e *endpoint) string {
				s := httptest.NewServer(e.WebSocket("web"))
				e.t.Cleanup(s.Close)
				return strings.Replace(s.URL, "http", "ws", 1)
			},
			version: 5,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, nil)
			conn, err := connect(t, dial.Config{URL: tt.url(e)}, notifyNext)
			if err != nil {
				t.Fatal(err)
			}
			if v := <-e.versions; v != tt.version {
				t.Errorf("got version %d, want %d", v, tt.version)
			}
			e.converse(conn)
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			_ = conn.Close() // may be called again
			if _, err := conn.Receive(t.Context()); err == nil {
				t.Error("a closed connection receives")
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := conn.Publish(ctx, "a", nil); err == nil {
				t.Error("a closed connection publishes")
			}
		})
	}
}

// old is a server that does not know MQTT 5: what connects with that gets an
// answer, and the rest goes on to the endpoint.
func old(e *endpoint, answer []byte) string {
	behind := e.listen(mqtt.ListenerOptions{})
	l := listener(e.t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c, behind, answer)
		}
	}()
	return l.Addr().String()
}

func relay(c net.Conn, behind string, answer []byte) {
	defer shut(c)
	// The version is the byte after the fixed header and the protocol's name.
	head := make([]byte, len("\x10\xff\x00\x04MQTT\x05"))
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	if head[len(head)-1] == 5 {
		_, _ = c.Write(answer)
		return
	}
	pass(c, behind, head...)
}

// pass goes on with what c says, after head, at an address.
func pass(c net.Conn, behind string, head ...byte) {
	defer shut(c)
	s, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	defer shut(s)
	_, _ = s.Write(head)
	go func() {
		_, _ = io.Copy(s, c)
		shut(s)
	}()
	_, _ = io.Copy(c, s)
}

// shut ends a side of the relay; the other side may have ended it already.
func shut(c net.Conn) { _ = c.Close() }

func TestOldServerIsRemembered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer []byte
		want   []int32 // connections that were made so far, after each time
	}{
		"that says so as 3.1.1 wants it": {[]byte{0x20, 0x02, 0x00, 0x01}, []int32{2, 3}},
		"that says so as 5 wants it":     {[]byte{0x20, 0x03, 0x00, 0x84, 0x00}, []int32{2, 3}},
		"but not one that hangs up":      {nil, []int32{2, 4}},
		"nor one that talks nonsense":    {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), []int32{2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behind := newEndpoint(t, nil).listen(mqtt.ListenerOptions{})
			l := listener(t)
			var accepted atomic.Int32
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					accepted.Add(1)
					go relay(c, behind, tt.answer)
				}
			}()
			m, err := dial.New(dial.Config{URL: "mqtt://" + l.Addr().String(), ClientID: "t"})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.want {
				conn, err := m.Connect(t.Context(), []string{notifyNext})
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				if got := accepted.Load(); got != want {
					t.Errorf("after %d times, %d connections were made, want %d", i+1, got, want)
				}
			}
		})
	}
}

func TestOneBadConnectionDoesNotCostMQTT5(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, nil)
	behind := e.listen(mqtt.ListenerOptions{})
	l := listener(t)
	go func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if first {
				shut(c)
				continue
			}
			go pass(c, behind)
		}
	}()
	m, err := dial.New(dial.Config{URL: "mqtt://" + l.Addr().String(), ClientID: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []byte{4, 5} {
		conn, err := m.Connect(t.Context(), []string{notifyNext})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if got := <-e.versions; got != want {
			t.Errorf("connection %d: got version %d, want %d", i+1, got, want)
		}
	}
}

func TestConnectionThatIsRefused(t *testing.T) {
	t.Parallel()
	nobody := listener(t)
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		url     func(*endpoint) string
		connect error
		filters []string
		want    string
	}{
		"nobody is there": {
			url: func(*endpoint) string { return "mqtt://" + nobody.Addr().String() }, want: "connection refused",
		},
		"the device is not welcome": {connect: mqtt.BadCredentials, want: "refuses t"},
		"a subscription is refused": {filters: []string{notifyNext, "forbidden"}, want: "subscribe"},
		"a subscription is refused in 3.1.1": {
			url:     func(e *endpoint) string { return "mqtt://" + old(e, nil) },
			filters: []string{notifyNext, "forbidden"}, want: "forbidden",
		},
		"the device is not welcome in 3.1.1": {
			url: func(e *endpoint) string { return "mqtt://" + old(e, nil) }, connect: mqtt.BadCredentials, want: "dial: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, func(*mqtt.ConnectRequest) error { return tt.connect })
			url := "mqtt://" + e.listen(mqtt.ListenerOptions{})
			if tt.url != nil {
				url = tt.url(e)
			}
			_, err := connect(t, dial.Config{URL: url}, tt.filters...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLostConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	for name, oldServer := range map[string]bool{"MQTT 5": false, "MQTT 3.1.1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, nil)
			url := "mqtt://" + e.listen(mqtt.ListenerOptions{})
			if oldServer {
				url = "mqtt://" + old(e, nil)
			}
			conn, err := connect(t, dial.Config{URL: url}, notifyNext)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := e.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Receive(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got error %v, want that of a lost connection", err)
			}
		})
	}
}

func TestCanceledConnect(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"mqtt", "mqtts", "ws"} {
		l := listener(t) // accepts, in the kernel, and never answers
		m, err := dial.New(dial.Config{URL: scheme + "://" + l.Addr().String(), ClientID: "t"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := m.Connect(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got error %v", scheme, err)
		}
	}
}

// TestCloseWithMessagesThatNobodyWants closes a connection on which more has
// come than the agent has room for, as when it is told to end in a burst.
func TestCloseWithMessagesThatNobodyWants(t *testing.T) {
	t.Parallel()
	for name, oldServer := range map[string]bool{"MQTT 5": false, "MQTT 3.1.1": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, nil)
			url := "mqtt://" + e.listen(mqtt.ListenerOptions{})
			if oldServer {
				url = "mqtt://" + old(e, nil)
			}
			conn, err := connect(t, dial.Config{URL: url}, notifyNext)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for range 2 * dial.MessageBuffer {
				if err := e.Publish(ctx, mqtt.Message{Topic: notifyNext, Payload: []byte("x"), QoS: 1}); err != nil {
					t.Fatal(err)
				}
			}
			for dial.Waiting(conn) < dial.MessageBuffer && ctx.Err() == nil {
				runtime.Gosched()
			}
			closed := make(chan error, 1)
			go func() { closed <- conn.Close() }()
			select {
			case err := <-closed:
				if err != nil {
					t.Error(err)
				}
			case <-ctx.Done():
				t.Fatal("it is never closed")
			}
		})
	}
}

// TestManyRequestsAtOnce makes the library write from many places at a time.
func TestManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, nil)
	web := httptest.NewServer(e.WebSocket("web"))
	t.Cleanup(web.Close)
	for name, url := range map[string]string{
		"TCP": "mqtt://" + e.listen(mqtt.ListenerOptions{}), "WebSocket": strings.Replace(web.URL, "http", "ws", 1),
	} {
		conn, err := connect(t, dial.Config{URL: url}, notifyNext)
		if err != nil {
			t.Fatal(err)
		}
		const requests = 200
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var wg sync.WaitGroup
		defer wg.Wait()
		for range requests {
			wg.Go(func() {
				if err := conn.Publish(ctx, "$aws/things/t/jobs/$next/get", []byte("{}")); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		for range requests {
			e.expect(conn, "$aws/things/t/jobs/$next/get/accepted", "{}")
		}
		wg.Wait()
		if err := conn.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]dial.Config{
		"no URL":             {ClientID: "t"},
		"another scheme":     {URL: "http://host", ClientID: "t"},
		"no host":            {URL: "mqtt:///x", ClientID: "t"},
		"no URL at all":      {URL: "mqtt://host:port", ClientID: "t"},
		"nobody to be there": {URL: "mqtt://host"},
	} {
		if _, err := dial.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
