package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
)

// outbox collects packets until nobody is about to add one.
type outbox struct {
	writers atomic.Int32 // that have come and not written yet
	mu      sync.Mutex
	buf     []byte // guarded by mu: not sent yet
}

// flushAt is how many bytes are sent at once, at least if that many come together.
const flushAt = 16 << 10

// write sends packets, and waits while the broker does not read. Of those who
// write at the same time the last one sends it all. An error ends the
// connection, but for a packet that cannot be written: that one is left out.
func (c *conn) write(packets ...codec.Packet) error {
	c.out.writers.Add(1)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	last := c.out.writers.Add(-1) == 0
	var bad error
	for _, p := range packets {
		var err error
		c.out.buf, err = p.Append(c.out.buf, codec.V5)
		if err != nil {
			bad = err
		}
	}
	if !last && len(c.out.buf) < flushAt {
		return bad
	}
	if err := c.flush(); err != nil {
		return err
	}
	return bad
}

// flush sends what has been collected. c.out.mu is held.
func (c *conn) flush() error {
	if c.life.Err() != nil {
		return context.Cause(c.life)
	}
	err := c.nc.SetWriteDeadline(time.Now().Add(writeWait))
	if err == nil {
		_, err = c.nc.Write(c.out.buf)
	}
	c.out.buf = c.out.buf[:0]
	if cap(c.out.buf) > 4*flushAt {
		c.out.buf = nil
	}
	if err != nil {
		c.end(err)
		return context.Cause(c.life)
	}
	return nil
}

// notTaken says that the broker refuses a message, and why.
type notTaken struct{ codec.Reason }

// Unwrap returns the reason.
func (n notTaken) Unwrap() error { return n.Reason }

// publish sends a message. If its QoS is 1 it waits until the broker has taken
// it; a refusal is a notTaken. If ctx or the connection end before, the broker
// may have it or not.
func (c *conn) publish(ctx context.Context, m mqttapi.Message) error {
	p := codec.Publish{Message: codec.Message{Topic: []byte(m.Topic), Payload: m.Payload}}
	if c.told.MaximumPacketSize > 0 && p.Size(codec.V5)+2 > int(c.told.MaximumPacketSize) {
		return notTaken{codec.PacketTooLarge}
	}
	if m.QoS == 0 || c.told.HasMaximumQoS && c.told.MaximumQoS == codec.QoS0 {
		return c.write(&p)
	}
	select {
	case c.quota <- struct{}{}:
	case <-c.life.Done():
		return context.Cause(c.life)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	answer := make(chan []codec.Reason, 1)
	p.QoS, p.PacketID = codec.QoS1, c.expect(pending{answer, true})
	if err := c.write(&p); err != nil {
		return err
	}
	reasons, err := c.await(ctx, answer)
	if err != nil {
		return err
	}
	if len(reasons) != 1 {
		return errAnswer
	}
	if reasons[0].Failed() {
		return notTaken{reasons[0]}
	}
	return nil
}

// acknowledge tells the broker that requests have been served, in their order.
func (c *conn) acknowledge(ids []uint16) error {
	acks := make([]codec.Puback, len(ids))
	packets := make([]codec.Packet, len(ids))
	for i, id := range ids {
		acks[i].PacketID = id
		packets[i] = &acks[i]
	}
	return c.write(packets...)
}
