package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
)

// Exit codes of muster jobs watch, beside 0 (all succeeded) and exitFailure.
const (
	exitFailures = 2 // some executions failed, were rejected, timed out or were removed
	exitCanceled = 3 // the job, or some of its executions, was canceled, or the job deleted
	exitTimeout  = 4 // not over within --timeout
)

// watchFlags say how a job is followed.
type watchFlags struct {
	Timeout  time.Duration `help:"Give up after this time, such as 10m (exit code 4); else wait as long as it takes." placeholder:"DURATION"`
	Interval time.Duration `default:"500ms" help:"How often to look."`
}

type jobsWatchCmd struct {
	remote
	ID string `arg:"" help:"The job's id."`
	watchFlags
}

// Help describes the command beyond its flags.
func (jobsWatchCmd) Help() string {
	return `A SNAPSHOT job is over when all its executions are; a CONTINUOUS one, which goes on, when none is left to do for now.

Exit codes: 0 all executions succeeded; 1 the command itself failed; 2 some executions failed, were rejected, ` +
		`timed out or were removed; 3 the job was canceled or deleted, or executions were canceled; 4 not over within --timeout.`
}

// Run follows a job.
func (c jobsWatchCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	return c.watch(ctx, sys, api, c.ID, c.outputFlags)
}

// watch follows a job until it is over and returns what its end means.
func (f watchFlags) watch(ctx context.Context, sys system, api *client.Client, id string, out outputFlags) error {
	if f.Interval <= 0 {
		return errors.New("--interval must be more than 0")
	}
	limit := ctx
	if f.Timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, f.Timeout)
		defer cancel()
	}
	w := watcher{api: api, id: id, screen: newTerminal(sys.stderr, sys.getenv), start: time.Now()}
	over, err := w.follow(limit, f.Interval)
	if limit.Err() != nil && ctx.Err() == nil {
		return &exitError{exitTimeout, fmt.Sprintf("job %s is not over after %s: %s", id, f.Timeout, tally(w.job.JobProcessDetails))}
	}
	if err != nil {
		return err
	}
	if w.job.JobID == "" { // deleted
		return out.verdict(sys, wire.Job{JobID: id, Status: "DELETED"}, over)
	}
	return out.verdict(sys, w.job, over)
}

// verdict prints how a job has ended and returns the exit code.
func (f outputFlags) verdict(sys system, j wire.Job, code int) error {
	if err := f.done(sys, wire.DescribeJobResponse{Job: j}, "job %s is %s: %s", j.JobID, j.Status, tally(j.JobProcessDetails)); err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// watcher shows how far a job is.
type watcher struct {
	api    *client.Client
	id     string
	screen *terminal
	start  time.Time
	job    wire.Job // as last seen; the zero value: gone
}

// follow looks at the job again and again until it is over, and returns the exit code.
func (w *watcher) follow(ctx context.Context, every time.Duration) (int, error) {
	var answered time.Time // the last time; zero: never
	for {
		out, err := w.api.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: w.id})
		switch {
		case err == nil:
			answered, w.job = time.Now(), out.Job
			w.screen.progress(w.id, tally(w.job.JobProcessDetails), w.start)
			if code, over := outcome(out.Job); over {
				return code, nil
			}
		case !answered.IsZero() && client.Code(err) == "ResourceNotFoundException":
			w.job = wire.Job{}
			return exitCanceled, nil
		case time.Since(answered) > watchPatience || !passing(err):
			return 0, err
		}
		if err := wait(ctx, every); err != nil {
			return 0, err
		}
	}
}

// watchPatience is how long a server that has answered before may be away, to be
// started anew for example, before following its job is given up.
const watchPatience = 30 * time.Second

// passing reports whether a request that failed may do better later.
func passing(err error) bool {
	e, answered := errors.AsType[*client.Error](err)
	return !answered || e.Status >= http.StatusInternalServerError
}

// outcome returns what the state of a job means, and whether it is over.
func outcome(j wire.Job) (code int, over bool) {
	t := tally(j.JobProcessDetails)
	rolling := j.IsConcurrent != nil && *j.IsConcurrent
	switch {
	case j.Status == "CANCELED", j.Status == "DELETION_IN_PROGRESS":
		return exitCanceled, true
	case j.Status != "COMPLETED" && (j.TargetSelection != "CONTINUOUS" || rolling || t.live() > 0):
		return 0, false
	case t.failures() > 0:
		return exitFailures, true
	case t.NumberOfCanceledThings > 0:
		return exitCanceled, true
	}
	return 0, true
}

// wait returns nil after d, or why ctx ended before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
