package mqtt

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"muster/internal/mqtt/codec"
)

// outbound is what waits for a connection's socket: encoded packets. There is a
// goroutine that writes them only while there are any. The goroutine that reads
// writes its own answers itself, many at a time: if the client does not take
// them, nothing more is read from it.
type outbound struct {
	mu      sync.Mutex // guards what follows
	buf     []byte     // not written yet; nil if empty
	writing int        // bytes in the write under way
	busy    bool       // somebody writes
	starved bool       // the client's queue waits until buf is empty
	last    bool       // nothing may be added any more; close when written
	failed  bool       // a write has failed: what is added goes nowhere
	idle    chan struct{}
	drain   *time.Timer // ends what the reader may take after a write has failed
}

// buffers holds buffers for packets on the way in and out.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// keepBuffer is the largest buffer that is worth keeping.
const keepBuffer = 64 << 10

func getBuffer() []byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok {
		return nil
	}
	return (*b)[:0]
}

func putBuffer(b []byte) {
	if b != nil && cap(b) <= keepBuffer {
		buffers.Put(&b)
	}
}

// open locks the buffer for an addition. It reports false, without a lock, if
// nothing may be added.
func (o *outbound) open() bool {
	o.mu.Lock()
	if o.last || o.failed {
		o.mu.Unlock()
		return false
	}
	if o.buf == nil {
		o.buf = getBuffer()
	}
	return true
}

// hungry reports whether the client's queue may go on. If not, it will be told.
func (k *conn) hungry() bool {
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	if k.out.failed {
		return false // the queue is for the next connection
	}
	if len(k.out.buf)+k.out.writing < k.srv.limits.OutBytes {
		return true
	}
	k.out.starved = true
	return false
}

// sendPublish adds a message. It returns why it cannot be sent, or nothing.
func (k *conn) sendPublish(d *delivery) string {
	now := int64(0)
	if d.msg.Expires != 0 {
		now = k.srv.nowMillis()
	}
	p := codec.Publish{Message: d.msg.packet(now), Dup: d.dup}
	p.QoS, p.Retain = codec.QoS(d.qos), d.retain
	if d.qos > 0 {
		p.PacketID = d.id()
	}
	if !k.out.open() {
		return ""
	}
	defer k.out.mu.Unlock()
	before := len(k.out.buf)
	b, err := p.Append(k.out.buf, k.version)
	if err != nil {
		return droppedSize
	}
	if len(b)-before > k.maxSend {
		k.out.buf = b[:before]
		return droppedSize
	}
	k.out.buf = b
	k.srv.metrics.out.Inc()
	return ""
}

// sendPuback adds the acknowledgement of a message.
func (k *conn) sendPuback(id uint16, r codec.Reason) {
	if !k.out.open() {
		return
	}
	defer k.out.mu.Unlock()
	p := codec.Puback{PacketID: id, Reason: r}
	if k.version < codec.V5 && r != codec.Success {
		p.Reason = codec.Success
	}
	if b, err := p.Append(k.out.buf, k.version); err == nil {
		k.out.buf = b
	}
}

// send adds any other packet.
func (k *conn) send(p codec.Packet) {
	if !k.out.open() {
		return
	}
	defer k.out.mu.Unlock()
	b, err := p.Append(k.out.buf, k.version)
	if err != nil {
		k.srv.log.Error("mqtt: packet cannot be sent", "type", p.Type().String(), "err", err)
		return
	}
	k.out.buf = b
}

// kick sees to it that somebody writes what has been added.
func (k *conn) kick() {
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	k.start()
}

// start starts a writer if there is something to write and nobody does. The
// buffer must be locked.
func (k *conn) start() {
	if k.out.busy || len(k.out.buf) == 0 && !k.out.last {
		return
	}
	k.out.busy = true
	k.srv.conns.Go(k.write)
}

// write writes until nothing is left.
func (k *conn) write() {
	for k.writeOnce() {
	}
}

// writeOnce writes what is there. It reports false when there is nothing left,
// after which the caller must not write any more.
func (k *conn) writeOnce() bool {
	o := &k.out
	o.mu.Lock()
	if len(o.buf) == 0 || o.failed {
		k.rest()
		return false
	}
	b := o.buf
	o.buf, o.writing = nil, len(b)
	patience := k.srv.limits.WriteTimeout
	if o.last {
		patience = min(patience, farewell)
	}
	err := k.nc.SetWriteDeadline(time.Now().Add(patience)) // finish may shorten it
	o.mu.Unlock()
	k.srv.metrics.bytesOut.Add(float64(len(b)))
	if err == nil {
		_, err = k.nc.Write(b)
	}
	putBuffer(b)
	o.mu.Lock()
	o.writing = 0
	if err != nil {
		o.failed = true
		k.broken(err)
	}
	o.mu.Unlock()
	return true
}

// broken ends a connection on which a write has failed. The buffer must be locked.
//
// A client that has all it wants acknowledges it, sends DISCONNECT and closes,
// while more is on the way to it: that is answered with a reset, and the write
// fails. What the client has said is in the socket still, which gives it to the
// reader and then ends by itself, since nothing can follow a reset. Without it, the
// client would get the same messages again the next time, and the next. If the
// client did not reset the connection, reading might never end.
func (k *conn) broken(err error) {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		k.out.drain = time.AfterFunc(farewell, k.abort)
		return
	}
	k.abort() // the reader finds out, too
}

// farewell is how long the last words may take, of the server or of the client.
const farewell = time.Second

// rest ends a writer. It unlocks the buffer.
func (k *conn) rest() {
	o := &k.out
	putBuffer(o.buf)
	o.buf, o.busy = nil, false
	starved, last := o.starved && !o.last && !o.failed, o.last
	o.starved = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
	if last && o.drain != nil {
		o.drain.Stop()
	}
	o.mu.Unlock()
	switch {
	case last:
		_ = k.nc.Close() // nothing more to say
	case starved:
		k.client.refill(k)
	}
}

// flush writes what the reader has added, on its own goroutine unless another
// is at it. It returns when the client has taken enough for the reader to go on.
func (k *conn) flush() {
	o := &k.out
	for {
		o.mu.Lock()
		if len(o.buf) == 0 {
			starved := o.starved && !o.busy
			if starved {
				o.starved = false
			}
			o.mu.Unlock()
			if starved {
				k.client.refill(k)
			}
			return
		}
		if !o.busy {
			o.busy = true
			o.mu.Unlock()
			k.writeOnce()
			o.mu.Lock()
			if len(o.buf) == 0 {
				k.rest()
				return
			}
			// Others have added more: they shall not keep the reader from reading.
			k.srv.conns.Go(k.write)
			o.mu.Unlock()
			return
		}
		if len(o.buf)+o.writing < k.srv.limits.OutBytes {
			o.mu.Unlock()
			return
		}
		if o.idle == nil {
			o.idle = make(chan struct{})
		}
		idle := o.idle
		o.mu.Unlock()
		<-idle // a write that gets stuck fails
	}
}

// finish lets nothing more be added, says goodbye and closes the connection when
// everything is written. It may be called more than once and does not wait.
func (k *conn) finish(goodbye codec.Packet) {
	if goodbye != nil {
		k.send(goodbye)
	}
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	if k.out.last {
		return
	}
	k.out.last = true
	if k.out.busy {
		// A write under way may be stuck on a client that takes nothing.
		_ = k.nc.SetWriteDeadline(time.Now().Add(farewell))
	}
	k.start()
}
