package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime/debug"
	"time"
)

// ListenerOptions says what is spoken on a listener.
type ListenerOptions struct {
	// Name is what metrics and the Connect hook call the listener.
	Name string
	// TLS, if not nil, makes every connection begin with a handshake. DeviceTLS
	// makes one for devices.
	TLS *tls.Config
}

// Serve accepts connections from l until ctx or the server ends, and then
// returns nil; l is closed. No other error of Accept ends it: out of file
// descriptors, for one, it tries again a little later.
func (s *Server) Serve(ctx context.Context, l net.Listener, o ListenerOptions) error {
	if !s.listen(l) {
		return errors.Join(net.ErrClosed, l.Close())
	}
	defer s.unlisten(l)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.take(nc, o)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			if ctx.Err() != nil || s.closing.Load() {
				return nil
			}
			return err
		}
		pause = min(max(2*pause, minPause), maxPause)
		s.log.Error("mqtt: accept failed, trying again", "listener", o.Name, "in", pause, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	_ = l.Close() // it is closed already, unless accepting has ended by itself
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// take serves a connection on a goroutine of its own.
func (s *Server) take(nc net.Conn, o ListenerOptions) {
	if o.TLS != nil {
		nc = tls.Server(nc, o.TLS)
	}
	k := &conn{nc: nc, listener: o.Name}
	if !s.begin(k) {
		_ = nc.Close()
		return
	}
	go k.run()
}

// run serves the connection. A panic, which would be a mistake of ours or of a
// hook, ends this connection and no other.
func (k *conn) run() {
	defer func() {
		if p := recover(); p != nil {
			k.srv.log.Error("mqtt: panic", "client", k.who.ID, "panic", p, "stack", string(debug.Stack()))
			_ = k.nc.Close()
			if k.client != nil {
				k.client.detach(k, &ending{event: eventServerError})
			}
			k.srv.forget(k)
		}
	}()
	k.serve()
}
