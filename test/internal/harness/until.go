package harness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// final is an error after which nothing is tried again.
type final struct{ error }

// Unwrap returns the error itself.
func (f final) Unwrap() error { return f.error }

// Final makes [Until] return err at once.
func Final(err error) error { return final{err} }

// Until calls check until it returns nil, now and then every so often, and
// returns nil. When ctx ends it returns what check has said last.
func Until(ctx context.Context, every time.Duration, check func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	start := time.Now()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // what is said because ctx has ended tells less
			last = err
		}
		if f, ok := errors.AsType[final](last); ok {
			return f.error
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", time.Since(start).Round(time.Millisecond), last)
		}
	}
}
