package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	b.mode.Store(uint32(mode))
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
