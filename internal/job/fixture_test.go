package job_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/job"
)

const (
	t0     = int64(1_749_988_800_000) // noon, 2025-06-15 UTC, in milliseconds
	second = int64(1_000)
	minute = 60 * second
)

// thing1 owns the queues of the table tests.
var thing1 = job.Thing{Name: "thing1", UID: 7}

// active returns the brief of a job in progress, made at t0.
func active(id string, uid int64) *job.Brief {
	return &job.Brief{UID: uid, ID: id, CreatedAt: t0, State: job.Active}
}

// with returns a copy of b that change has changed.
func with(b *job.Brief, change func(*job.Brief)) *job.Brief {
	c := *b
	change(&c)
	return &c
}

// execution returns the first execution of b on thing1 with the status, as it
// can have come about: queued at t0, started and ended within the next seconds.
func execution(b *job.Brief, s job.Status) job.Execution {
	x := job.Execution{
		Thing: thing1.Name, ThingUID: thing1.UID, Job: b,
		Number: 1, Status: s, Version: 1, QueuedAt: t0, UpdatedAt: t0, Cause: b.UID,
	}
	if s != job.Queued {
		x.StartedAt, x.UpdatedAt, x.Version = t0+second, t0+second, 2
	}
	if s.Terminal() {
		x.UpdatedAt, x.Version = t0+2*second, 3
	}
	return x
}

// queueFor returns thing1's queue with the executions given, live or finished,
// asked for the first one's job.
func queueFor(xs ...job.Execution) *job.Queue {
	var live []job.Execution
	for _, x := range xs {
		if x.Status.Pending() {
			live = append(live, x)
		}
	}
	q := job.NewQueue(thing1, live)
	if len(xs) > 0 {
		q.Job = xs[0].Job
		q.Ref = job.Ref{Thing: thing1.Name, JobID: q.Job.ID, History: true}
	}
	for _, x := range xs {
		if x.Status.Terminal() {
			q.Load(x)
		}
	}
	return q
}

// refused fails the test unless err is of kind k with the message given, and
// carries the state of x if the kind asks for one.
func refused(t *testing.T, err error, k apierr.Kind, message string, x job.Execution) {
	t.Helper()
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		t.Fatalf("got error %v, want %s", err, k)
	}
	want := &apierr.Error{Kind: k, Message: message}
	if k == apierr.InvalidTransition || k == apierr.VersionMismatch {
		want = want.WithState(apierr.ExecutionState{Status: x.Status.String(), StatusDetails: x.Details, Version: x.Version})
	}
	if d := cmp.Diff(want, e); d != "" {
		t.Errorf("wrong error (-want +got):\n%s", d)
	}
}

// same fails the test unless got is want.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: wrong (-want +got):\n%s", what, d)
	}
}

// asked returns the execution that q is asked for, which must be there.
func asked(t *testing.T, q *job.Queue) job.Execution {
	t.Helper()
	x, err := q.Asked()
	if err != nil {
		t.Fatalf("got %v, want an execution", err)
	}
	return x
}

func jobIDs(xs []job.Execution) []string {
	var ids []string
	for _, x := range xs {
		ids = append(ids, x.Job.ID)
	}
	return ids
}
