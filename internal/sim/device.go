package sim

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
)

// Config says who a device is and what it does. Client, Thing and Script are required.
type Config struct {
	// Client carries the requests. Devices may share one.
	Client *client.Client
	// Thing is the name of the device's thing.
	Thing string
	// Script says what the device does with an execution.
	Script Script
	// PollMin and PollMax bound the pause between two questions for work: it
	// starts at PollMin and doubles while there is none. 0 means 200 ms and 5 s.
	PollMin, PollMax time.Duration
	// Finished, if not nil, is told of each execution for which the server has
	// taken a last status. It must not block.
	Finished func(jobID, status string)
	// Log is told of requests that failed; nil discards.
	Log *slog.Logger
}

// Device is one simulated device.
type Device struct {
	cfg Config
	log *slog.Logger
}

// New returns a device, which does nothing until Run. It fails if something
// that is required is missing.
func New(c Config) (*Device, error) {
	if c.Client == nil || c.Thing == "" || c.Script == nil {
		return nil, errors.New("sim: a device needs a client, a thing and a script")
	}
	c.PollMin = cmp.Or(c.PollMin, 200*time.Millisecond)
	c.PollMax = max(cmp.Or(c.PollMax, 5*time.Second), c.PollMin)
	return &Device{cfg: c, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("thing", c.Thing)}, nil
}

// run asks for work and does it until ctx ends. A request that fails is no
// reason to stop: the device asks again later what there is to do, as one does
// that was switched off.
func (d *Device) run(ctx context.Context, slots chan struct{}) {
	pause := d.cfg.PollMin
	for ctx.Err() == nil {
		x, err := d.startNext(ctx, slots)
		if err == nil && x != nil {
			err = d.work(ctx, slots, x)
			if err == nil {
				pause = d.cfg.PollMin
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("device request failed", "err", err)
		}
		if wait(ctx, pause/2+rand.N(pause/2+1)) != nil { // the random half spreads a fleet
			return
		}
		pause = min(2*pause, d.cfg.PollMax)
	}
}

// startNext starts the next execution, or finds the one in progress. It returns nil if there is none.
func (d *Device) startNext(ctx context.Context, slots chan struct{}) (*wire.DeviceJobExecution, error) {
	var out *wire.StartNextPendingJobExecutionResponse
	err := within(ctx, slots, func() (err error) {
		out, err = d.cfg.Client.StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{ThingName: d.cfg.Thing})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out.Execution, nil
}

// work does the steps of the script. It ends early, with an error, when the
// server refuses a report: the execution was canceled, timed out or deleted.
func (d *Device) work(ctx context.Context, slots chan struct{}, x *wire.DeviceJobExecution) error {
	version := x.VersionNumber
	for _, s := range d.cfg.Script(x) {
		if err := wait(ctx, s.Wait); err != nil {
			return err
		}
		err := within(ctx, slots, func() error {
			_, err := d.cfg.Client.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{
				ThingName: d.cfg.Thing, JobID: x.JobID, Status: s.Status, StatusDetails: s.Details, ExpectedVersion: &version,
			})
			return err
		})
		if err != nil {
			return err
		}
		version++
		if s.Status != InProgress {
			if d.cfg.Finished != nil {
				d.cfg.Finished(x.JobID, s.Status)
			}
			return nil
		}
	}
	return errUnfinished
}

// errUnfinished makes a device pause before it asks for the same execution again.
var errUnfinished = errors.New("sim: the script has left the execution in progress")

// within runs fn when a slot is free. nil slots are always free.
func within(ctx context.Context, slots chan struct{}, fn func() error) error {
	if slots == nil {
		return fn()
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns nil after d, or why ctx ended before.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
