package mqtt

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// WebSocket returns the handler that serves MQTT over WebSocket; it belongs at
// /mqtt. listener is what metrics and the Connect hook call it. A request that
// does not ask for a WebSocket is answered with 426. The subprotocol is mqtt;
// the older spelling of some clients is taken, too. Who the client is shows when
// CONNECT has come: the hook sees the request.
//
// The server's timeouts must not apply to what is read after the header: the
// handler returns when the connection ends.
func (s *Server) WebSocket(listener string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"mqtt", "mqttv3.1"},
			// Browsers are let in from everywhere: there are no cookies here, and
			// who connects must show credentials of its own.
			InsecureSkipVerify: true,
			CompressionMode:    websocket.CompressionDisabled,
		})
		if err != nil {
			s.log.Debug("mqtt: websocket refused", "remote", r.RemoteAddr, "err", err)
			return // it has been answered
		}
		ws.SetReadLimit(int64(s.limits.Packet) + 16)
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		k := &conn{listener: listener, http: r}
		k.nc = &webConn{Conn: websocket.NetConn(ctx, ws, websocket.MessageBinary), ws: ws, k: k, remote: remoteAddr(r.RemoteAddr)}
		if !s.begin(k) {
			_ = ws.Close(websocket.StatusTryAgainLater, "")
			return
		}
		k.run()
	})
}

// webConn notes whether the client ends the stream with a Close frame.
type webConn struct {
	net.Conn
	ws     *websocket.Conn
	k      *conn
	remote net.Addr
}

// Read implements net.Conn.
func (c *webConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == io.EOF { //nolint:errorlint // only a Close frame is a bare io.EOF; a broken stream wraps one
		c.k.closeFrame = true
	}
	return n, err
}

// RemoteAddr implements net.Conn.
func (c *webConn) RemoteAddr() net.Addr { return c.remote }

// remoteAddr is the address of the client of an HTTP request.
type remoteAddr string

// Network implements net.Addr.
func (remoteAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a remoteAddr) String() string { return string(a) }
