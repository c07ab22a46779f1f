package engine

import (
	"context"
	"time"
)

// Clock is the engine clock: time for timers, rates and timestamps of jobs, as
// opposed to the wall clock of signatures and logs.
type Clock struct {
	// Now returns the present.
	Now func() time.Time
	// Wait returns when until is reached (the zero time: never), when wake
	// receives, or with ctx's error when ctx ends.
	Wait func(ctx context.Context, until time.Time, wake <-chan struct{}) error
}

// WallClock returns the clock of the machine.
func WallClock() Clock { return ClockOf(time.Now) }

// ClockOf returns a clock that shows what now returns and goes on by itself.
func ClockOf(now func() time.Time) Clock {
	return Clock{Now: now, Wait: func(ctx context.Context, until time.Time, wake <-chan struct{}) error {
		return wait(ctx, now, until, wake)
	}}
}

// lookAgain bounds how late a Wait notices that its clock has jumped: timers go
// on as if nothing had happened when a clock is set, and stand still while the
// machine sleeps.
const lookAgain = 10 * time.Second

func wait(ctx context.Context, now func() time.Time, until time.Time, wake <-chan struct{}) error {
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for {
		fire := timer.C
		if until.IsZero() {
			fire = nil
		} else {
			timer.Reset(min(until.Sub(now()), lookAgain))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
			return nil
		case <-fire:
			if !now().Before(until) {
				return nil
			}
		}
	}
}

// wall returns the time of the machine, for pauses and backoff, which are no
// business of the engine clock.
func wall() time.Time { return time.Now() }
