package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

// completionOnce looks at the jobs whose last live execution or last work has
// gone: a snapshot job completes, a deleted one disappears [jobs-lifecycle].
func (e *Engine) completionOnce(ctx context.Context, now time.Time) (int, error) {
	if len(e.flags.take(Completion, e.parts())) == 0 {
		return 0, nil // it is another engine's
	}
	var marks []store.JobMark
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		marks, err = r.MarkedJobs(chunk)
		return err
	})
	if err != nil {
		e.flags.raise(Completion, leading)
		return 0, err
	}
	var done int
	var errs []error
	for _, m := range marks {
		err := e.store.Update(ctx, func(tx store.Tx) error { return e.complete(tx, m, now.UnixMilli()) })
		if ctx.Err() != nil || apierr.Is(err, apierr.Unavailable) {
			e.flags.raise(Completion, leading)
			return done, err
		}
		if err != nil { // of this job: the others need not wait for it
			errs = append(errs, fmt.Errorf("engine: complete job %d: %w", m.JobUID, err))
			continue
		}
		done++
	}
	if len(marks) > 0 {
		e.flags.raise(Completion, leading)
	}
	return done, errors.Join(errs...)
}

func (e *Engine) complete(tx store.Tx, m store.JobMark, now int64) error {
	j, err := tx.JobByUID(m.JobUID)
	if apierr.Is(err, apierr.NotFound) {
		return tx.UnmarkJob(m)
	}
	if err != nil {
		return err
	}
	work, err := tx.JobWork(j.UID)
	if err != nil {
		return err
	}
	if j.Deleted(len(work) > 0) {
		err = tx.DeleteTags(thing.TagResource(thing.JobKind, j.UID), nil)
		if err != nil {
			return err
		}
		return tx.DeleteJob(j.UID)
	}
	counts, err := tx.Counts(j.UID)
	if err != nil {
		return err
	}
	if done, ok := j.Complete(len(work) > 0, counts.Live(), now); ok {
		err = tx.UpdateJob(done)
		if err != nil {
			return err
		}
	}
	return tx.UnmarkJob(m)
}
