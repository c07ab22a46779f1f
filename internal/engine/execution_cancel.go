package engine

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
)

// CancelJobExecution cancels a thing's latest execution of a job
// [CancelJobExecution]. One in progress needs force, else InvalidTransition.
func (e *Engine) CancelJobExecution(ctx context.Context, p auth.Principal, thing, jobID string, c job.Cancel) error {
	err := e.allow(ctx, p, "iot:CancelJobExecution", onJob, jobID)
	if err != nil {
		return err
	}
	now := e.now()
	return e.queue(ctx, job.Ref{Thing: thing, JobID: jobID}, func(q *job.Queue) error {
		_, err := q.Cancel(c, now)
		return err
	})
}

// DeleteJobExecution removes one execution [DeleteJobExecution]. One in progress
// needs force, else InvalidTransition. A namespace, if given, must be the job's.
func (e *Engine) DeleteJobExecution(ctx context.Context, p auth.Principal, thing, jobID string, number int64, namespace string, force bool) error {
	err := e.allow(ctx, p, "iot:DeleteJobExecution", onJob, jobID)
	if err != nil {
		return err
	}
	now := e.now()
	ref := job.Ref{Thing: thing, JobID: jobID, Number: number, History: true}
	return e.queue(ctx, ref, func(q *job.Queue) error {
		if q.Job != nil && namespace != "" && q.Job.Namespace != namespace {
			return apierr.New(apierr.NotFound, "Job %s not found in namespace %s.", jobID, namespace)
		}
		return q.Delete(force, now)
	})
}
