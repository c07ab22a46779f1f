package engine

import (
	"context"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

// inlineSteps is how many chunks of a job's work its operator waits for.
const inlineSteps = 8

// workOnce does one chunk of each part's oldest work: rollouts, and the sweeps
// that follow a cancel or a delete.
func (e *Engine) workOnce(ctx context.Context, now time.Time) (int, error) {
	e.work.lower() // before reading: work that comes later raises it again
	var done int
	for part := range e.store.Parts() {
		n, err := e.workPart(ctx, part, 0, now.UnixMilli())
		if err != nil {
			e.work.raise()
			return done, err
		}
		done += n
	}
	if done > 0 {
		e.work.raise()
	}
	return done, nil
}

// workJob does the first chunk of a job's work in its first parts at once, so that
// small jobs are rolled out, swept, completed or gone when their operator has the
// answer. What is left is the loop's, and so is a failure.
func (e *Engine) workJob(ctx context.Context, j job.Job, now int64) {
	e.rouse(&e.work)
	var work []store.Work
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		work, err = r.JobWork(j.UID)
		return err
	})
	for _, w := range work[:min(len(work), inlineSteps)] {
		if err == nil {
			_, err = e.workPart(ctx, w.Part, j.UID, now)
		}
	}
	if err == nil {
		_, err = e.completionOnce(ctx, time.UnixMilli(now))
	}
	if err != nil {
		e.log.Warn("left to the loop", "job", j.ID, "err", err)
	}
}

// workPart does a chunk of the oldest work of a part, or of a job's if jobUID is
// not 0. Cursor and executions move in one transaction.
func (e *Engine) workPart(ctx context.Context, part int, jobUID, now int64) (int, error) {
	var done int
	var seen effects
	err := e.store.UpdatePart(ctx, part, 0, func(tx store.Tx) error {
		done, seen = 0, effects{}
		w, ok, err := pick(tx, part, jobUID)
		if err != nil || !ok {
			return err
		}
		done = 1
		j, err := tx.JobByUID(w.JobUID)
		if apierr.Is(err, apierr.NotFound) {
			return tx.FinishWork(w)
		}
		if err != nil {
			return err
		}
		return e.step(tx, w, j, &seen, now)
	})
	if err == nil && done > 0 {
		e.react(seen)
		e.rouse(&e.completion)
	}
	return done, err
}

func pick(tx store.WorkReader, part int, jobUID int64) (store.Work, bool, error) {
	var ws []store.Work
	var err error
	if jobUID == 0 {
		ws, err = tx.Work(part, 1)
	} else {
		ws, err = tx.JobWork(jobUID)
	}
	for _, w := range ws {
		if w.Part == part {
			return w, true, err
		}
	}
	return store.Work{}, false, err
}

// step does one chunk of w.
func (e *Engine) step(tx store.Tx, w store.Work, j job.Job, seen *effects, now int64) error {
	switch {
	case w.Kind == store.Rollout && j.State == job.Active:
		return e.rolloutStep(tx, w, j, seen, now)
	case w.Kind == store.Sweep && j.State == job.Stopped:
		_, err := e.sweepStep(tx, w, seen, now)
		return err
	case w.Kind == store.Purge && j.State == job.Deleting:
		return e.purgeStep(tx, w, seen, now)
	}
	return tx.FinishWork(w) // the job has moved on
}

// sweepStep settles the queues of up to a chunk of things that have a live
// execution of the job, and reports whether that was the last of them.
func (e *Engine) sweepStep(tx store.Tx, w store.Work, seen *effects, now int64) (bool, error) {
	refs, err := tx.LiveThings(w.Part, w.JobUID, w.Cursor.ThingUID, chunk)
	if err != nil {
		return false, err
	}
	err = e.queues(tx, refs, seen, func(q *job.Queue) { q.Settle(now) })
	if err != nil {
		return false, err
	}
	if len(refs) < chunk {
		if w.Kind == store.Sweep {
			err = tx.FinishWork(w)
		}
		return true, err
	}
	w.Cursor.ThingUID = refs[len(refs)-1].ThingUID
	_, err = tx.SaveWork(w)
	return false, err
}

// purgeStep removes a chunk of a deleted job's executions, live ones first.
func (e *Engine) purgeStep(tx store.Tx, w store.Work, seen *effects, now int64) error {
	last, err := e.sweepStep(tx, w, seen, now)
	if err != nil || !last {
		return err
	}
	n, err := tx.DeleteFinished(w.Part, w.JobUID, chunk)
	if err != nil || n == chunk {
		return err
	}
	return tx.FinishWork(w)
}
