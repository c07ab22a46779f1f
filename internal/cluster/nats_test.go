package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"muster/internal/cluster"
)

var secret = []byte("a secret of the nodes")

func openNATS(t testing.TB, cfg cluster.NATSConfig) *cluster.NATS {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := cluster.OpenNATS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// openEmbedded opens the buses of three nodes that are connected. change, if not
// nil, changes the settings of each.
func openEmbedded(t *testing.T, change func(i int, cfg *cluster.NATSConfig)) [3]*cluster.NATS {
	t.Helper()
	var b [3]*cluster.NATS
	for i := range b {
		cfg := cluster.NATSConfig{Name: "three", Listen: "127.0.0.1:0", Secret: secret}
		if change != nil {
			change(i, &cfg)
		}
		b[i] = openNATS(t, cfg)
	}
	connect(t, b[:]...)
	return b
}

// connect tells nodes of each other and waits until they are connected.
func connect(t testing.TB, all ...*cluster.NATS) {
	t.Helper()
	var addresses []string
	for _, b := range all {
		addresses = append(addresses, b.Address())
	}
	for _, b := range all {
		if err := b.SetPeers(addresses); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range all {
		eventually(t, b.Healthy)
	}
}

func buses(bs [3]*cluster.NATS) (all [3]cluster.Bus) {
	for i, b := range bs {
		all[i] = b
	}
	return all
}

// startNATS starts a server that is not ours.
func startNATS(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func openExternal(t *testing.T) (all [3]cluster.Bus) {
	s := startNATS(t, server.Options{Username: "u", Password: "p"})
	url := "nats://u:p@" + s.Addr().String()
	for i := range all {
		all[i] = openNATS(t, cluster.NATSConfig{Name: "ours", URL: url})
	}
	return all
}

// doorman lets clients in from the fourth attempt on.
type doorman struct{ attempts atomic.Int32 }

func (d *doorman) Check(server.ClientAuthentication) bool { return d.attempts.Add(1) > 3 }

func TestABusThatIsTurnedAwayTriesAgain(t *testing.T) {
	t.Parallel()
	s := startNATS(t, server.Options{CustomClientAuthentication: &doorman{}})
	b := openNATS(t, cluster.NATSConfig{Name: "ours", URL: s.ClientURL()})
	eventually(t, b.Healthy)
}

func TestBusesWithOtherNamesDoNotMeet(t *testing.T) {
	t.Parallel()
	s := startNATS(t, server.Options{})
	ours := openNATS(t, cluster.NATSConfig{Name: "ours", URL: s.ClientURL()})
	theirs := openNATS(t, cluster.NATSConfig{Name: "theirs", URL: s.ClientURL()})
	in, _ := subscribe(t, ours, "s")
	settle(t, ours)
	settle(t, theirs)
	publish(t, theirs, "s", "theirs")
	if _, err := theirs.Request(t.Context(), "s", nil); !errors.Is(err, cluster.ErrNobody) {
		t.Errorf("got error %v, want %v", err, cluster.ErrNobody)
	}
	publish(t, ours, "s", "ours")
	in.want(t, "ours")
}

// TestNATSComesLater shows that a server elsewhere may be away at first, and
// later: what is published meanwhile is kept within a bound.
func TestNATSComesLater(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:errcheck // it is one
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	a := openNATS(t, cluster.NATSConfig{Name: "n", URL: url})
	b := openNATS(t, cluster.NATSConfig{Name: "n", URL: url})
	in, _ := subscribe(t, b, "s")
	for range 2 {
		if a.Healthy() == nil {
			t.Error("healthy without a server")
		}
		kept := 0
		for a.Publish("s", make([]byte, 1000)) == nil {
			if kept++; kept > 10_000 {
				t.Fatal("everything is kept")
			}
		}
		if kept < 100 {
			t.Errorf("%d messages kept", kept)
		}
		s := startNATS(t, server.Options{Port: port})
		eventually(t, a.Healthy)
		eventually(t, b.Healthy)
		settle(t, a, b)
		publish(t, a, "s", "now")
		for m := in.next(t); string(m.Data) != "now"; m = in.next(t) {
			if len(m.Data) != 1000 {
				t.Errorf("got %.99q", m.Data)
			}
		}
		s.Shutdown()
		s.WaitForShutdown()
		eventually(t, func() error { return unless(a.Healthy() == nil, "still healthy") })
	}
}

func unless(bad bool, what string) error {
	if bad {
		return errors.New(what)
	}
	return nil
}

func TestNodesThatDoNotKnowTheSecretDoNotConnect(t *testing.T) {
	t.Parallel()
	ours := openNATS(t, cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret})
	in, _ := subscribe(t, ours, "s")
	settle(t, ours)
	var others []*cluster.NATS
	for _, cfg := range []cluster.NATSConfig{
		{Name: "n", Secret: []byte("another secret")},
		{Name: "another", Secret: secret},
	} {
		cfg.Listen, cfg.Peers = "127.0.0.1:0", []string{ours.Address()}
		others = append(others, openNATS(t, cfg))
	}
	// One that does know it gets through, though it comes last.
	right := openNATS(t, cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret, Peers: []string{ours.Address()}})
	eventually(t, right.Healthy)
	settle(t, ours, right)
	for _, b := range others {
		if b.Healthy() == nil {
			t.Error("a stranger is connected")
		}
		publish(t, b, "s", "stranger")
	}
	publish(t, right, "s", "friend")
	in.want(t, "friend")
	// And nobody gets in as a client.
	c, err := nats.Connect("nats://"+ours.Address(), nats.Timeout(2*time.Second))
	if err == nil {
		c.Close()
		t.Error("the address of nodes takes clients")
	}
}

func TestNATSSettings(t *testing.T) {
	t.Parallel()
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = used.Close() })
	for _, c := range []struct {
		name string
		cfg  cluster.NATSConfig
		want string
	}{
		{"no name", cluster.NATSConfig{}, "no name"},
		{"two names", cluster.NATSConfig{Name: "a.b"}, "no name"},
		{"no port", cluster.NATSConfig{Name: "n", Listen: "127.0.0.1", Secret: secret}, "not host:port"},
		{"no secret", cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0"}, "secret"},
		{"other machines without certificates", cluster.NATSConfig{Name: "n", Listen: "0.0.0.0:0", Advertise: "node:1", Secret: secret}, "certificates"},
		{"all addresses without certificates", cluster.NATSConfig{Name: "n", Listen: ":0", Advertise: "node:1", Secret: secret}, "certificates"},
		{"no address that others could use", cluster.NATSConfig{Name: "n", Listen: "[::]:7422", Secret: secret}, "advertise"},
		{"no port that others could use", cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Advertise: "node:0", Secret: secret}, "needs a port"},
		{"a peer that is no address", cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret, Peers: []string{"peer"}}, "not host:port"},
		{"an advertised address that is none", cluster.NATSConfig{Name: "n", Listen: "127.0.0.1:0", Secret: secret, Advertise: "here"}, "not host:port"},
		{"an address that is in use", cluster.NATSConfig{Name: "n", Listen: used.Addr().String(), Secret: secret}, used.Addr().String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, err := cluster.OpenNATS(t.Context(), c.cfg)
			if err == nil {
				t.Fatal("no error", b.Close())
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to say %q", err, c.want)
			}
		})
	}
}

// TestNATSThatTakesLittle says so at the start, and to who sends more.
func TestNATSThatTakesLittle(t *testing.T) {
	t.Parallel()
	s := startNATS(t, server.Options{MaxPayload: 1000})
	var log lines
	b, err := cluster.OpenNATS(t.Context(), cluster.NATSConfig{Name: "n", URL: s.ClientURL(), Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close() //nolint:errcheck // all was asked
	eventually(t, func() error { return unless(!log.has("raise its max_payload"), "no warning") })
	cancel, err := b.Subscribe("s", func(m cluster.Message) { m.Respond(make([]byte, 1001)) })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	settle(t, b)
	if err := b.Publish("s", make([]byte, 1001)); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("published: %v", err)
	}
	if _, err := b.Request(t.Context(), "s", make([]byte, 1001)); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("asked: %v", err)
	}
	if _, err := b.Request(t.Context(), "s", nil); !errors.Is(err, cluster.ErrTooLarge) {
		t.Errorf("answered: %v", err)
	}
}

// TestNATSThatIsDownAtTheStart is told of once, with what to look at and without
// the password.
func TestNATSThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody else needs it
	var log lines
	opened := make(chan *cluster.NATS, 1)
	go func() {
		b, err := cluster.OpenNATS(t.Context(), cluster.NATSConfig{Name: "n", URL: "nats://u:hunter2@" + l.Addr().String(), Log: log.logger()})
		if err != nil {
			t.Error(err)
		}
		opened <- b
	}()
	for range 4 { // attempts
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	b := <-opened
	if b == nil {
		return
	}
	defer b.Close() //nolint:errcheck // all was asked
	text := log.text()
	if strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "is one running there") || !strings.Contains(text, l.Addr().String()) {
		t.Errorf("got %s, want one warning with advice", text)
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the password is in it: %s", text)
	}
	if b.Healthy() == nil {
		t.Error("it is well")
	}
}

// lines is what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) has(text string) bool { return strings.Contains(l.text(), text) }

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
