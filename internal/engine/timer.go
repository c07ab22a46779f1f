package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/job"
	"muster/internal/store"
)

func (e *Engine) timerNext(context.Context) (time.Time, error) {
	at := e.timers.get()
	if at == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(at), nil
}

// timerOnce times out what is overdue [jobs-configurations, timeouts]. Stored
// deadlines are lower bounds: the rules look again, and what fired early is armed
// anew. After a restart the first run fires everything overdue.
func (e *Engine) timerOnce(ctx context.Context, now time.Time) (int, error) {
	e.timers.set(0) // before reading: deadlines set meanwhile come through earlier
	var done int
	for part := range e.store.Parts() {
		n, err := e.timerPart(ctx, part, now.UnixMilli())
		if err != nil {
			e.timers.earlier(now.UnixMilli())
			return done, err
		}
		done += n
		err = e.store.View(ctx, func(r store.Reader) error {
			at, err := r.NextDue(part)
			if at != 0 {
				e.timers.earlier(at)
			}
			return err
		})
		if err != nil {
			e.timers.earlier(now.UnixMilli())
			return done, err
		}
	}
	return done, nil
}

func (e *Engine) timerPart(ctx context.Context, part int, now int64) (int, error) {
	due, err := e.anyDue(ctx, part, now)
	if err != nil || !due {
		return 0, err
	}
	done, err := e.timeOut(ctx, part, now, func(r store.Reader) ([]job.Ref, error) { return r.Due(part, now, chunk) })
	if err == nil || passing(ctx, err) {
		return done, err
	}
	// One of them cannot be dealt with. It must not keep the others from their end.
	var refs []job.Ref
	failed := e.store.View(ctx, func(r store.Reader) error {
		var err error
		refs, err = r.Due(part, now, chunk)
		return err
	})
	if failed != nil {
		return 0, failed
	}
	var faults []error
	for _, ref := range refs {
		n, err := e.timeOut(ctx, part, now, func(store.Reader) ([]job.Ref, error) { return []job.Ref{ref}, nil })
		done += n
		if err != nil {
			faults = append(faults, fmt.Errorf("timer of thing %s: %w", ref.Thing, err))
		}
	}
	return done, errors.Join(faults...)
}

// timeOut settles the queues that due names, in one transaction, and returns how many.
func (e *Engine) timeOut(ctx context.Context, part int, now int64, due func(store.Reader) ([]job.Ref, error)) (int, error) {
	var done int
	var seen effects
	err := e.store.UpdatePart(ctx, part, 0, func(tx store.Tx) error {
		done, seen = 0, effects{}
		refs, err := due(tx)
		if err != nil {
			return err
		}
		err = e.queues(tx, refs, &seen, func(q *job.Queue) { q.Settle(now) })
		if err != nil {
			return err
		}
		done = len(refs)
		return tx.Rearm(refs)
	})
	if err != nil {
		return 0, err
	}
	e.react(seen)
	return done, nil
}

// anyDue looks before a transaction is opened for nothing.
func (e *Engine) anyDue(ctx context.Context, part int, now int64) (bool, error) {
	var at int64
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		at, err = r.NextDue(part)
		return err
	})
	return at != 0 && at <= now, err
}
