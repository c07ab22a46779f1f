package bridge

import (
	"context"
	"net"
)

// Over makes a bridge connect by dial. It must be called before Serve.
func (b *Bridge) Over(dial func(context.Context) (net.Conn, error)) { b.dialing.network = dial }

// Ready reports whether there is a connection to publish over.
func (b *Bridge) Ready() bool { return b.out.get() != nil }
