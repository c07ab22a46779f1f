package bridge

import (
	"context"

	"muster/internal/mqtt/codec"
)

// subscribe asks for messages and returns an error unless all is granted, with
// the reason of the first that is not.
func (c *conn) subscribe(ctx context.Context, filters []string) error {
	s := codec.Subscribe{}
	for _, f := range filters {
		// What was retained was asked long ago, or answered already.
		s.Filters = append(s.Filters, codec.Subscription{Filter: []byte(f), QoS: codec.QoS1, RetainHandling: codec.RetainSendNever})
	}
	reasons, err := c.ask(ctx, func(id uint16) codec.Packet { s.PacketID = id; return &s })
	if err != nil {
		return err
	}
	if len(reasons) != len(filters) {
		return errAnswer
	}
	for i, r := range reasons {
		if r.Failed() {
			return refusal("subscription to "+filters[i], r, nil)
		}
	}
	return nil
}

// unsubscribe takes subscriptions back.
func (c *conn) unsubscribe(ctx context.Context, filters []string) error {
	u := codec.Unsubscribe{}
	for _, f := range filters {
		u.Filters = append(u.Filters, []byte(f))
	}
	_, err := c.ask(ctx, func(id uint16) codec.Packet { u.PacketID = id; return &u })
	return err
}

// ask sends a packet and returns what the broker answers.
func (c *conn) ask(ctx context.Context, packet func(id uint16) codec.Packet) ([]codec.Reason, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	answer := make(chan []codec.Reason, 1)
	if err := c.write(packet(c.expect(pending{answer: answer}))); err != nil {
		return nil, err
	}
	return c.await(ctx, answer)
}

// expect returns a free packet id under which an answer is waited for.
func (c *conn) expect(p pending) uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for { // there is a free one: the quota is far below the number of ids
		c.lastID++
		_, taken := c.pending[c.lastID]
		if c.lastID != 0 && !taken {
			c.pending[c.lastID] = p
			return c.lastID
		}
	}
}

// answered hands an answer to whoever waits for it.
func (c *conn) answered(id uint16, reasons ...codec.Reason) {
	c.mu.Lock()
	p, ok := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if !ok {
		return
	}
	p.answer <- reasons
	if p.quota {
		<-c.quota
	}
}

// await waits for an answer.
func (c *conn) await(ctx context.Context, answer <-chan []codec.Reason) ([]codec.Reason, error) {
	select {
	case r := <-answer:
		return r, nil
	case <-c.life.Done():
		return nil, context.Cause(c.life)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
