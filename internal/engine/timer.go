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
	return timeOf(e.timers.next(e.parts())), nil
}

// timeOf returns a time of milliseconds since the epoch; 0 is never.
func timeOf(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(at)
}

// timerOnce times out what is overdue [jobs-configurations, timeouts]. Stored
// deadlines are lower bounds: the rules look again, and what fired early is armed
// anew. After a restart the first run fires everything overdue.
func (e *Engine) timerOnce(ctx context.Context, now time.Time) (int, error) {
	var done int
	var errs []error
	// The alarm goes off before the reading: deadlines set meanwhile turn it on again.
	for _, p := range e.timers.take(e.parts(), now.UnixMilli()) {
		n, err := e.timerPart(ctx, p, now.UnixMilli())
		done += n
		if err == nil {
			err = e.store.View(ctx, func(r store.Reader) error {
				at, err := r.NextDue(p.Part)
				if at != 0 {
					e.timers.earlier(p.Part, at)
				}
				return err
			})
		}
		if err != nil {
			e.timers.earlier(p.Part, now.UnixMilli())
			errs = append(errs, err)
		}
	}
	return done, errors.Join(errs...)
}

func (e *Engine) timerPart(ctx context.Context, p Part, now int64) (int, error) {
	due, err := e.anyDue(ctx, p.Part, now)
	if err != nil || !due {
		return 0, err
	}
	done, err := e.timeOut(ctx, p, now, func(r store.Reader) ([]job.Ref, error) { return r.Due(p.Part, now, chunk) })
	if err == nil || passing(ctx, err) {
		return done, err
	}
	// One of them cannot be dealt with. It must not keep the others from their end.
	var refs []job.Ref
	failed := e.store.View(ctx, func(r store.Reader) error {
		var err error
		refs, err = r.Due(p.Part, now, chunk)
		return err
	})
	if failed != nil {
		return 0, failed
	}
	var faults []error
	for _, ref := range refs {
		n, err := e.timeOut(ctx, p, now, func(store.Reader) ([]job.Ref, error) { return []job.Ref{ref}, nil })
		done += n
		if err != nil {
			faults = append(faults, fmt.Errorf("timer of thing %s: %w", ref.Thing, err))
		}
	}
	return done, errors.Join(faults...)
}

// timeOut settles the queues that due names, in one transaction, and returns how many.
func (e *Engine) timeOut(ctx context.Context, p Part, now int64, due func(store.Reader) ([]job.Ref, error)) (int, error) {
	var done int
	var seen effects
	err := e.store.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
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
	e.react(seen, p.Part)
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
