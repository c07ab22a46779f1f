package engine

import (
	"context"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// JobDetails is a job with what its executions and its background work add up to.
type JobDetails struct {
	job.Job
	Counts job.Counts
	// Processing holds the targets that are still being rolled out to.
	Processing []job.Target
	// Concurrent says that the job is rolling out or being swept.
	Concurrent bool
}

// DescribeJob returns a job [DescribeJob], or NotFound.
func (e *Engine) DescribeJob(ctx context.Context, p auth.Principal, id string) (JobDetails, error) {
	var d JobDetails
	err := e.allow(ctx, p, "iot:DescribeJob", onJob, id)
	if err != nil {
		return d, err
	}
	err = e.store.View(ctx, func(r store.Reader) error {
		var err error
		d, err = details(r, id)
		return err
	})
	return d, err
}

func details(r store.Reader, id string) (JobDetails, error) {
	j, err := r.JobByID(id)
	if err != nil {
		return JobDetails{}, err
	}
	counts, err := r.Counts(j.UID)
	if err != nil {
		return JobDetails{}, err
	}
	work, err := r.JobWork(j.UID)
	if err != nil {
		return JobDetails{}, err
	}
	d := JobDetails{Job: j, Counts: counts, Concurrent: len(work) > 0}
	first := len(j.Targets)
	for _, w := range work {
		if w.Kind == store.Rollout {
			first = min(first, w.Cursor.Target)
		}
	}
	d.Processing = j.Targets[first:]
	return d, nil
}

// JobDocument returns a job's document as it was given [GetJobDocument], or NotFound.
func (e *Engine) JobDocument(ctx context.Context, p auth.Principal, id string) (string, error) {
	err := e.allow(ctx, p, "iot:GetJobDocument", onJob, id)
	if err != nil {
		return "", err
	}
	var doc string
	err = e.store.View(ctx, func(r store.Reader) error {
		j, err := r.JobByID(id)
		if err != nil {
			return err
		}
		doc, err = e.document(r, j.UID)
		return err
	})
	return doc, err
}
