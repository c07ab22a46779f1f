package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Mode is how nodes share the requests of devices.
type Mode uint8

// The modes.
const (
	// Auto is Single for a node that is alone. Otherwise it is Shared if the broker
	// delivers messages of reserved topics to a shared subscription, which a test
	// finds out when it is connected for the first time, and else Single.
	Auto Mode = iota
	// Shared is a shared subscription of all nodes: each request goes to one of
	// them. Requests of a thing may go to different nodes. The session ends with
	// the connection, so that the broker gives what is left to other nodes.
	Shared
	// Single is a subscription of the active node alone. The session outlives the
	// connection, and whichever node becomes active goes on with it, so that
	// requests wait for it.
	Single
)

// String returns auto, shared or single.
func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Shared:
		return "shared"
	case Single:
		return "single"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the mode that String calls s.
func ParseMode(s string) (Mode, error) {
	for _, m := range []Mode{Auto, Shared, Single} {
		if m.String() == s {
			return m, nil
		}
	}
	return Auto, errors.New("must be auto, shared or single")
}

const (
	// group is the name of the shared subscription of all nodes, and begins their
	// client ids.
	group = "muster"
	// sessionKeep is how long the broker keeps the requests for the next active
	// node. What is older is of no use: the device has asked again.
	sessionKeep = 2 * time.Minute
	// leaveWait bounds the wait for requests under way when a node is no longer the
	// active one. The next may be there already.
	leaveWait = time.Second
)

// receive takes requests, in the mode that is configured or found out, until ctx
// ends.
func (b *Bridge) receive(ctx context.Context) {
	var test sync.WaitGroup
	defer test.Wait()
	mode, why := b.cfg.Mode, "it is configured"
	switch {
	case mode != Auto:
	case b.cfg.Active == nil:
		mode, why = Single, "this node is alone"
		test.Go(func() { b.test(ctx) }) // for what it logs
	default:
		mode, why = b.test(ctx).mode()
	}
	if ctx.Err() != nil {
		return
	}
	b.metrics.mode.WithLabelValues(mode.String()).Set(1)
	b.log.Info("mqtt bridge mode", "mode", mode, "because", why)
	for n := 1; ctx.Err() == nil; n++ {
		lost, err := b.active(ctx, mode)
		if err != nil {
			if ctx.Err() == nil {
				b.log.Error("mqtt bridge cannot become active", "err", err)
			}
			pause(ctx, b.in.backoff(n))
			continue
		}
		n = 0
		b.while(ctx, mode, lost)
	}
}

// while takes requests until the node is no longer active.
func (b *Bridge) while(ctx context.Context, mode Mode, lost <-chan struct{}) {
	b.metrics.active.Set(1)
	defer b.metrics.active.Set(0)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-lost:
			b.log.Warn("mqtt bridge is no longer active")
			cancel()
		case <-ctx.Done():
		}
	}()
	b.in.run(ctx, func(ctx context.Context) (*conn, error) { return b.dialIn(ctx, mode) },
		func(c *conn) { b.leave(c, mode) })
}

// active waits until this node may receive requests.
func (b *Bridge) active(ctx context.Context, mode Mode) (<-chan struct{}, error) {
	if mode == Shared || b.cfg.Active == nil {
		return nil, nil //nolint:nilnil // a nil channel is never closed: nothing is lost
	}
	b.log.Info("mqtt bridge waits to become active")
	return b.cfg.Active(ctx)
}

// mode returns the mode for a broker, and why.
func (v verdict) mode() (Mode, string) {
	switch v {
	case isShared:
		return Shared, "the broker delivers reserved topics to shared subscriptions"
	case isNotShared:
		return Single, "the broker does not deliver reserved topics to shared subscriptions"
	case unsure:
	}
	return Single, "the test for shared subscriptions got nothing back"
}

// dial connects as one of the clients of this node.
func (b *Bridge) dial(ctx context.Context, name string, tune func(*dialing)) (*conn, error) {
	d := b.dialing
	d.id = group + "-" + name
	var err error
	d.user, d.password, err = b.cfg.Login()
	if err != nil {
		return nil, err
	}
	tune(&d)
	return connect(ctx, d)
}

// dialOut connects to publish.
func (b *Bridge) dialOut(ctx context.Context) (*conn, error) {
	c, err := b.dial(ctx, "publish-"+b.cfg.Node, func(*dialing) {})
	if err != nil {
		return nil, err
	}
	c.start()
	return c, nil
}

// dialIn connects to receive requests. In mode Single all nodes have the same
// client id: who comes goes on with the session, and the broker sends away who
// was there.
func (b *Bridge) dialIn(ctx context.Context, mode Mode) (*conn, error) {
	name := "requests"
	if mode == Shared {
		name += "-" + b.cfg.Node
	}
	c, err := b.dial(ctx, name, func(d *dialing) {
		d.receive, d.ping = b.received, b.ledger.ping
		if mode == Single {
			d.expiry = sessionKeep
		}
	})
	if err != nil {
		return nil, err
	}
	b.ledger.open(c, c.told.SessionPresent)
	c.start()
	if err := c.subscribe(ctx, filters(mode)); err != nil {
		c.close()
		<-c.finished
		return nil, err
	}
	return c, nil
}

// leave ends the connection that receives requests, after those that have come
// have been served, if that does not take long.
func (b *Bridge) leave(c *conn, mode Mode) {
	defer c.close()
	ctx := b.work
	select {
	case <-b.closing:
	default:
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, leaveWait)
		defer cancel()
	}
	if mode == Shared {
		// Those that are on their way here are served, not given to others.
		bye, cancel := context.WithTimeout(ctx, leaveWait)
		defer cancel()
		_ = c.unsubscribe(bye, filters(mode)) // if it fails, the end of the session does the same
	}
	c.quiet.Store(true)
	_ = b.pool.idle(ctx) // what is left comes again, to whoever is active
}
