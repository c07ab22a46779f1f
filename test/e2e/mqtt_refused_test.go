package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/internal/auth/sigv4"
	"muster/test/internal/harness"
)

// TestMQTTStrangers get in nowhere, with either version of MQTT, and those who
// may get in do so with the same settings.
func TestMQTTStrangers(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.thing(t, "pump")
	key, err := g.Credentials()
	check(t, "credentials", err)
	with := func(certs ...tls.Certificate) dialing {
		return dialing{secure: g.secure, tls: &tls.Config{RootCAs: g.ca.pool(), Certificates: certs}}
	}
	web := func(c sigv4.Credentials, at time.Time) dialing {
		return dialing{web: presigned(t, g.Server, c, at)}
	}
	now := time.Now()
	other := newAuthority(t)
	forger := newAuthority(t) // has the same name
	old := tls.Config{RootCAs: g.ca.pool(), Certificates: []tls.Certificate{g.certificate}, MaxVersion: tls.VersionTLS11}
	tests := []struct {
		name string
		in   bool
		dialing
	}{
		{"a device", true, with(g.certificate)},
		{"an operator's browser", true, web(key, now)},
		{"no certificate", false, with()},
		{"a certificate of another authority", false, with(other.issue(t, "device"))},
		{"a certificate of another authority with the same name", false, with(forger.issue(t, "device"))},
		{"the server's authority itself is unknown to the client", false, dialing{secure: g.secure, tls: &tls.Config{
			RootCAs: other.pool(), Certificates: []tls.Certificate{g.certificate}}}},
		{"TLS that is too old", false, dialing{secure: g.secure, tls: &old}},
		{"plain MQTT where TLS is spoken", false, dialing{plain: g.secure}},
		{"a WebSocket that nobody has signed", false, dialing{web: "ws" + strings.TrimPrefix(g.URL(), "http") + "/mqtt"}},
		{"a WebSocket signed with another secret", false, web(sigv4.Credentials{KeyID: key.KeyID, Secret: key.Secret[1:] + key.Secret[:1]}, now)},
		{"a WebSocket signed with another key", false, web(sigv4.Credentials{KeyID: "AKIAZZZZZZZZ33333333", Secret: key.Secret}, now)},
		{"a WebSocket whose signature is old", false, web(key, now.Add(-time.Hour))},
	}
	for _, tt := range tests {
		for _, version := range []int{3, 5} {
			t.Run(fmt.Sprint(tt.name, ", mqtt ", version), func(t *testing.T) {
				t.Parallel()
				d := tt.dialing
				d.version, d.id = version, t.Name()
				l, err := dial(t.Context(), d)
				if tt.in != (err == nil) {
					t.Fatalf("got error %v", err)
				}
				if err != nil {
					return
				}
				t.Cleanup(l.close)
				if m := l.request(t, pumpJobs+"get", ""); m.topic != pumpJobs+"get/accepted" {
					t.Errorf("got %v", m)
				}
			})
		}
	}
}

// TestPlainMQTTStaysAtHome refuses to start where strangers would reach it.
func TestPlainMQTTStaysAtHome(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:1883"} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r, err := program.Run(ctx, harness.Config{}, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--mqtt-listen", address)
		check(t, "run", err)
		if r.Code == 0 || !strings.Contains(r.Stderr, "must be a loopback address") || !strings.Contains(r.Stderr, "TLS") {
			t.Errorf("%s: got %+v", address, r)
		}
	}
}
