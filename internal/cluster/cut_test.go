package cluster_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/cluster"
)

// relay passes connections on to a node, as long as it is let.
type relay struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	state linkState         // guarded by mu
	moved *sync.Cond        // with mu: state has changed
	conns map[net.Conn]bool // guarded by mu
}

// linkState is what a relay does with connections.
type linkState int

const (
	passing linkState = iota
	closing           // connections are closed
	mute              // connections stay and nothing passes
)

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, target: target, conns: make(map[net.Conn]bool)}
	r.moved = sync.NewCond(&r.mu)
	t.Cleanup(func() {
		_ = l.Close()
		r.set(closing)
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			go r.pump(in, out)
			go r.pump(out, in)
		}
	}()
	return r
}

func (r *relay) set(s linkState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
	if s == closing {
		for c := range r.conns {
			_ = c.Close()
		}
	}
	r.moved.Broadcast()
}

// pump copies one direction.
func (r *relay) pump(from, to net.Conn) {
	defer from.Close() //nolint:errcheck // whatever it was
	defer to.Close()   //nolint:errcheck // whatever it was
	r.mu.Lock()
	r.conns[from] = true
	r.mu.Unlock()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		for r.state == mute {
			r.moved.Wait()
		}
		gone := r.state == closing || err != nil && !errors.Is(err, io.EOF)
		if gone {
			delete(r.conns, from)
		}
		r.mu.Unlock()
		if gone {
			return
		}
		if _, werr := to.Write(b[:n]); werr != nil || err != nil {
			return
		}
	}
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// TestCutAndHealed parts three nodes and joins them again.
func TestCutAndHealed(t *testing.T) {
	t.Parallel()
	embedded := func(state linkState) func(t *testing.T) (b [3]cluster.Bus, cut, heal func()) {
		return func(t *testing.T) (b [3]cluster.Bus, cut, heal func()) {
			var relays []*relay
			set := func(s linkState) func() {
				return func() {
					for _, r := range relays {
						r.set(s)
					}
				}
			}
			b = buses(openEmbedded(t, func(_ int, cfg *cluster.NATSConfig) {
				cfg.Listen = freePort(t)
				r := newRelay(t, cfg.Listen)
				cfg.Advertise = r.listener.Addr().String()
				relays = append(relays, r)
			}))
			return b, set(state), set(passing)
		}
	}
	for _, l := range []struct {
		name   string
		rounds int
		late   bool // what was sent while they were parted may come later
		open   func(t *testing.T) (b [3]cluster.Bus, cut, heal func())
	}{
		{"hub", 2, false, func(*testing.T) (b [3]cluster.Bus, cut, heal func()) {
			h := cluster.NewHub()
			ports := [3]*cluster.Port{h.Bus(), h.Bus(), h.Bus()}
			set := func(change func(*cluster.Port)) func() {
				return func() {
					for _, p := range ports {
						change(p)
					}
				}
			}
			return [3]cluster.Bus{ports[0], ports[1], ports[2]}, set((*cluster.Port).Cut), set((*cluster.Port).Heal)
		}},
		{"embedded NATS, connections closed", 2, false, embedded(closing)},
		{"embedded NATS, connections silent", 1, true, embedded(mute)},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			b, cut, heal := l.open(t)
			var ins []inbox
			for _, x := range b {
				in, _ := subscribe(t, x, "s")
				ins = append(ins, in)
			}
			settle(t, b[:]...)
			for round := range l.rounds {
				publish(t, b[0], "s", "whole")
				for _, in := range ins {
					in.want(t, "whole")
				}
				cut()
				for _, x := range b {
					eventually(t, func() error { return unless(x.Healthy() == nil, "healthy though cut off") })
				}
				for i, x := range b {
					publish(t, x, "s", fmt.Sprintf("alone %d", i))
					ins[i].want(t, fmt.Sprintf("alone %d", i))
				}
				heal()
				for _, x := range b {
					eventually(t, x.Healthy)
				}
				settle(t, b[:]...)
				publish(t, b[round+1], "s", "again")
				for _, in := range ins {
					m := in.next(t)
					for l.late && strings.HasPrefix(string(m.Data), "alone") {
						m = in.next(t)
					}
					if string(m.Data) != "again" {
						t.Errorf("got %q, want what was sent in between to be lost", m.Data)
					}
				}
			}
		})
	}
}

func TestHubCutsOneOff(t *testing.T) {
	t.Parallel()
	h := cluster.NewHub()
	a, b, c := h.Bus(), h.Bus(), h.Bus()
	inA, _ := subscribe(t, a, "s")
	inB, _ := subscribe(t, b, "s")
	inC, _ := subscribe(t, c, "s")
	c.Cut()
	publish(t, a, "s", "1")
	publish(t, c, "s", "2")
	inA.want(t, "1")
	inB.want(t, "1")
	inC.want(t, "2")
	if c.Healthy() == nil || a.Healthy() != nil {
		t.Errorf("cut off: %v, others: %v", c.Healthy(), a.Healthy())
	}
	// An answer does not pass either.
	asked, _ := subscribe(t, b, "ask")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := a.Request(ctx, "ask", nil)
		failed <- err
	}()
	m := asked.next(t)
	b.Cut()
	m.Respond(nil)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if _, err := a.Request(t.Context(), "ask", nil); !errors.Is(err, cluster.ErrNobody) {
		t.Errorf("got error %v, want %v", err, cluster.ErrNobody)
	}
	b.Heal()
	c.Heal()

	// What is held comes later, in order, and not before.
	b.Hold()
	publish(t, a, "s", "3")
	publish(t, c, "s", "4")
	publish(t, b, "s", "5")
	inB.want(t, "5")
	b.Release()
	publish(t, a, "s", "6")
	for _, want := range []string{"3", "4", "6"} {
		inB.want(t, want)
	}
}

// authority signs certificates of nodes.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	cert, key := a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = cert, key
	a.pool.AddCert(cert)
	return a
}

// sign signs a certificate, or has it sign itself if it is the first.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "node"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// node returns what a node with a certificate of its own uses.
func (a *authority) node(t *testing.T) *tls.Config {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

func TestNodesOverTLS(t *testing.T) {
	t.Parallel()
	ca, strange := newAuthority(t), newAuthority(t)
	b := openEmbedded(t, func(_ int, cfg *cluster.NATSConfig) { cfg.TLS = ca.node(t) })
	in, _ := subscribe(t, b[0], "s")
	settle(t, b[0], b[1], b[2])
	var others []*cluster.NATS
	none := ca.node(t)
	none.Certificates = nil
	for _, c := range []*tls.Config{nil, strange.node(t), none} {
		others = append(others, openNATS(t, cluster.NATSConfig{
			Name: "three", Listen: "127.0.0.1:0", Secret: secret, TLS: c, Peers: []string{b[0].Address()},
		}))
	}
	right := openNATS(t, cluster.NATSConfig{Name: "three", Listen: "127.0.0.1:0", Secret: secret, TLS: ca.node(t), Peers: []string{b[0].Address()}})
	eventually(t, right.Healthy)
	settle(t, b[0], right)
	for i, x := range others {
		if x.Healthy() == nil {
			t.Errorf("stranger %d is connected", i)
		}
		publish(t, x, "s", "stranger")
	}
	for _, x := range b[1:] {
		publish(t, x, "s", "friend")
		in.want(t, "friend")
	}
}
