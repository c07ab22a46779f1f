package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"muster/internal/auth/sigv4"
)

const (
	region       = "us-east-1"
	deviceScope  = "iot-jobs-data"
	controlScope = "iot"
	patience     = 20 * time.Second // with one answer
)

// target is a server to send requests to.
type target struct {
	address string // host:port
	key     sigv4.Credentials
	signer  *sigv4.Signer // shared, because it remembers derived keys
}

// connection sends signed HTTP/1.1 requests over one kept-alive connection, one
// at a time. It knows only as much of HTTP as the servers here speak, so that
// little of the shared CPU goes into it.
type connection struct {
	to   target
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	req  *http.Request // what is signed, used again
}

func dial(ctx context.Context, to target) (*connection, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.address)
	if err != nil {
		return nil, err
	}
	c := newConnection(to)
	c.conn, c.in = conn, bufio.NewReader(conn)
	return c, nil
}

// newConnection returns one that is not connected: it can only sign.
func newConnection(to target) *connection {
	return &connection{
		to:  to,
		req: &http.Request{Host: to.address, URL: &url.URL{}, Header: http.Header{"Content-Type": {"application/json"}}},
	}
}

func (c *connection) Close() error { return c.conn.Close() }

// send signs and sends a request and waits for its answer. An answer other than
// 200 is an error with the beginning of its body.
func (c *connection) send(method, path, service string, body []byte) error {
	err := c.sign(method, path, service, body)
	if err != nil {
		return err
	}
	if err = c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err = c.conn.Write(c.out); err != nil {
		return err
	}
	return readAnswer(c.in)
}

// sign leaves the request as it goes over the wire in c.out.
func (c *connection) sign(method, path, service string, body []byte) error {
	c.req.Method, c.req.URL.Path = method, path
	if err := c.to.signer.Sign(c.req, body, c.to.key, region, service, time.Now()); err != nil {
		return err
	}
	b := append(c.out[:0], method...)
	b = append(append(append(b, ' '), path...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, c.to.address...), "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	for name, values := range c.req.Header {
		b = append(append(append(b, "\r\n"...), name...), ": "...)
		b = append(b, values[0]...)
	}
	c.out = append(append(b, "\r\n\r\n"...), body...)
	return nil
}

// update reports progress i of a thing's execution of the live job.
func (c *connection) update(path, body []byte) error {
	return c.send(http.MethodPost, string(path), deviceScope, body)
}

// appendUpdatePath appends the path of the update of a thing's execution.
func appendUpdatePath(b []byte, thing int) []byte {
	b = appendThing(append(b, "/things/"...), thing)
	return append(b, "/jobs/"+liveJob...)
}

// appendUpdateBody appends what a device reports as its progress; see details.
func appendUpdateBody(b []byte, i int) []byte {
	b = append(b, `{"status":"IN_PROGRESS","statusDetails":{"progress":"`...)
	b = strconv.AppendInt(b, int64(10+i%90), 10)
	return append(b, `","step":"download"}}`...)
}

// readAnswer reads one answer with a Content-Length.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok := bytes.HasPrefix(line, []byte("HTTP/1.1 200 "))
	status := ""
	if !ok {
		status = string(bytes.TrimSpace(line))
	}
	length := -1
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer has no Content-Length")
	}
	if ok {
		_, err = r.Discard(length)
		return err
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(length)))
	return errors.Join(fmt.Errorf("%s: %s", status, body), err)
}
