package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// ports are the schemes of brokers with their usual ports.
var ports = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}

// network returns what makes the connections that MQTT is spoken on. t may be nil.
func network(broker string, t *tls.Config) (func(context.Context) (net.Conn, error), error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, errors.New("not a URL") // the text of err may hold a password
	}
	port, ok := ports[u.Scheme]
	if !ok || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("not the URL of a broker, such as mqtts://host:8883, without user name and password")
	}
	if t == nil {
		t = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t = t.Clone()
	if t.ServerName == "" {
		t.ServerName = u.Hostname()
	}
	if u.Port() != "" {
		port = u.Port()
	}
	address := net.JoinHostPort(u.Hostname(), port)
	switch u.Scheme {
	case "mqtt":
		return func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}, nil
	case "mqtts":
		return func(ctx context.Context) (net.Conn, error) {
			return (&tls.Dialer{Config: t}).DialContext(ctx, "tcp", address)
		}, nil
	}
	if u.Path == "" {
		u.Path = "/mqtt"
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: t, DisableKeepAlives: true}}
	return func(ctx context.Context) (net.Conn, error) { return dialWeb(ctx, client, u.String()) }, nil
}

// dialWeb opens a WebSocket.
func dialWeb(ctx context.Context, client *http.Client, url string) (net.Conn, error) {
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{ //nolint:bodyclose // of a WebSocket there is none
		HTTPClient: client, Subprotocols: []string{"mqtt"}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != "mqtt" {
		_ = ws.CloseNow() // err says more
		return nil, fmt.Errorf("the WebSocket at %s does not speak MQTT", url)
	}
	ws.SetReadLimit(-1) // a frame may hold many packets, whose length is bounded
	return webConn{websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws}, nil
}

// webConn is a WebSocket that is closed without a word: DISCONNECT has said it.
type webConn struct {
	net.Conn
	ws *websocket.Conn
}

// Close implements net.Conn.
func (c webConn) Close() error { return c.ws.CloseNow() }
