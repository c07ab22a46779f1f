package bridge

import (
	"context"
	"time"
)

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
