package mqtt_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// roundTrip publishes to a client of its own and waits for the message: what
// everybody else is entitled to, whatever some do.
func roundTrip(e *endpoint, name string) time.Duration {
	p := e.connect(codec.V311, name)
	p.subscribe(codec.QoS1, "mine/"+name)
	begun := time.Now()
	for i := range 50 {
		p.send(message(1, "mine/"+name, fmt.Sprint(i)))
		for range 2 { // the acknowledgement and the message, in either order
			q, err := p.read()
			if err != nil {
				p.t.Error(err)
				return 0
			}
			if m, ok := q.(*codec.Publish); ok {
				p.ack(m)
			}
		}
	}
	return time.Since(begun)
}

func TestDeafSubscriberHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	e := start(t, mqtt.Config{Metrics: reg})
	deaf, good := e.connect(codec.V311, "deaf"), e.connect(codec.V311, "good")
	deaf.subscribe(codec.QoS1, "a")
	good.subscribe(codec.QoS1, "a")
	pub := e.connect(codec.V311, "pub")
	body := string(make([]byte, 20_000))
	begun := time.Now()
	var wg sync.WaitGroup
	const n = 1500
	wg.Go(func() {
		for range n {
			pub.publish(codec.QoS1, "a", body)
		}
	})
	for range n {
		good.receive("a", body)
	}
	wg.Wait()
	// Had every message waited for it, this would have taken 150 s.
	if took, most := time.Since(begun), n*mqtt.DefaultLimits().SlowWait/3; took > most {
		t.Errorf("took %v", took)
	}
	if queued := metric(t, reg, "muster_mqtt_queue_bytes"); queued > 5<<20 {
		t.Errorf("%v bytes wait for one client", queued)
	}
	if metric(t, reg, "muster_mqtt_messages_dropped_total") == 0 {
		t.Error("nothing was refused, and nothing tells what became of it")
	}
	roundTrip(e, "somebody")
}

func TestFloodOfRequestsByAClientThatDoesNotReadStops(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	e := start(t, mqtt.Config{Metrics: reg})
	p := e.connect(codec.V311, "flood")
	ping, err := (&codec.Pingreq{}).Append(nil, codec.V311)
	if err != nil {
		t.Fatal(err)
	}
	var pings []byte
	for range 32 << 10 {
		pings = append(pings, ping...)
	}
	// The server stops reading, so that the client's writes get stuck.
	if err := p.nc.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err = p.nc.Write(pings); err != nil {
			break
		}
	}
	if e, ok := err.(net.Error); !ok || !e.Timeout() { //nolint:errorlint // it comes straight from the socket
		t.Errorf("got %v, want a write that gets stuck", err)
	}
	roundTrip(e, "somebody")
}

func TestManyConnectionsThatSayNothing(t *testing.T) {
	t.Parallel()
	n := 5000
	if testing.Short() {
		n = 500
	}
	reg := prometheus.NewRegistry()
	e := start(t, mqtt.Config{Metrics: reg, Limits: mqtt.Limits{Pending: n / 2, ConnectTimeout: time.Minute}})
	var all []net.Conn
	defer func() {
		for _, nc := range all {
			_ = nc.Close()
		}
	}()
	early := e.connect(codec.V311, "early")
	for range n {
		nc, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Logf("after %d connections: %v", len(all), err)
			break
		}
		all = append(all, nc)
	}
	roundTrip(e, "late") // while all of them are there
	early.quiet()
	if got := metric(t, reg, "muster_mqtt_refused_connections_total"); len(all) == n && got < float64(n/2) {
		t.Errorf("%v of %d had to go", got, n)
	}
	if err := all[0].SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest was not among those that had to go")
	}
}

// from is a connection that comes from somewhere else.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func TestConnectionsThatSayNothingMakeRoomForThoseOfOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ few, many []string }{
		"from one address":          {[]string{"192.0.2.1:1"}, []string{"192.0.2.2:1", "192.0.2.2:2"}},
		"from one host's addresses": {[]string{"[2001:db8:0:1::1]:1"}, []string{"[2001:db8:0:2::1]:1", "[2001:db8:0:2::2]:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, mqtt.Config{Limits: mqtt.Limits{Pending: 10}}, func(b *bubble) {
				dial := func(addr string) *peer {
					client, server := net.Pipe()
					b.l.conns <- from{server, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}
					return newPeer(b.t, client, codec.V311)
				}
				var few, many []*peer
				for range 3 {
					few = append(few, dial(c.few[0]))
				}
				for i := range 30 {
					many = append(many, dial(c.many[i%len(c.many)]))
				}
				synctest.Wait()
				for i, p := range few {
					p.send(&codec.Connect{Version: 4, ClientID: fmt.Append(nil, "few", i), CleanStart: true})
					expect[*codec.Connack](p)
				}
				for i, p := range many[:23] {
					if _, err := p.nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						b.t.Fatalf("the one that came as number %d: got %v, want it closed", i, err)
					}
				}
				p := many[29]
				p.send(&codec.Connect{Version: 4, ClientID: []byte("newest"), CleanStart: true})
				expect[*codec.Connack](p)
			})
		})
	}
}

// metric returns the sum of a metric over its labels.
func metric(t testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func TestMetricsCountAndReturnToZero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	e := start(t, mqtt.Config{Metrics: reg})
	w := e.connect(codec.V5, "watcher")
	w.subscribe(codec.QoS1, "$aws/events/presence/disconnected/+")
	p := e.connect(codec.V5, "p")
	p.subscribe(codec.QoS1, "a")
	p.send(message(1, "a", "x"))
	for range 2 {
		if _, err := p.read(); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]float64{
		"muster_mqtt_connections": 2, "muster_mqtt_sessions": 2, "muster_mqtt_subscriptions": 2,
		"muster_mqtt_messages_received_total": 1, "muster_mqtt_messages_sent_total": 1, "muster_mqtt_connects_total": 2,
	} {
		if got := metric(t, reg, name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	// The message to p is not acknowledged.
	if got, least := metric(t, reg, "muster_mqtt_queue_bytes"), float64(len("a")+len("x")); got < least {
		t.Errorf("muster_mqtt_queue_bytes: got %v, want %v at least", got, least)
	}
	_ = p.nc.Close()
	w.ack(expect[*codec.Publish](w))
	w.quiet() // what it has acknowledged is done with
	for name, want := range map[string]float64{
		"muster_mqtt_sessions": 1, "muster_mqtt_subscriptions": 1, "muster_mqtt_queue_bytes": 0,
	} {
		if got := metric(t, reg, name); got != want {
			t.Errorf("%s afterwards: got %v, want %v", name, got, want)
		}
	}
}

// BenchmarkIdleConnections reports what a connected, idle device costs on the
// server: run with -benchtime=1x.
func BenchmarkIdleConnections(b *testing.B) {
	const n = 4000
	for b.Loop() {
		e := start(b, mqtt.Config{})
		before := memory()
		var all []*peer
		for i := range n {
			nc, err := net.Dial("tcp", e.addr)
			if err != nil {
				b.Fatal(err)
			}
			p := &peer{t: b, nc: nc, version: codec.V311}
			all = append(all, p)
			p.send(&codec.Connect{Version: 4, ClientID: fmt.Appendf(nil, "device-%d", i), CleanStart: true, KeepAlive: 1200})
			s := &codec.Subscribe{PacketID: 1}
			for _, f := range []string{"notify", "notify-next", "get/+", "start-next/+", "+/update/+"} {
				s.Filters = append(s.Filters, codec.Subscription{Filter: fmt.Appendf(nil, "$aws/things/device-%d/jobs/%s", i, f), QoS: 1})
			}
			p.send(s)
			if _, err := io.ReadFull(nc, make([]byte, 4+9)); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		after := memory()
		b.ReportMetric(float64(after.heap-before.heap)/n, "heapB/conn")
		b.ReportMetric(float64(after.stack-before.stack)/n, "stackB/conn")
		for _, p := range all {
			_ = p.nc.Close()
		}
	}
}

type usage struct{ heap, stack int64 }

func memory() usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapAlloc), int64(m.StackInuse)}
}
