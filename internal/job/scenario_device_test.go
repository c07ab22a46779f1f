package job_test

import (
	"fmt"

	"muster/internal/job"
)

// update is update THING JOB STATUS [v=N] [number=N] [step=MINUTES] [{details}].
func (w *world) update(l line) error {
	s, ok := job.ParseStatus(l.word(2))
	if !ok {
		return fmt.Errorf("%q is no status", l.word(2))
	}
	return w.change(job.Ref{Thing: l.word(0), JobID: l.word(1), Number: l.number("number")}, func(q *job.Queue) error {
		_, err := q.Update(job.Update{
			Status: s, Details: l.details, ExpectedVersion: l.version(), StepTimeoutMinutes: l.number("step"),
		}, w.now)
		return err
	})
}

// startNext is start-next THING [namespace=NS] [step=MINUTES] [{details}].
func (w *world) startNext(l line) error {
	var before, after job.Execution
	var ok bool
	err := w.change(job.Ref{Thing: l.word(0)}, func(q *job.Queue) error {
		var err error
		q.Settle(w.now)
		before, _ = q.Front(l.options["namespace"])
		after, ok, err = q.StartNext(l.options["namespace"], job.Start{Details: l.details, StepTimeoutMinutes: l.number("step")}, w.now)
		return err
	})
	switch {
	case err != nil:
		return err
	case !ok:
		w.printf("nothing pending")
	case after.Version == before.Version:
		w.printf("unchanged: %s", w.show(after))
	}
	return nil
}

// cancel is cancel THING JOB [force] [v=N] [{details}].
func (w *world) cancel(l line) error {
	return w.change(job.Ref{Thing: l.word(0), JobID: l.word(1)}, func(q *job.Queue) error {
		_, err := q.Cancel(job.Cancel{Force: l.has("force"), ExpectedVersion: l.version(), Details: l.details}, w.now)
		return err
	})
}

// deleteExecution is delete THING JOB [force] [number=N].
func (w *world) deleteExecution(l line) error {
	ref := job.Ref{Thing: l.word(0), JobID: l.word(1), Number: l.number("number"), History: true}
	return w.change(ref, func(q *job.Queue) error { return q.Delete(l.has("force"), w.now) })
}
