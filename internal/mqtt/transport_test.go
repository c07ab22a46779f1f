package mqtt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"muster/internal/auth"
	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// certificate makes a self-signed certificate.
func certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// roots returns a pool with the certificate in it.
func roots(t testing.TB, c tls.Certificate) *x509.CertPool {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server, device := certificate(t, "server"), certificate(t, "device")
	asked := make(chan *mqtt.ConnectRequest, 10)
	s, err := mqtt.New(t.Context(), mqtt.Config{Hooks: mqtt.Hooks{
		Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
			asked <- r
			return auth.Principal{ID: r.Fingerprint}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	e := serve(t, s, mqtt.ListenerOptions{Name: "tls", TLS: mqtt.DeviceTLS(&tls.Config{Certificates: []tls.Certificate{server}}, true)})
	sum := sha256.Sum256(device.Certificate[0])
	for _, c := range []struct {
		name   string
		offers []string
		want   string
	}{
		{"none", nil, ""},
		{"of the SDKs", []string{"x-amzn-mqtt-ca"}, "x-amzn-mqtt-ca"},
		{"of custom authorizers", []string{"mqtt"}, "mqtt"},
		{"something else", []string{"h2", "http/1.1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc, err := tls.Dial("tcp", e.addr, &tls.Config{
				RootCAs: roots(t, server), Certificates: []tls.Certificate{device}, NextProtos: c.offers,
			})
			if err != nil {
				t.Fatal(err)
			}
			p := newPeer(t, nc, codec.V5)
			p.send(&codec.Connect{Version: 5, ClientID: []byte("c"), UserName: []byte("?SDK=x")})
			if a := expect[*codec.Connack](p); a.Reason != codec.Success {
				t.Fatalf("got %v", a.Reason)
			}
			r := <-asked
			if r.ALPN != c.want || r.Fingerprint != hex.EncodeToString(sum[:]) || r.Certificate == nil || r.Listener != "tls" || r.Username != "?SDK=x" {
				t.Errorf("asked with %+v", r)
			}
			p.subscribe(codec.QoS1, "a")
			p.send(message(0, "a", "x"))
			p.receive("a", "x")
			p.send(&codec.Disconnect{})
			p.ended()
		})
	}
	t.Run("without a certificate", func(t *testing.T) {
		nc, err := tls.Dial("tcp", e.addr, &tls.Config{RootCAs: roots(t, server)})
		if err != nil {
			return
		}
		newPeer(t, nc, codec.V311).ended() // TLS 1.3 tells it after the handshake
	})
	t.Run("no TLS at all", func(t *testing.T) {
		p := e.dial(codec.V311)
		p.write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_, _ = p.nc.Read(make([]byte, 100)) // an alert, perhaps
	})
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	asked := make(chan *mqtt.ConnectRequest, 10)
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{
		Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
			asked <- r
			return auth.Principal{}, nil
		},
	}})
	h := httptest.NewServer(e.WebSocket("ws"))
	defer h.Close()
	gone := e.watch()
	<-asked
	open := func(protocol string) (*websocket.Conn, *peer) {
		ws, _, err := websocket.Dial(t.Context(), h.URL+"/mqtt?X-Amz-Signature=s", &websocket.DialOptions{Subprotocols: []string{protocol}}) //nolint:bodyclose // it is the connection
		if err != nil {
			t.Fatal(err)
		}
		if got := ws.Subprotocol(); got != protocol {
			t.Errorf("subprotocol: got %q, want %q", got, protocol)
		}
		return ws, newPeer(t, websocket.NetConn(context.Background(), ws, websocket.MessageBinary), codec.V5) //nolint:usetesting // until it is closed
	}
	w := e.connect(codec.V5, "w")
	<-asked
	w.subscribe(codec.QoS1, "will")
	connect := &codec.Connect{Version: 5, ClientID: []byte("c"), HasWill: true, Will: codec.Will{Message: codec.Message{Topic: []byte("will"), Payload: []byte("w")}}}
	b, err := connect.Append(nil, codec.V5)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("packets and frames need not agree", func(t *testing.T) {
		_, p := open("mqtt")
		b, err := (&codec.Pingreq{}).Append(b, codec.V5)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			p.write(b[i : i+1])
		}
		expect[*codec.Connack](p)
		expect[*codec.Pingresp](p)
		if r := <-asked; r.HTTP == nil || r.HTTP.URL.Query().Get("X-Amz-Signature") != "s" || r.Listener != "ws" || r.Remote.String() == "" {
			t.Errorf("asked with %+v", r)
		}
		body := string(make([]byte, 100_000))
		p.subscribe(codec.QoS1, "big")
		p.send(message(0, "big", body))
		p.receive("big", body)
		_ = p.nc.Close() // with a Close frame
		gone()
		w.quiet()
	})
	t.Run("a connection that is lost publishes the will", func(t *testing.T) {
		ws, p := open("mqttv3.1")
		p.write(b)
		expect[*codec.Connack](p)
		<-asked
		_ = ws.CloseNow()
		gone()
		w.receive("will", "w")
	})
	t.Run("a takeover tells why", func(t *testing.T) {
		_, p := open("mqtt")
		p.write(b)
		expect[*codec.Connack](p)
		<-asked
		e.connect(codec.V5, "c")
		<-asked
		p.refused(codec.SessionTakenOver)
		gone()
		w.receive("will", "w")
	})
	t.Run("no upgrade", func(t *testing.T) {
		resp, err := http.Get(h.URL + "/mqtt") //nolint:noctx // a test on loopback
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("got %s", resp.Status)
		}
	})
}
