package engine

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// Device actions are asked about on the thing [jobs-data-plane, authorization].
const (
	actionDescribe = "iotjobsdata:DescribeJobExecution"
	actionPending  = "iotjobsdata:GetPendingJobExecutions"
	actionStart    = "iotjobsdata:StartNextPendingJobExecution"
	actionUpdate   = "iotjobsdata:UpdateJobExecution"
)

// NextJobID is the job id by which a device asks for the front of its queue.
const NextJobID = "$next"

// Delivery is an execution as a device gets it.
type Delivery struct {
	job.Execution
	// Document is the job document, if it was asked for.
	Document string
	// At is the time of the answer, in milliseconds since the epoch.
	At int64
}

// DescribeRequest asks for an execution on behalf of a device.
type DescribeRequest struct {
	Thing string
	// JobID is a job id or NextJobID.
	JobID     string
	Namespace string
	// Number is the execution number; 0 is the latest.
	Number int64
	// Document asks for the job document, too.
	Document bool
}

// DescribeNext returns the execution that a device asks for, and whether there
// is one: an empty queue has no front, which is no error. For a job by name
// NotFound says what is missing [jobs-data-plane, DescribeJobExecution].
func (e *Engine) DescribeNext(ctx context.Context, p auth.Principal, d DescribeRequest) (Delivery, bool, error) {
	err := e.allow(ctx, p, actionDescribe, onThing, d.Thing)
	if err != nil {
		return Delivery{}, false, err
	}
	out := Delivery{At: e.now()}
	var found bool
	err = e.store.View(ctx, func(r store.Reader) error {
		q, err := e.look(r, d, out.At)
		if err != nil {
			return err
		}
		if d.JobID == NextJobID {
			out.Execution, found = q.Front(d.Namespace)
		} else {
			out.Execution, err = e.asked(q, d.Namespace)
			found = err == nil
		}
		if err != nil || !found || !d.Document {
			return err
		}
		out.Document, err = e.document(r, out.Job.UID)
		return err
	})
	return out, found, err
}

func (e *Engine) look(r store.ExecutionReader, d DescribeRequest, now int64) (*job.Queue, error) {
	ref := job.Ref{Thing: d.Thing, JobID: d.JobID, Number: d.Number}
	if d.JobID == NextJobID {
		ref.JobID, ref.Number = "", 0
	}
	q, err := r.Queue(ref)
	if err != nil {
		return nil, err
	}
	q.Settle(now)
	if q.Thing.Gone || q.Thing.UID == 0 {
		return nil, noThing(d.Thing)
	}
	return q, nil
}

// asked returns the execution that a device named. Strict mode refuses finished ones.
func (e *Engine) asked(q *job.Queue, namespace string) (job.Execution, error) {
	x, err := q.Asked()
	if err != nil {
		return x, err
	}
	if x.Job.Namespace != namespace && namespace != "" {
		return x, apierr.New(apierr.NotFound, "Job %s not found in namespace %s.", x.Job.ID, namespace)
	}
	if e.strict && x.Status.Terminal() {
		return x, apierr.New(apierr.TerminalState, "Job execution is in terminal status %s.", x.Status)
	}
	return x, nil
}

func noThing(name string) error { return apierr.New(apierr.NotFound, "Thing %s not found.", name) }

// DescribeJobExecution returns an execution for an operator, whatever its status
// [control plane, DescribeJobExecution]. number 0 is the latest. The time of the
// answer is returned with it, in milliseconds since the epoch.
func (e *Engine) DescribeJobExecution(ctx context.Context, p auth.Principal, thing, jobID string, number int64) (job.Execution, int64, error) {
	err := e.allow(ctx, p, "iot:DescribeJobExecution", onJob, jobID)
	if err != nil {
		return job.Execution{}, 0, err
	}
	now := e.now()
	var x job.Execution
	err = e.store.View(ctx, func(r store.Reader) error {
		q, err := e.look(r, DescribeRequest{Thing: thing, JobID: jobID, Number: number}, now)
		if err != nil {
			return err
		}
		x, err = q.Asked()
		return err
	})
	return x, now, err
}

// PendingJobExecutions returns the first pending executions of a thing in queue
// order, job.MaxListed at most [GetPendingJobExecutions]. NotFound if the thing
// does not exist [divergences, U5].
func (e *Engine) PendingJobExecutions(ctx context.Context, p auth.Principal, thing, namespace string) ([]job.Execution, error) {
	err := e.allow(ctx, p, actionPending, onThing, thing)
	if err != nil {
		return nil, err
	}
	now := e.now()
	var xs []job.Execution
	err = e.store.View(ctx, func(r store.Reader) error {
		q, err := e.look(r, DescribeRequest{Thing: thing}, now)
		if err != nil {
			return err
		}
		xs = q.Pending(namespace)
		xs = xs[:min(len(xs), job.MaxListed)]
		return nil
	})
	return xs, err
}
