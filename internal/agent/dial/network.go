package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/eclipse/paho.golang/packets"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// ports are the schemes of endpoints with their usual ports.
var ports = map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "tls": "8883", "ws": "80", "wss": "443"}

// alpn tells MQTT from HTTPS where both use port 443 [AWS IoT Core, Device
// communication protocols].
const alpn = "x-amzn-mqtt-ca"

// open makes the connection that MQTT is spoken on.
func (m *MQTT) open(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	switch m.url.Scheme {
	case "ws", "wss":
		u := *m.url
		if u.Path == "" {
			u.Path = "/mqtt"
		}
		return mqtt.NewWebsocket(u.String(), m.tls(), connectWait, nil, nil)
	case "mqtt", "tcp":
		return d.DialContext(ctx, "tcp", m.url.Host)
	}
	c, err := (&tls.Dialer{NetDialer: &d, Config: m.tls()}).DialContext(ctx, "tcp", m.url.Host)
	if err != nil {
		return nil, err
	}
	return packets.NewThreadSafeConn(c), nil
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
