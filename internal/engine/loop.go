package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"muster/internal/apierr"
)

// chunk bounds what one transaction of a loop touches, so that devices wait no
// longer than a few milliseconds for the writer.
const chunk = 500

// Loop is background work in a form that any clock can drive.
type Loop struct {
	// Name is for logs and metrics.
	Name string
	// Next returns when Once has something to do: at or before the present if
	// it has now, the zero time if nothing is known.
	Next func(ctx context.Context) (time.Time, error)
	// Once does a bounded part of what is due at now and returns how much it did.
	// It may be run again after a crash at any point and repeats nothing.
	Once func(ctx context.Context, now time.Time) (int, error)
}

// Loops returns the engine's loops, in the order in which Settle runs them. The
// outbox is the last.
func (e *Engine) Loops() []Loop {
	return []Loop{
		{"look", e.lookNext, e.lookOnce},
		{"timer", e.timerNext, e.timerOnce},
		{"membership", e.flagged(Membership), e.membershipOnce},
		{"rollout", e.flagged(Progress), e.workOnce},
		{"completion", e.flagged(Completion), e.completionOnce},
		{"outbox", e.outboxNext, e.outboxOnce},
	}
}

func (e *Engine) flagged(task Tasks) func(context.Context) (time.Time, error) {
	return func(context.Context) (time.Time, error) {
		if e.flags.up(task) {
			return e.clock.Now(), nil
		}
		return time.Time{}, nil
	}
}

// Pauses of Run, in wall-clock time.
const (
	breath   = 2 * time.Millisecond   // after a pass that found nothing: bounds how often a busy server asks in vain
	backoff0 = 100 * time.Millisecond // after a failure, doubled up to backoffMax
	backoff1 = 5 * time.Second
)

// Run drives the engine's loops, and more if given, until ctx ends, and returns nil
// then. The outbox, which may have to wait for devices and other nodes, runs by
// itself; the others run one after another in due order. A loop that fails is
// tried again with growing pauses; the others go on.
func (e *Engine) Run(ctx context.Context, more ...Loop) error {
	all := e.Loops()
	work, last := all[:len(all)-1], all[len(all)-1]
	var wg sync.WaitGroup
	wg.Go(func() { e.drive(ctx, e.wakeOutbox, []Loop{last}) })
	e.drive(ctx, e.wake, slices.Concat(work, more))
	wg.Wait()
	return nil
}

// drive runs loops until ctx ends. wake receives when there may be something to do.
func (e *Engine) drive(ctx context.Context, wake <-chan struct{}, loops []Loop) {
	d := newDriver(e, loops)
	for {
		n, next := d.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if n > 0 {
			continue
		}
		err := wait(ctx, wall, wall().Add(breath), nil)
		if err == nil {
			err = e.clock.Wait(ctx, next, wake)
		}
		if err != nil {
			return
		}
	}
}

// Settle runs the engine's loops, and more if given, until nothing is due at the
// engine clock's present. It is how tests and a clock that stands still reach quiet.
func (e *Engine) Settle(ctx context.Context, more ...Loop) error {
	loops := append(e.Loops(), more...)
	for {
		done := 0
		for _, l := range loops {
			at, err := l.Next(ctx)
			if err != nil {
				return err
			}
			now := e.clock.Now()
			if at.IsZero() || at.After(now) {
				continue
			}
			n, err := l.Once(ctx, now)
			if err != nil {
				return err
			}
			done += n
		}
		if done == 0 {
			return nil
		}
	}
}

// passing reports whether a failure has nothing to do with what was tried: the
// store is down, another node has taken the part, or nobody waits any more.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || apierr.Is(err, apierr.Unavailable) || apierr.Is(err, apierr.Conflict)
}

// driver runs loops and remembers which have failed.
type driver struct {
	e     *Engine
	loops []Loop
	retry []time.Time     // wall clock: not before
	pause []time.Duration // the last pause; 0 after success
}

func newDriver(e *Engine, loops []Loop) *driver {
	return &driver{e, loops, make([]time.Time, len(loops)), make([]time.Duration, len(loops))}
}

// pass runs every due loop once, and returns how much was done and when the
// next is due.
func (d *driver) pass(ctx context.Context) (int, time.Time) {
	var done int
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for i, l := range d.loops {
		if left := d.retry[i].Sub(wall()); left > 0 {
			sooner(d.e.clock.Now().Add(left))
			continue
		}
		at, err := l.Next(ctx)
		now := d.e.clock.Now()
		if err == nil && !at.IsZero() && !at.After(now) {
			var n int
			n, err = l.Once(ctx, now)
			done += n
			if err == nil {
				at, err = l.Next(ctx)
			}
		}
		sooner(d.note(ctx, i, at, err))
	}
	return done, next
}

// note records the outcome of a loop and returns when it wants to run again.
func (d *driver) note(ctx context.Context, i int, at time.Time, err error) time.Time {
	if err == nil {
		d.pause[i] = 0
		return at
	}
	if ctx.Err() != nil {
		return time.Time{}
	}
	d.pause[i] = min(max(2*d.pause[i], backoff0), backoff1)
	d.retry[i] = wall().Add(d.pause[i])
	d.e.stats[statLoopFailures].Add(1)
	e, ok := errors.AsType[*apierr.Error](err)
	switch {
	case ok && e.Kind == apierr.Conflict: // another node has taken the part over
		d.e.log.Info("part lost", "loop", d.loops[i].Name, "err", err)
	case !ok || e.Kind != apierr.Unavailable || d.pause[i] == backoff0:
		d.e.log.Error("loop failed", "loop", d.loops[i].Name, "err", err, "again", d.pause[i])
	}
	return d.e.clock.Now().Add(d.pause[i])
}
