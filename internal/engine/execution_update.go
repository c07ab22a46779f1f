package engine

import (
	"context"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// UpdateRequest is a device's report on one of its executions.
type UpdateRequest struct {
	Thing, JobID string
	// Namespace, if not empty, must be the job's.
	Namespace string
	// Number is the execution number; 0 is the latest.
	Number int64
	job.Update
	// Document asks for the job document in the answer.
	Document bool
}

// UpdateJobExecution applies a device's report and returns the execution as it
// is then [UpdateJobExecution]. When it returns without error the change is
// durable. NotFound, VersionMismatch and InvalidTransition change nothing; the
// latter two carry the current state.
func (e *Engine) UpdateJobExecution(ctx context.Context, p auth.Principal, u UpdateRequest) (Delivery, error) {
	err := e.allow(ctx, p, actionUpdate, onThing, u.Thing)
	if err != nil {
		return Delivery{}, err
	}
	out := Delivery{At: e.now()}
	ref := job.Ref{Thing: u.Thing, JobID: u.JobID, Number: u.Number}
	err = e.queue(ctx, ref, func(q *job.Queue) error {
		if q.Job != nil && u.Namespace != "" && q.Job.Namespace != u.Namespace {
			q.Job = nil // as good as unknown
		}
		x, err := q.Update(u.Update, out.At)
		out.Execution = x
		return err
	})
	if err != nil || !u.Document {
		return out, err
	}
	return e.withDocument(ctx, out)
}

// StartRequest is a device's wish for work.
type StartRequest struct {
	Thing, Namespace string
	job.Start
}

// StartNextPendingJobExecution starts the front of a thing's queue, or returns
// the one in progress as it is, with its document, and whether there is one
// [StartNextPendingJobExecution].
func (e *Engine) StartNextPendingJobExecution(ctx context.Context, p auth.Principal, s StartRequest) (Delivery, bool, error) {
	err := e.allow(ctx, p, actionStart, onThing, s.Thing)
	if err != nil {
		return Delivery{}, false, err
	}
	out := Delivery{At: e.now()}
	var found bool
	err = e.queue(ctx, job.Ref{Thing: s.Thing}, func(q *job.Queue) error {
		x, ok, err := q.StartNext(s.Namespace, s.Start, out.At)
		out.Execution, found = x, ok
		return err
	})
	if err != nil || !found {
		return out, false, err
	}
	out, err = e.withDocument(ctx, out)
	return out, true, err
}

func (e *Engine) withDocument(ctx context.Context, d Delivery) (Delivery, error) {
	doc, ok := e.documents.get(d.Job.UID)
	if ok {
		d.Document = doc
		return d, nil
	}
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		d.Document, err = e.document(r, d.Job.UID)
		return err
	})
	return d, err
}
