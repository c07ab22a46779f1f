package bridge

import (
	"errors"
	"fmt"
	"io"
	"time"

	"muster/internal/mqtt/codec"
)

// inbound cuts packets out of a stream.
type inbound struct {
	from io.Reader
	buf  []byte // buf[at:] has not been looked at
	at   int
}

// firstBuffer holds the requests of most devices, and many acknowledgements.
const firstBuffer = 16 << 10

// next returns the next packet, which is valid until the next call.
func (in *inbound) next() (codec.Frame, error) {
	for {
		f, n, err := codec.Cut(in.buf[in.at:], maxPacket)
		if err != nil {
			return f, err
		}
		if n <= len(in.buf)-in.at {
			in.at += n
			return f, nil
		}
		if err := in.fill(n); err != nil {
			return f, err
		}
	}
}

// fill reads more of the n bytes that are needed. The buffer grows as bytes
// arrive, not because they were announced.
func (in *inbound) fill(n int) error {
	if in.at > 0 {
		in.buf = in.buf[:copy(in.buf, in.buf[in.at:])]
		in.at = 0
	}
	if len(in.buf) == cap(in.buf) {
		larger := make([]byte, len(in.buf), min(max(n, firstBuffer), max(2*cap(in.buf), firstBuffer)))
		copy(larger, in.buf)
		in.buf = larger
	}
	got, err := in.from.Read(in.buf[len(in.buf):cap(in.buf)])
	in.buf = in.buf[:len(in.buf)+got]
	if got > 0 {
		return nil
	}
	return err
}

// rest returns what has been read and not been looked at.
func (in *inbound) rest() []byte { return in.buf[in.at:] }

// readAll takes what the broker sends until the connection ends, and returns why.
func (c *conn) readAll() error {
	in := inbound{from: c.nc, buf: c.rest}
	for {
		f, err := in.next()
		if err != nil {
			return err
		}
		c.read.Store(time.Now().UnixNano())
		if err := c.take(f); err != nil {
			return err
		}
	}
}

// take carries out one packet. It returns an error if that is the last one.
func (c *conn) take(f codec.Frame) error {
	switch f.Type {
	case codec.TypePublish:
		return c.takePublish(f)
	case codec.TypePuback:
		var a codec.Puback
		if err := a.Decode(f, codec.V5); err != nil {
			return err
		}
		c.answered(a.PacketID, a.Reason)
		return nil
	case codec.TypeSuback:
		var a codec.Suback
		if err := a.Decode(f, codec.V5); err != nil {
			return err
		}
		c.answered(a.PacketID, a.Reasons...)
		return nil
	case codec.TypeUnsuback:
		var a codec.Unsuback
		if err := a.Decode(f, codec.V5); err != nil {
			return err
		}
		c.answered(a.PacketID, a.Reasons...)
		return nil
	case codec.TypePingresp:
		select {
		case pong := <-c.pongs:
			pong()
		default: // nobody has asked
		}
		return nil
	case codec.TypeDisconnect:
		var d codec.Disconnect
		if err := d.Decode(f, codec.V5); err != nil {
			return err
		}
		return refusal("connection", d.Reason, d.ReasonString)
	}
	return fmt.Errorf("unexpected %s", f.Type)
}

// takePublish hands a message on, and waits while there is no room for it: the
// broker then keeps what comes after.
func (c *conn) takePublish(f codec.Frame) error {
	p := new(codec.Publish)
	if err := p.Decode(f, codec.V5); err != nil {
		return err
	}
	if p.Alias != 0 {
		return errors.New("a topic alias, which was not allowed")
	}
	if c.quiet.Load() {
		return nil
	}
	if c.receive == nil { // some brokers subscribe for their clients
		if p.QoS == codec.QoS0 {
			return nil
		}
		return c.acknowledge([]uint16{p.PacketID})
	}
	p.Message = p.Clone()
	c.waiting.Store(true)
	c.receive(c, p)
	c.read.Store(time.Now().UnixNano())
	c.waiting.Store(false)
	return nil
}

// pingAll keeps the connection alive, and ends it if the broker does not answer.
func (c *conn) pingAll() {
	every := keepAlive / 2
	if c.told.HasServerKeepAlive && c.told.ServerKeepAlive > 0 {
		every = min(every, time.Duration(c.told.ServerKeepAlive)*time.Second/2)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.life.Done():
			return
		}
		// Who does not listen cannot say that the other does not speak.
		if !c.waiting.Load() && time.Since(time.Unix(0, c.read.Load())) > 2*every+every/2 {
			c.end(errSilent)
			return
		}
		pong := func() {}
		if c.ping != nil {
			pong = c.ping()
		}
		select {
		case c.pongs <- pong:
			_ = c.write(&codec.Pingreq{}) // an error ends the connection
		default: // enough are under way
		}
	}
}
