package mqtt

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"muster/internal/mqtt/codec"
)

// inbound is what a client has sent and nobody has looked at yet. An idle
// connection has a small buffer of its own; a packet that is longer borrows a
// larger one, which grows as its bytes arrive, never because it was announced.
type inbound struct {
	small [smallBuffer]byte
	buf   []byte // small, or borrowed
	from  int    // buf[from:to] has not been looked at
	to    int
}

// smallBuffer holds the requests of most devices.
const smallBuffer = 512

func (in *inbound) bytes() []byte { return in.buf[in.from:in.to] }

// skip goes on behind a packet.
func (in *inbound) skip(n int) {
	in.from += n
	if in.from == in.to {
		in.from, in.to = 0, 0
		in.release()
	}
}

// release gives a borrowed buffer back.
func (in *inbound) release() {
	if in.buf != nil && &in.buf[0] != &in.small[0] {
		putBuffer(in.buf)
	}
	in.buf = in.small[:]
}

// room makes room for at least one more byte of the n that are needed in all.
func (in *inbound) room(n int) {
	if in.buf == nil {
		in.buf = in.small[:]
	}
	if in.from > 0 && (in.to == len(in.buf) || in.from+n > len(in.buf)) {
		in.to = copy(in.buf, in.buf[in.from:in.to])
		in.from = 0
	}
	if in.to < len(in.buf) {
		return
	}
	larger := min(max(n, 2*len(in.buf)), 4*len(in.buf))
	b := getBuffer()
	if cap(b) < larger {
		putBuffer(b)
		b = make([]byte, 0, larger)
	}
	b = b[:cap(b)]
	in.to = copy(b, in.bytes())
	in.from = 0
	in.release()
	in.buf = b
}

// next returns the next packet and how many bytes it takes; the caller skips
// them when it is done. Before it waits for the client it answers what came before.
func (k *conn) next(limit int) (codec.Frame, int, *ending) {
	for {
		f, n, err := codec.Cut(k.in.bytes(), limit)
		if err != nil {
			return f, 0, clientError(err)
		}
		if n <= len(k.in.bytes()) {
			return f, n, nil
		}
		if end := k.settle(); end != nil {
			return f, 0, end
		}
		k.flush()
		if end := k.fill(n); end != nil {
			return f, 0, end
		}
	}
}

// fill reads more of the n bytes that are needed.
func (k *conn) fill(n int) *ending {
	k.in.room(n)
	k.until = k.patience(n)
	err := k.nc.SetReadDeadline(k.until)
	if err != nil {
		return k.lost(err)
	}
	got, err := k.nc.Read(k.in.buf[k.in.to:])
	k.in.to += got
	if got > 0 {
		k.srv.metrics.bytesIn.Add(float64(got))
		return nil
	}
	if err == nil {
		return nil // TLS may have read a record without data
	}
	return k.lost(err)
}

// patience returns until when the client must have sent more: it may be silent
// for one and a half keep alives [MQTT-3.1.2-22], but a packet that has begun
// must end.
func (k *conn) patience(n int) time.Time {
	if k.client == nil {
		return k.deadline // of CONNECT
	}
	if k.in.from == k.in.to {
		k.begun = time.Time{}
		return time.Now().Add(k.keepAlive + k.keepAlive/2)
	}
	if k.begun.IsZero() {
		k.begun = time.Now()
	}
	whole := k.srv.limits.PacketTimeout + time.Duration(n>>10)*time.Second
	return k.begun.Add(min(whole, k.keepAlive+k.keepAlive/2))
}

// lost is the end of a connection on which reading has failed.
func (k *conn) lost(err error) *ending {
	late := errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(k.until) // a WebSocket has no error for it
	switch {
	case late && k.client == nil:
		return &ending{event: eventKeepAlive, err: errors.New("no CONNECT in time")}
	case late:
		return &ending{reason: codec.KeepAliveTimeout, event: eventKeepAlive, err: err}
	case errors.Is(err, io.EOF) && k.closeFrame:
		// The client has closed the WebSocket as it should: no will [AWS IoT Core, MQTT].
		return &ending{event: eventClientInitiated, byClient: true, noWill: true}
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return &ending{event: eventLost}
	}
	return &ending{event: eventLost, err: err}
}
