package job

import (
	"muster/internal/apierr"
)

const minute = 60_000 // milliseconds

// Brief is what an execution's rules need to know of its job. Its mutable part
// (State, Forced, TimeoutMinutes) must come from the same transaction as the execution.
type Brief struct {
	// UID is the internal identity; a job made again under the same id has another.
	UID int64
	// ID is the job id that the outside uses.
	ID string
	// Namespace separates a job from those of other namespaces; empty is the ordinary one.
	Namespace string
	// CreatedAt is the job's creation, in milliseconds since the epoch.
	CreatedAt int64
	// State is the job's own status.
	State State
	// Forced says that the job was canceled with force.
	Forced bool
	// TimeoutMinutes is the in-progress timeout for executions that start from now on; 0 is none.
	TimeoutMinutes int64
}

// Execution is one job on one thing. It is a value: methods that change it
// return a new one. Details is shared between copies and must not be modified.
type Execution struct {
	// Thing and ThingUID are the name and the internal identity of the thing.
	Thing    string
	ThingUID int64
	// Job is the execution's job. It must not be modified.
	Job *Brief
	// Number tells the executions of one job on one thing apart; the first is 1.
	Number int64
	// Status is never None in a stored execution.
	Status Status
	// Version is 1 when queued and grows by one with every change.
	Version int64
	// Details is the device's own status map; nil when empty.
	Details map[string]string
	// QueuedAt, StartedAt and UpdatedAt are in milliseconds since the epoch; StartedAt is 0 until the first start.
	QueuedAt, StartedAt, UpdatedAt int64
	// InProgressDeadline and StepDeadline are when the two timers fire, in milliseconds since the epoch; 0 is no timer.
	InProgressDeadline, StepDeadline int64
	// ForceCanceled says that a cancel with force ended it.
	ForceCanceled bool
	// Cause is the uid of the membership, target or job that made the thing a target.
	Cause int64
}

// Key identifies an execution of a known thing.
type Key struct {
	JobUID, Number int64
}

// Key returns the execution's key within its thing's queue.
func (x Execution) Key() Key { return Key{x.Job.UID, x.Number} }

// AskedNumber returns the Number of a Ref for the execution number in a request:
// 0, the latest, if the request has none. A number below the first is no
// execution's and is NotFound, so that nothing but its absence means the latest.
func AskedNumber(n *int64) (int64, error) {
	if n == nil {
		return 0, nil
	}
	if *n < 1 {
		return 0, apierr.New(apierr.NotFound, "Execution %d not found.", *n)
	}
	return *n, nil
}

// State returns what a device is told with InvalidTransition and
// VersionMismatch [jobs-api, ErrorResponse executionState].
func (x Execution) State() apierr.ExecutionState {
	return apierr.ExecutionState{Status: x.Status.String(), StatusDetails: x.Details, Version: x.Version}
}

// Deadline returns when the execution times out, in milliseconds since the
// epoch, or 0 if no timer runs: the earlier of the two timers, so that a step
// timer never extends the in-progress timer [jobs-configurations, timeouts].
func (x Execution) Deadline() int64 {
	if x.Status != InProgress {
		return 0
	}
	if x.StepDeadline == 0 {
		return x.InProgressDeadline
	}
	if x.InProgressDeadline == 0 {
		return x.StepDeadline
	}
	return min(x.StepDeadline, x.InProgressDeadline)
}

// SecondsLeft returns approximateSecondsBeforeTimedOut and whether a timer
// runs. A running timer has always lost a little: ten minutes read 599 at the
// start, as the service shows it.
func (x Execution) SecondsLeft(now int64) (int64, bool) {
	d := x.Deadline()
	if d == 0 {
		return 0, false
	}
	return max(0, (d-now-1)/1000), true
}

// Overdue reports whether a timer of the execution should have fired by now.
func (x Execution) Overdue(now int64) bool {
	d := x.Deadline()
	return d != 0 && d <= now
}

// To returns the execution after by has taken it to status at time now, or an
// InvalidTransition error with the current state. Versions grow, timers stop at
// the end and the in-progress timer starts with the first start; details and
// the step timer are the caller's to set.
func (x Execution) To(status Status, by Actor, now int64) (Execution, error) {
	if !Allowed(x.Status, by, status) {
		return x, apierr.New(apierr.InvalidTransition, "Job execution cannot go from %s to %s.", x.Status, status).WithState(x.State())
	}
	if status == InProgress && x.Status == Queued {
		x.StartedAt = now
		if m := x.Job.TimeoutMinutes; m > 0 {
			x.InProgressDeadline = now + m*minute
		}
	}
	if status.Terminal() {
		x.InProgressDeadline, x.StepDeadline = 0, 0
	}
	x.Status = status
	x.Version++
	x.UpdatedAt = now
	return x, nil
}

// withDetails returns x with its details replaced, unless the map is empty:
// an absent and an empty map both mean unchanged [divergences, U6].
func (x Execution) withDetails(d map[string]string) Execution {
	if len(d) > 0 {
		x.Details = d
	}
	return x
}

// withStep returns x with its step timer set anew (minutes > 0), stopped (-1)
// or left alone (0). Only an execution in progress has one [UpdateJobExecution, stepTimeoutInMinutes].
func (x Execution) withStep(minutes, now int64) Execution {
	switch {
	case x.Status != InProgress || minutes == 0:
	case minutes < 0:
		x.StepDeadline = 0
	default:
		x.StepDeadline = now + minutes*minute
	}
	return x
}
