package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
)

// acceptChild accepts connections, with a handshake or without, and reads from
// each on a goroutine of its own: what a server with blocking reads cannot do
// without.
func acceptChild(ctx context.Context, o childOptions) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var secure *tls.Config
	if o.TLS != "" {
		if secure, _, err = serverTLS(o.TLS); err != nil {
			return err
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go hold(conn, secure)
		}
	}()
	fmt.Println(l.Addr())
	return errors.Join(answerUntilEOF(os.Stdin, os.Stdout), l.Close())
}

// hold says one byte, so that the other side knows that it is welcome, and waits
// for its end.
func hold(conn net.Conn, secure *tls.Config) {
	if secure != nil {
		conn = tls.Server(conn, secure)
	}
	defer func() { _ = conn.Close() }() // nothing can follow from the error
	b := make([]byte, 1)
	for _, err := conn.Write(b); err == nil; {
		_, err = conn.Read(b)
	}
}
