package main

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
	"time"
)

// authority issues the certificates of one run: of the server, and one for each
// device, since the same for all would be kept in memory once.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

// newAuthority returns one that has written its certificate, and a server's with
// the key, into dir; see the names of the files.
func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	a.cert = template("bench")
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	root, err := a.issue(a.cert, key)
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(root.Certificate[0])
	if err != nil {
		return nil, err
	}
	a.pool.AddCert(a.cert)
	server := template("server")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	own, err := a.issue(server, nil)
	if err != nil {
		return nil, err
	}
	ownKey, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	return a, errors.Join(err,
		writePEM(filepath.Join(dir, caFile), "CERTIFICATE", a.cert.Raw),
		writePEM(filepath.Join(dir, certFile), "CERTIFICATE", own.Certificate[0]),
		writePEM(filepath.Join(dir, keyFile), "PRIVATE KEY", ownKey))
}

// The files of an authority.
const (
	caFile   = "ca.pem"
	certFile = "server.pem"
	keyFile  = "server-key.pem"
)

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

// issue returns a certificate for a key; nil makes one.
func (a *authority) issue(t *x509.Certificate, key *ecdsa.PrivateKey) (tls.Certificate, error) {
	var err error
	if key == nil {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// client returns how a device connects.
func (a *authority) client(name string) (*tls.Config, error) {
	cert, err := a.issue(template(name), nil)
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: a.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13,
	}, err
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
