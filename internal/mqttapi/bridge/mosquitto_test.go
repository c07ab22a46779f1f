package bridge_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/mqttapi"
	"muster/internal/mqttapi/bridge"
)

// mosquitto is a broker that many have, started on a port of its own.
type mosquitto struct {
	t       testing.TB
	address string
	config  string
	data    string // the folder in which it keeps sessions
	kill    func()
}

// newMosquitto starts a broker. The test is skipped where there is none, but
// never in CI.
func newMosquitto(t testing.TB, more ...string) *mosquitto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, address: l.Addr().String(), config: filepath.Join(t.TempDir(), "mosquitto.conf"), data: t.TempDir()}
	_ = l.Close()
	_, port, _ := net.SplitHostPort(m.address)
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"+
		"persistence true\npersistence_location %s/\nautosave_on_changes true\nautosave_interval 1\n%s\n", port, m.data, strings.Join(more, "\n"))
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	return m
}

// binary returns the program, which Debian keeps out of the way of users.
func (m *mosquitto) binary() string {
	m.t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		m.t.Fatal("no mosquitto")
	}
	m.t.Skip("no mosquitto; make test installs it")
	return ""
}

// start starts the broker, again if it was killed, and waits until it listens.
func (m *mosquitto) start() {
	m.t.Helper()
	cmd := exec.Command(m.binary(), "-c", m.config)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	m.t.Cleanup(m.kill)
	eventually(m.t, "mosquitto listens", func() bool {
		nc, err := net.Dial("tcp", m.address)
		if err == nil {
			_ = nc.Close()
		}
		return err == nil
	})
}

func (m *mosquitto) url() string { return "mqtt://" + m.address }

func dialTCP(t *testing.T, address string) (net.Conn, error) {
	t.Helper()
	return new(net.Dialer).DialContext(t.Context(), "tcp", address)
}

// subscribed waits until a bridge receives requests.
func subscribed(t testing.TB, reg *prometheus.Registry) {
	t.Helper()
	eventually(t, "the bridge receives requests", func() bool {
		return value(t, reg, "muster_bridge_connected", "requests") == 1
	})
}

// TestLifeWithMosquitto does a job from its creation to its end.
func TestLifeWithMosquitto(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	w := newWorld(t, "pump")
	reg := prometheus.NewRegistry()
	w.bridge(m.url(), func(c *bridge.Config) { c.Metrics = reg })
	subscribed(t, reg)
	d := w.device(m.address, "pump")
	w.create("first", "pump")
	d.gets("notify", `"QUEUED":[{"jobId":"first"`)
	d.gets("notify-next", `"execution":{"jobId":"first"`, `"jobDocument":{"do":"first"}`)
	d.ask("get", `{"clientToken":"1"}`)
	d.gets("get/accepted", `{"clientToken":"1"`, `"queuedJobs":[{"jobId":"first"`)
	d.ask("$next/get", "")
	d.gets("$next/get/accepted", `"status":"QUEUED"`)
	d.ask("start-next", `{"clientToken":"2","statusDetails":{"step":"one"}}`)
	d.gets("start-next/accepted", `{"clientToken":"2"`, `"status":"IN_PROGRESS"`, `"versionNumber":2`)
	d.ask("first/update", `{"status":"IN_PROGRESS","expectedVersion":1}`)
	d.gets("first/update/rejected", `"code":"VersionMismatch"`)
	d.ask("first/update", `{"status":"SUCCEEDED","expectedVersion":2,"includeJobExecutionState":true}`)
	d.gets("first/update/accepted", `"versionNumber":3`)
	d.gets("notify", `"jobs":{}`)
	d.gets("notify-next")
	if n := value(t, reg, "muster_bridge_mode", "single"); n != 1 {
		t.Error("a node that is alone does not serve alone")
	}
}

// TestMosquittoRestarts while a notification is owed. What devices are owed and
// what they ask in between arrives in the end.
func TestMosquittoRestarts(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	w := newWorld(t, "pump")
	reg := prometheus.NewRegistry()
	b := w.bridge(m.url(), func(c *bridge.Config) { c.Metrics = reg })
	subscribed(t, reg)
	d := w.device(m.address, "pump")
	eventually(t, "the broker has saved the session of the device", func() bool {
		db, err := os.ReadFile(filepath.Join(m.data, "mosquitto.db"))
		return err == nil && bytes.Contains(db, []byte(d.topic("+/update/+"))) // its last filter
	})
	m.kill()
	eventually(t, "the loss is noticed", func() bool { return !b.Ready() })
	w.create("owed", "pump")
	m.start()
	d, err := dialDevice(t, m.address, "pump") // which had not said good-bye
	w.must(err)
	if !d.resumed {
		t.Fatal("mosquitto has lost the session of the device: this test shows nothing")
	}
	d.gets("notify", `"QUEUED":[{"jobId":"owed"`)
	d.gets("notify-next", `"execution":{"jobId":"owed"`)
	d.ask("start-next", "")
	d.gets("start-next/accepted", `"jobId":"owed"`)
}

// lease is a right to be active that a test hands around.
type lease struct {
	grant chan struct{}
	lost  chan struct{}
}

func newLease() *lease { return &lease{grant: make(chan struct{}, 1), lost: make(chan struct{})} }

// active is bridge.Config.Active.
func (l *lease) active(ctx context.Context) (<-chan struct{}, error) {
	select {
	case <-l.grant:
		return l.lost, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestMosquittoDeliversNothingToSharedSubscriptions of reserved topics, which a
// bridge that is not alone finds out.
func TestMosquittoDeliversNothingToSharedSubscriptions(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	w := newWorld(t, "pump")
	reg := prometheus.NewRegistry()
	l := newLease()
	l.grant <- struct{}{}
	w.bridge(m.url(), func(c *bridge.Config) { c.Metrics, c.Active = reg, l.active })
	subscribed(t, reg)
	if single, shared := value(t, reg, "muster_bridge_mode", "single"), value(t, reg, "muster_bridge_mode", "shared"); single != 1 || shared != 0 {
		t.Errorf("got single %v, shared %v", single, shared)
	}
	d := w.device(m.address, "pump")
	d.ask("get", "")
	d.gets("get/accepted")
}

// TestFailover hands the requests from one node to another: when the first loses
// its lease, and when it loses it without knowing. What devices ask in between
// is served by the second.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, knows := range map[string]bool{"the first node is told": true, "the first node is not told": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMosquitto(t)
			w := newWorld(t, "pump")
			var leases [2]*lease
			var regs [2]*prometheus.Registry
			for i := range leases {
				leases[i], regs[i] = newLease(), prometheus.NewRegistry()
				w.bridge(m.url(), func(c *bridge.Config) {
					c.Mode, c.Active, c.Metrics = bridge.Single, leases[i].active, regs[i]
					// Who is sent away comes back later than the test takes.
					c.Backoff = func(int) time.Duration { return []time.Duration{time.Minute, 10 * time.Millisecond}[i] }
				})
			}
			leases[0].grant <- struct{}{}
			subscribed(t, regs[0])
			d := w.device(m.address, "pump")
			d.ask("get", "")
			d.gets("get/accepted")
			if n := value(t, regs[1], "muster_bridge_active"); n != 0 {
				t.Error("the second node takes requests, too")
			}
			if knows {
				close(leases[0].lost)
				eventually(t, "the first node leaves", func() bool { return value(t, regs[0], "muster_bridge_connected", "requests") == 0 })
				d.ask("start-next", "") // nobody is there: it waits in the session
			}
			leases[1].grant <- struct{}{}
			subscribed(t, regs[1])
			eventually(t, "the first node is gone", func() bool { return value(t, regs[0], "muster_bridge_connected", "requests") == 0 })
			if knows {
				d.gets("start-next/accepted")
			}
			d.ask("get", "")
			d.gets("get/accepted")
			asked := func(i int) float64 {
				return value(t, regs[i], "muster_bridge_requests_total", "false", "1")
			}
			if n := asked(0); n != 1 {
				t.Errorf("the first node has served %v requests, want 1", n)
			}
		})
	}
}

// tap is a way to a broker that can be cut.
type tap struct {
	address string
	deaf    atomic.Int64 // raised by one, nothing goes to the broker any more over what is connected by then
	mu      sync.Mutex
	conns   []net.Conn // guarded by mu
}

func newTap(t *testing.T, to string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{address: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, near, far)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
			go func() { _, _ = io.Copy(p.pass(far, p.deaf.Load()), near); _ = far.Close() }()
		}
	}()
	return p
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (p *tap) pass(to io.Writer, deaf int64) writerFunc {
	return func(b []byte) (int, error) {
		if p.deaf.Load() > deaf {
			return len(b), nil
		}
		return to.Write(b)
	}
}

// cut ends all connections.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// TestRequestIsAppliedOnce although mosquitto delivers it twice, since neither
// its acknowledgement nor its reply got through the first time.
func TestRequestIsAppliedOnce(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	way := newTap(t, m.address)
	w := newWorld(t, "pump")
	reg := prometheus.NewRegistry()
	var served atomic.Int32
	b := startBridge(t, "mqtt://"+way.address, func(ctx context.Context, r mqttapi.Request) (mqttapi.Reply, bool, error) {
		defer served.Add(1)
		return w.api.Handle(ctx, r)
	}, func(c *bridge.Config) { c.Metrics = reg })
	w.all <- append(<-w.all, b)
	subscribed(t, reg)
	d := w.device(m.address, "pump")
	w.create("first", "pump")
	d.gets("notify")
	d.gets("notify-next")

	way.deaf.Add(1)
	d.ask("first/update", `{"status":"IN_PROGRESS","statusDetails":{"step":"one"}}`) // no version: it could be applied twice
	eventually(t, "the request is served", func() bool { return served.Load() == 1 })
	way.cut()
	eventually(t, "the request comes again", func() bool {
		return value(t, reg, "muster_bridge_requests_total", "true", "1") == 1
	})
	d.gets("first/update/accepted")
	d.ask("first/update", `{"status":"SUCCEEDED","expectedVersion":2,"includeJobExecutionState":true}`)
	d.gets("first/update/accepted", `"versionNumber":3`)
	if n := served.Load(); n != 2 {
		t.Errorf("%d requests were served, want 2", n)
	}
}
