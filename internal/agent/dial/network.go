package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// ports are the schemes of endpoints with their usual ports.
var ports = map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "tls": "8883", "ws": "80", "wss": "443"}

// alpn tells MQTT from HTTPS where both use port 443 [AWS IoT Core, Device
// communication protocols].
const alpn = "x-amzn-mqtt-ca"

// network is a connection that MQTT is spoken on.
type network struct {
	net.Conn
	head []byte      // how the first packet from the server begins
	old  atomic.Bool // it is an answer that only servers older than MQTT 5 give
}

// Read implements net.Conn.
func (n *network) Read(p []byte) (int, error) {
	count, err := n.Conn.Read(p)
	if missing := len(oldConnack) - len(n.head); missing > 0 {
		n.head = append(n.head, p[:min(count, missing)]...)
		n.old.Store(string(n.head) == oldConnack)
	}
	return count, err
}

// oldConnack is how a CONNACK of MQTT 3.1.1 begins: with its type and its
// length, which is less than that of any of MQTT 5.
const oldConnack = "\x20\x02"

// open makes the connection that MQTT is spoken on.
func (m *MQTT) open(ctx context.Context) (*network, error) {
	c, err := m.openConn(ctx)
	if err != nil {
		return nil, err
	}
	return &network{Conn: c}, nil
}

func (m *MQTT) openConn(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	switch m.url.Scheme {
	case "ws", "wss":
		return m.openWebSocket(ctx)
	case "mqtt", "tcp":
		return d.DialContext(ctx, "tcp", m.url.Host)
	}
	return (&tls.Dialer{NetDialer: &d, Config: m.tls()}).DialContext(ctx, "tcp", m.url.Host)
}

// openWebSocket does not wait for the library, which knows no context.
func (m *MQTT) openWebSocket(ctx context.Context) (net.Conn, error) {
	u := *m.url
	if u.Path == "" {
		u.Path = "/mqtt"
	}
	type result struct {
		conn net.Conn
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		c, err := mqtt.NewWebsocket(u.String(), m.tls(), connectWait, nil, nil)
		opened <- result{c, err}
	}()
	select {
	case r := <-opened:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.err == nil {
				_ = r.conn.Close() // nobody wants it any more
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// tls returns the configuration for this URL.
func (m *MQTT) tls() *tls.Config {
	c := m.cfg.TLS
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c = c.Clone()
	c.ServerName = m.url.Hostname()
	if m.url.Port() == "443" && m.url.Scheme != "wss" {
		c.NextProtos = []string{alpn}
	}
	return c
}

// LoadTLS returns the configuration of a device that trusts the authorities in
// the file ca (empty: those of the system) and shows the certificate in the
// file cert, whose key is in the file key (both empty: none).
func LoadTLS(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("a certificate needs its key, and a key its certificate")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
