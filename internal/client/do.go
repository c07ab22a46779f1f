package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"muster/internal/wire"
)

// maxAnswer is the most bytes that are read of an answer. A page of the longest
// list is far below it.
const maxAnswer = 16 << 20

// Do sends a request signed for service and decodes the answer into out, which
// may be nil. The path is escaped and starts with a slash; in, if not nil, is
// sent as JSON.
//
// A request that was throttled is sent again whatever it is, because nothing
// has happened. One that got no answer or a 5xx is sent again if its method is
// idempotent (GET, HEAD, PUT, DELETE): the state afterwards is the same, but a
// create or delete that had succeeded the first time is told so by
// ResourceAlreadyExistsException or ResourceNotFoundException. Between attempts
// it waits, longer each time, unless ctx ends.
//
// An answer that is not a success is an *Error. Any other error means that no
// answer was understood.
func (c *Client) Do(ctx context.Context, service, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = wire.Encode(in); err != nil {
			return fmt.Errorf("client: encode request: %w", err)
		}
	}
	target := c.endpoint + path
	if len(query) > 0 {
		// Form encoding writes a space as a plus, which signatures do not know.
		target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	answer, err := c.retry(ctx, method, func(ctx context.Context) ([]byte, error) {
		return c.send(ctx, service, method, target, body)
	})
	if err != nil {
		return err
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("client: answer of %s %s: %w", method, path, err)
	}
	return nil
}

// send makes one attempt and returns the body of a success.
func (c *Client) send(ctx context.Context, service, method, target string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, permanent{err}
	}
	req.Header.Set("User-Agent", "muster")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := c.signer.Sign(req, body, c.credentials, c.region, service, c.now()); err != nil {
		return nil, permanent{err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("client: read answer of %s: %w", method, err)
	}
	if len(answer) > maxAnswer {
		return nil, permanent{fmt.Errorf("client: answer of %s has more than %d bytes", method, maxAnswer)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, newError(resp, answer)
	}
	return answer, nil
}
