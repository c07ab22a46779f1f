package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, "key of the authority", err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "muster test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	check(t, "certificate of the authority", err)
	cert, err := x509.ParseCertificate(der)
	check(t, "certificate of the authority", err)
	return &authority{cert, key}
}

// issue returns a certificate for 127.0.0.1, or whatever device has its key.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, "key", err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	check(t, "certificate", err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pool returns the authority as what is trusted.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// files writes a certificate and its key in PEM.
func files(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	check(t, "marshal key", err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	check(t, "write", os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	check(t, "write", os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return cert, key
}

// gateway is a server with all listeners for devices.
type gateway struct {
	*harness.Server
	own *client.Client
	ca  *authority
	// PEM files, of the authority and of a device's certificate.
	caFile, certFile, keyFile string
	certificate               tls.Certificate // of a device
	plain, secure             string          // host:port
}

// newGateway starts a server whose own certificate and whose devices' are of
// one authority.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{ca: newAuthority(t)}
	g.caFile, _ = files(t, tls.Certificate{Certificate: [][]byte{g.ca.cert.Raw}, PrivateKey: g.ca.key})
	cert, key := files(t, g.ca.issue(t, "server"))
	g.certificate = g.ca.issue(t, "device")
	g.certFile, g.keyFile = files(t, g.certificate)
	g.serve(t, harness.Config{Args: []string{
		"--mqtts-listen", "127.0.0.1:0", "--tls-cert-file", cert, "--tls-key-file", key, "--device-ca-file", g.caFile,
	}})
	return g
}

// plainGateway starts a server with the defaults, on a new data folder or that of another.
func plainGateway(t *testing.T, data string) *gateway {
	t.Helper()
	g := new(gateway)
	g.serve(t, harness.Config{Data: data})
	return g
}

func (g *gateway) serve(t *testing.T, c harness.Config) {
	t.Helper()
	g.Server = harness.Serve(t, program, c)
	g.own = own(t, g.Server)
	g.listeners(t)
}

// listeners notes where devices connect.
func (g *gateway) listeners(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.Data(), "device-endpoints"))
	check(t, "where devices connect", err)
	for _, line := range strings.Fields(string(text)) {
		u, err := url.Parse(line)
		check(t, "where devices connect", err)
		switch u.Scheme {
		case "mqtt":
			g.plain = u.Host
		case "mqtts":
			g.secure = u.Host
		}
	}
}

func (g *gateway) thing(t *testing.T, name string) {
	t.Helper()
	_, err := g.own.CreateThing(t.Context(), &wire.CreateThingRequest{ThingName: name})
	check(t, "create thing", err)
}

func (g *gateway) job(t *testing.T, id string, things ...string) {
	t.Helper()
	in := &wire.CreateJobRequest{JobID: id, Document: document}
	for _, name := range things {
		in.Targets = append(in.Targets, thingARN(name))
	}
	_, err := g.own.CreateJob(t.Context(), in)
	check(t, "create job", err)
}
