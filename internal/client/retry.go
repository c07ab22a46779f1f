package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// permanent is an error that another attempt would meet again.
type permanent struct{ error }

// Unwrap returns the error itself.
func (p permanent) Unwrap() error { return p.error }

// retry calls send until it succeeds, fails for good, or ctx ends.
func (c *Client) retry(ctx context.Context, method string, send func(context.Context) ([]byte, error)) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err := send(ctx)
		if err == nil || attempt == c.attempts || ctx.Err() != nil || !again(method, err) {
			return answer, err
		}
		if ended := wait(ctx, backoff(attempt)); ended != nil {
			return nil, fmt.Errorf("%w; last attempt: %w", ended, err)
		}
	}
}

// again reports whether a request that ended with err is worth another attempt,
// and does no harm.
func again(method string, err error) bool {
	if _, ok := errors.AsType[permanent](err); ok {
		return false
	}
	e, answered := errors.AsType[*Error](err)
	if answered && e.throttled() {
		return true
	}
	if answered && (e.Status < 500 || e.Status == http.StatusNotImplemented) {
		return false
	}
	return isIdempotent(method)
}

// isIdempotent follows RFC 9110, section 9.2.2.
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	default:
		return false
	}
}

// backoff returns how long to wait after the given attempt, counted from 1. The
// random half keeps a fleet that was refused together from coming back together.
func backoff(attempt int) time.Duration {
	d := maxBackoff
	if attempt < 10 {
		d = min(d, firstBackoff<<(attempt-1))
	}
	return d/2 + rand.N(d/2)
}

// wait returns nil after d, or why ctx ended before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
