package main

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// listen opens the TCP address that a flag names. Its errors say what to do.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, errAddressInUse):
		return nil, fmt.Errorf("%s is in use by another program; stop that one, "+
			"or listen elsewhere: %s 127.0.0.1:0 takes any free port", address, flag)
	case errors.Is(err, errAddressDenied):
		return nil, fmt.Errorf("this user may not listen on %s (ports below 1024 are often reserved); "+
			"choose another port with %s", address, flag)
	case errors.Is(err, errAddressUnknown):
		return nil, fmt.Errorf("%s is not an address of this machine; choose one with %s", address, flag)
	}
	return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
}
