package mqtt

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"muster/internal/mqtt/codec"
)

// conn is one connection of a client. One goroutine reads it and does what its
// packets ask for; fields without a comment on who guards them belong to it.
type conn struct {
	srv      *Server
	nc       net.Conn
	listener string
	http     *http.Request // of a WebSocket
	// closeFrame is whether the end of the stream is one that the client has announced.
	closeFrame bool
	deadline   time.Time // of CONNECT

	in    inbound
	begun time.Time // of the packet that has arrived in part; zero if none has
	until time.Time // by when more must arrive

	// These are set once, before others see the connection.
	version   codec.Version
	who       Client
	session   string // names the connection in lifecycle events
	presence  int64  // so does its number among those of the client
	keepAlive time.Duration
	maxSend   int // the longest packet that the client takes
	client    *client
	will      *will // guarded by the client's lock

	aliases []topicName // of the client's messages
	recent  topicName   // that of its last message
	acks    []ack       // that wait for something to become durable
	rate    bucket

	// Guarded by the server: settledIn is whether it counts as connected; until it is
	// authenticated, it is a stranger from a source.
	settledIn bool
	source    *source
	stranger  *list.Element

	out outbound
	// kicked is why somebody else has ended the connection; nil if nobody has.
	// stopped is closed then; it is made if the rate is limited.
	kicked  atomic.Pointer[ending]
	stopped chan struct{}
}

// serve reads the connection until it ends.
func (k *conn) serve() {
	end := k.connect()
	if end == nil {
		end = k.loop()
	}
	if by := k.kicked.Load(); by != nil {
		end = by
	}
	if k.client != nil {
		k.client.detach(k, end)
	}
	k.log(end)
	k.goodbye(end)
	k.in.release()
	k.srv.forget(k)
}

// connect does all that comes before the first packet after CONNECT.
func (k *conn) connect() *ending {
	if t, ok := k.nc.(*tls.Conn); ok {
		ctx, cancel := context.WithDeadline(k.srv.ctx, k.deadline)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			return &ending{event: eventClientError, err: err}
		}
	}
	f, n, end := k.next(k.srv.limits.ConnectPacket)
	if end != nil {
		return end
	}
	defer func() { k.in.skip(n) }()
	return k.accept(f)
}

// loop serves one packet after another.
func (k *conn) loop() *ending {
	for {
		f, n, end := k.next(k.srv.limits.Packet)
		if end == nil {
			k.begun = time.Time{}
			end = k.packet(f)
		}
		if end == nil {
			end = k.kicked.Load() // also while there is more to read
		}
		if end != nil {
			return end
		}
		k.in.skip(n)
	}
}

// packet does what a packet asks for.
func (k *conn) packet(f codec.Frame) *ending {
	switch f.Type {
	case codec.TypePublish:
		return k.publish(f)
	case codec.TypePuback:
		return k.puback(f)
	case codec.TypeSubscribe:
		return k.subscribe(f)
	case codec.TypeUnsubscribe:
		return k.unsubscribe(f)
	case codec.TypePingreq:
		var p codec.Pingreq
		if err := p.Decode(f, k.version); err != nil {
			return clientError(err)
		}
		k.send(&codec.Pingresp{})
		return nil
	case codec.TypeDisconnect:
		return k.disconnect(f)
	}
	// A second CONNECT, what only servers send, AUTH, the handshake of QoS 2.
	_, err := codec.Decode(f, k.version)
	if err == nil {
		err = &codec.Error{Reason: codec.ProtocolError, Text: "packet of type " + f.Type.String() + " is not expected"}
	}
	return clientError(err)
}

func (k *conn) puback(f codec.Frame) *ending {
	var p codec.Puback
	if err := p.Decode(f, k.version); err != nil {
		return clientError(err)
	}
	k.client.acknowledged(k, p.PacketID)
	return nil
}

func (k *conn) disconnect(f codec.Frame) *ending {
	var p codec.Disconnect
	err := p.Decode(f, k.version)
	if err == nil {
		err = p.CheckClient()
	}
	if err != nil {
		return clientError(err)
	}
	if p.HasSessionExpiry && !k.client.setExpiry(k, p.SessionExpiry) {
		// "If the Session Expiry Interval in the CONNECT packet was zero, then it is a
		// Protocol Error to set a non-zero Session Expiry Interval" [MQTT 5, 3.14.2.2.2].
		return clientError(&codec.Error{Reason: codec.ProtocolError, Text: "session expiry set for a session without one"})
	}
	return &ending{event: eventClientInitiated, byClient: true, noWill: p.Reason != codec.DisconnectWithWill}
}

// kickOut ends the connection from outside, without waiting for it.
func (k *conn) kickOut(end *ending) {
	if !k.kicked.CompareAndSwap(nil, end) {
		return
	}
	if k.stopped != nil {
		close(k.stopped)
	}
	k.goodbye(end)
	if _, ok := k.nc.(*webConn); ok {
		return // a deadline would break it off; the reader sees the client's Close frame
	}
	_ = k.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; if that fails, the connection is closed already
}

// abort closes the connection at once, without a word of the transport.
func (k *conn) abort() {
	switch nc := k.nc.(type) {
	case *webConn:
		_ = nc.ws.CloseNow()
	case *tls.Conn:
		_ = nc.NetConn().Close()
	default:
		_ = nc.Close()
	}
}

// goodbye tells the client why the connection ends, if its version can be told,
// and closes it.
func (k *conn) goodbye(end *ending) {
	if k.version == codec.V5 && k.client != nil && end.reason.Failed() {
		k.finish(&codec.Disconnect{Reason: end.reason})
		return
	}
	k.finish(nil)
}

func (k *conn) log(end *ending) {
	if end.err == nil {
		return
	}
	k.srv.log.Debug("mqtt: connection ended", "client", k.who.ID, "remote", k.nc.RemoteAddr().String(),
		"listener", k.listener, "reason", end.event, "err", end.err)
}
