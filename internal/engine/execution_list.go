package engine

import (
	"context"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// ListJobExecutionsForJob returns a page of a job's executions, finished ones
// included, in a stable order, and the position to go on from, empty at the end.
// A page under a status filter may be short with more to follow
// [ListJobExecutionsForJob; divergences, U20].
func (e *Engine) ListJobExecutionsForJob(ctx context.Context, p auth.Principal, jobID string, status job.Status, after string, limit int) ([]job.Execution, string, error) {
	err := e.allow(ctx, p, "iot:ListJobExecutionsForJob", onJob, jobID)
	if err != nil {
		return nil, "", err
	}
	at, err := parsePosition(after, 3)
	if err != nil {
		return nil, "", err
	}
	var xs []job.Execution
	var rest string
	err = e.store.View(ctx, func(r store.Reader) error {
		j, err := r.JobByID(jobID)
		if err != nil {
			return err
		}
		key := store.JobExecutionKey{Part: int(at[0]), ThingUID: at[1], Number: at[2]}
		var more bool
		xs, key, more, err = r.JobExecutions(j.UID, store.ExecutionFilter{Status: status}, store.Page[store.JobExecutionKey]{After: key, Limit: pageLimit(limit)})
		rest = position(more, int64(key.Part), key.ThingUID, key.Number)
		return err
	})
	return xs, rest, err
}

// ThingExecutionFilter selects executions of a thing. Zero members select everything.
type ThingExecutionFilter struct {
	Status           job.Status
	JobID, Namespace string
}

// ListJobExecutionsForThing returns a page of a thing's executions, newest
// first, and the position to go on from, empty at the end
// [ListJobExecutionsForThing]. NotFound if the thing, or a job that is named,
// does not exist.
func (e *Engine) ListJobExecutionsForThing(ctx context.Context, p auth.Principal, thing string, f ThingExecutionFilter, after string, limit int) ([]job.Execution, string, error) {
	err := e.allow(ctx, p, "iot:ListJobExecutionsForThing", onThing, thing)
	if err != nil {
		return nil, "", err
	}
	at, err := parsePosition(after, 3)
	if err != nil {
		return nil, "", err
	}
	var xs []job.Execution
	var rest string
	err = e.store.View(ctx, func(r store.Reader) error {
		t, err := r.ThingByName(thing)
		if err != nil {
			return err
		}
		filter := store.ExecutionFilter{Status: f.Status, Namespace: f.Namespace}
		if f.JobID != "" {
			j, err := r.JobByID(f.JobID)
			if err != nil {
				return err
			}
			filter.JobUID = j.UID
		}
		key := store.ThingExecutionKey{QueuedAt: at[0], JobUID: at[1], Number: at[2]}
		var more bool
		xs, key, more, err = r.ThingExecutions(t.Name, t.UID, filter, store.Page[store.ThingExecutionKey]{After: key, Limit: pageLimit(limit)})
		rest = position(more, key.QueuedAt, key.JobUID, key.Number)
		return err
	})
	return xs, rest, err
}
