package dial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/agent/dial"
	"muster/internal/mqtt"
)

// authority issues certificates into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.issue("ca")
	return a
}

// file returns the name of a file in the folder.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue makes NAME.crt and NAME.key.
func (a *authority) issue(name string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: a.cert == nil, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	a.must(err)
	if a.cert == nil {
		a.key = key
		a.cert, err = x509.ParseCertificate(der)
		a.must(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.must(os.WriteFile(a.file(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a.must(os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

func (a *authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("server")
	a.issue("device")
	cert, err := tls.LoadX509KeyPair(a.file("server.crt"), a.file("server.key"))
	a.must(err)
	e := newEndpoint(t, func(r *mqtt.ConnectRequest) error {
		if r.Certificate == nil || r.Certificate.Subject.CommonName != "device" {
			return errors.New("no certificate of a device")
		}
		return nil
	})
	address := e.listen(mqtt.ListenerOptions{TLS: mqtt.DeviceTLS(&tls.Config{Certificates: []tls.Certificate{cert}}, true)})

	mine, err := dial.LoadTLS(a.file("ca.crt"), a.file("device.crt"), a.file("device.key"))
	a.must(err)
	conn, err := connect(t, dial.Config{URL: "mqtts://" + address, TLS: mine}, notifyNext)
	a.must(err)
	e.converse(conn)

	if _, err := connect(t, dial.Config{URL: "mqtts://" + address}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server whose authority is unknown: got error %v", err)
	}
	trusting, err := dial.LoadTLS(a.file("ca.crt"), "", "")
	a.must(err)
	if _, err := connect(t, dial.Config{URL: "mqtts://" + address, TLS: trusting}); err == nil {
		t.Error("a device without a certificate was let in")
	}
}

func TestLoadTLSRefuses(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("device")
	for name, files := range map[string][3]string{
		"an authority that is missing":  {"none", "", ""},
		"an authority that is none":     {"ca.key", "", ""},
		"a certificate without a key":   {"ca.crt", "device.crt", ""},
		"a key without a certificate":   {"ca.crt", "", "device.key"},
		"a key of another certificate":  {"ca.crt", "device.crt", "ca.key"},
		"a certificate that is missing": {"", "none", "device.key"},
	} {
		for i, f := range files {
			if f != "" {
				files[i] = a.file(f)
			}
		}
		if _, err := dial.LoadTLS(files[0], files[1], files[2]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
