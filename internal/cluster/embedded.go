package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embedded is a server of NATS in this process. Only this process is its client;
// other nodes' servers connect to it, and it to theirs.
type embedded struct {
	server  *server.Server
	secret  string // what nodes show each other
	address string

	mu      sync.Mutex
	options *server.Options // guarded by mu: as the server was last given them
	peers   []string        // guarded by mu
}

// routeUser is the name that nodes show to each other.
const routeUser = "muster"

func embed(ctx context.Context, cfg NATSConfig, log *slog.Logger) (*embedded, error) {
	mac := hmac.New(sha256.New, cfg.Secret)
	mac.Write([]byte("muster: nodes of a cluster"))
	e := &embedded{secret: hex.EncodeToString(mac.Sum(nil))}
	options := &server.Options{
		ServerName: rand.Text(), DontListen: true, NoSigs: true, NoLog: true, NoSystemAccount: true,
		MaxPayload: MaxData, MaxPending: maxPendingBytes,
	}
	if cfg.Listen != "" {
		err := e.listen(options, cfg)
		if err != nil {
			return nil, err
		}
	}
	e.options = options.Clone()
	var err error
	e.server, err = server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("cluster: start NATS: %w", err)
	}
	l := &serverLog{log: log}
	e.server.SetLoggerV2(l, false, false, false)
	e.start(options.Cluster.Port != 0)
	wait := 10 * time.Second
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end))
	}
	if !e.server.ReadyForConnections(wait) {
		e.close()
		return nil, fmt.Errorf("cluster: listen on %s: %w", cfg.Listen, l.fault())
	}
	if a := e.server.ClusterAddr(); a != nil {
		e.address = cfg.Advertise
		if e.address == "" {
			host, _, _ := net.SplitHostPort(cfg.Listen) // has been checked
			e.address = net.JoinHostPort(host, strconv.Itoa(a.Port))
		}
	}
	err = e.setPeers(cfg.Peers)
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// listen sets the options by which other nodes are reached.
func (e *embedded) listen(o *server.Options, cfg NATSConfig) error {
	host, port, err := hostPort(cfg.Listen)
	if err != nil {
		return err
	}
	advertised, at := host, port
	if cfg.Advertise != "" {
		advertised, at, err = hostPort(cfg.Advertise)
		if err != nil {
			return err
		}
	}
	switch ip := net.ParseIP(advertised); {
	case advertised == "" || ip != nil && ip.IsUnspecified():
		return fmt.Errorf("cluster: %s is every address of this machine: advertise the one by which others reach it", cfg.Listen)
	case cfg.Advertise != "" && at == 0:
		return fmt.Errorf("cluster: %q needs a port", cfg.Advertise)
	case len(cfg.Secret) == 0:
		return errors.New("cluster: nodes that listen need a secret")
	case cfg.TLS == nil && !loopback(host):
		return fmt.Errorf("cluster: %s can be reached by other machines, so nodes need certificates", cfg.Listen)
	}
	if port == 0 {
		port = -1 // any
	}
	o.Cluster = server.ClusterOpts{
		Name: cfg.Name, Host: host, Port: port, Advertise: cfg.Advertise,
		Username: routeUser, Password: e.secret, AuthTimeout: dialTime.Seconds(),
		TLSConfig: mutual(cfg.TLS), TLSTimeout: dialTime.Seconds(),
		// One connection to each node keeps the order of messages.
		PoolSize: 1, PingInterval: pingEvery, MaxPingsOut: 2,
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	return nil
}

// mutual returns settings by which both sides check each other.
func mutual(t *tls.Config) *tls.Config {
	if t == nil {
		return nil
	}
	t = t.Clone()
	t.ClientCAs, t.ClientAuth, t.MinVersion = t.RootCAs, tls.RequireAndVerifyClientCert, tls.VersionTLS13
	return t
}

func hostPort(address string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(digits)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("cluster: %q is not host:port", address)
	}
	return host, port, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// start starts the server and, if asked to, its links with other nodes. A server
// without clients from outside never comes to that by itself: the goroutine that
// is meant to do it waits for the clients' port for ever. So we do it in its
// place, also as far as the counting of goroutines at shutdown is concerned.
func (e *embedded) start(link bool) {
	e.server.Start()
	if link {
		ready := make(chan struct{})
		close(ready)
		e.server.StartRouting(ready)
	}
}

// setPeers connects to other nodes, and gives up those that are no longer named.
func (e *embedded) setPeers(addresses []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	peers := slices.Compact(slices.Sorted(slices.Values(addresses)))
	peers = slices.DeleteFunc(peers, func(a string) bool { return a == e.address || a == "" })
	if slices.Equal(peers, e.peers) || e.address == "" {
		return nil
	}
	options := e.options.Clone()
	options.Routes = nil
	for _, a := range peers {
		_, _, err := hostPort(a)
		if err != nil {
			return err
		}
		options.Routes = append(options.Routes, &url.URL{Scheme: "nats", Host: a, User: url.UserPassword(routeUser, e.secret)})
	}
	err := e.server.ReloadOptions(options.Clone())
	if err != nil {
		return fmt.Errorf("cluster: connect nodes: %w", err)
	}
	e.peers, e.options = peers, options
	return nil
}

// healthy returns nil if all peers are connected.
func (e *embedded) healthy() error {
	e.mu.Lock()
	want := len(e.peers)
	e.mu.Unlock()
	if have := e.server.NumRemotes(); have < want {
		return fmt.Errorf("cluster: %d of %d other nodes are connected", have, want)
	}
	return nil
}

func (e *embedded) close() {
	if e == nil {
		return
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// serverLog passes on what the server says. Most of it is of interest only to
// those who look for a fault. It implements server.Logger.
type serverLog struct {
	log *slog.Logger

	mu   sync.Mutex
	last error // guarded by mu: of Fatalf
}

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.debug(format, v) }

func (l *serverLog) debug(format string, v []any) {
	l.log.Debug("cluster: NATS: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("cluster: NATS: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Warn("cluster: NATS: " + fmt.Sprintf(format, v...))
}

// Fatalf keeps why the server cannot start: it must not end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = fmt.Errorf(format, v...)
}

func (l *serverLog) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return errors.New("the server has not started in time")
	}
	return l.last
}
