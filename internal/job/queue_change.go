package job

import (
	"slices"

	"muster/internal/apierr"
)

// Update is what a device says about its execution [UpdateJobExecution].
type Update struct {
	// Status is what the device wants it to be.
	Status Status
	// Details replaces the stored map; empty leaves it alone.
	Details map[string]string
	// ExpectedVersion, if not nil, must be the current version.
	ExpectedVersion *int64
	// StepTimeoutMinutes starts the step timer anew (1 to 10080), stops it (-1) or leaves it alone (0).
	StepTimeoutMinutes int64
}

// Start is what a device says when it takes its next execution [StartNextPendingJobExecution].
type Start struct {
	Details            map[string]string
	StepTimeoutMinutes int64
}

// Cancel is what an operator says about one execution [CancelJobExecution].
type Cancel struct {
	Force           bool
	ExpectedVersion *int64
	Details         map[string]string
}

// Settle makes the queue what it must be by now, whatever the loops have not
// reached yet: overdue executions time out, what a canceled job has queued is
// canceled, and what a deleted job has is gone. Every other change and every
// answer stands on it, so that a job canceled or deleted in one moment cannot be
// started in the next.
func (q *Queue) Settle(now int64) {
	for _, x := range q.live {
		switch {
		case x.Job.State == Deleting:
			x.Status = None
			q.put(x)
		case x.Job.State == Stopped && (x.Status == Queued || x.Job.Forced):
			q.cancel(x, x.Job.Forced, now)
		case x.Overdue(now):
			q.move(x, TimedOut, Timer, now)
		}
	}
}

// move makes a transition that cannot fail because the caller has looked.
func (q *Queue) move(x Execution, to Status, by Actor, now int64) {
	if y, err := x.To(to, by, now); err == nil {
		q.put(y)
	}
}

func (q *Queue) cancel(x Execution, force bool, now int64) {
	by := Operator
	if force {
		by = OperatorForce
	}
	y, err := x.To(Canceled, by, now)
	if err != nil {
		return
	}
	y.ForceCanceled = force && x.Status == InProgress
	q.put(y)
}

// Update applies a device's report to the execution asked for and returns it as
// it is afterwards. NotFound, VersionMismatch and InvalidTransition are checked
// in that order; the latter two carry the current state and the execution is
// returned as it was.
func (q *Queue) Update(u Update, now int64) (Execution, error) {
	q.Settle(now)
	x, err := q.Asked()
	if err != nil {
		return x, err
	}
	err = checkVersion(x, u.ExpectedVersion)
	if err != nil {
		return x, err
	}
	y, err := x.To(u.Status, Device, now)
	if err != nil {
		return x, err
	}
	y = y.withDetails(u.Details).withStep(u.StepTimeoutMinutes, now)
	q.put(y)
	return y, nil
}

func checkVersion(x Execution, expected *int64) error {
	if expected == nil || *expected == x.Version {
		return nil
	}
	return apierr.New(apierr.VersionMismatch, "Expected version %d but found version %d", *expected, x.Version).WithState(x.State())
}

// StartNext starts the front of a namespace and returns it, and whether there
// was one. A front in progress is returned as it is: details and step timeout
// are then ignored [jobs-api, StartNextPendingJobExecution].
func (q *Queue) StartNext(namespace string, s Start, now int64) (Execution, bool, error) {
	if !q.Thing.registered() {
		return Execution{}, false, apierr.New(apierr.NotFound, "Thing %s not found.", q.Thing.Name)
	}
	q.Settle(now)
	x, ok := q.Front(namespace)
	if !ok || x.Status == InProgress {
		return x, ok, nil
	}
	y, err := x.To(InProgress, Device, now)
	if err != nil {
		return x, true, err
	}
	y = y.withDetails(s.Details).withStep(s.StepTimeoutMinutes, now)
	q.put(y)
	return y, true, nil
}

// Cancel cancels the execution asked for on behalf of an operator
// [CancelJobExecution]. Errors are as for Update.
func (q *Queue) Cancel(c Cancel, now int64) (Execution, error) {
	q.Settle(now)
	x, err := q.Asked()
	if err != nil {
		return x, err
	}
	err = checkVersion(x, c.ExpectedVersion)
	if err != nil {
		return x, err
	}
	by := Operator
	if c.Force {
		by = OperatorForce
	}
	y, err := x.To(Canceled, by, now)
	if err != nil {
		return x, err
	}
	y.ForceCanceled = c.Force && x.Status == InProgress
	y = y.withDetails(c.Details)
	q.put(y)
	return y, nil
}

// Delete removes the execution asked for [DeleteJobExecution]. One in progress
// needs force, else InvalidTransition. Its number is not used again.
// Ref.History must be set.
func (q *Queue) Delete(force bool, now int64) error {
	q.Settle(now)
	x, err := q.Asked()
	if err != nil {
		return err
	}
	by := Deletion
	if force {
		by = DeletionForce
	}
	if !Allowed(x.Status, by, None) {
		return apierr.New(apierr.InvalidTransition, "Job execution in status %s can only be deleted with force.", x.Status).WithState(x.State())
	}
	h := q.head(x.Job.UID)
	h.Number = max(h.Number, x.Number)
	q.setHead(x.Job.UID, h)
	x.Status = None
	q.put(x)
	return nil
}

// Enqueue queues the job asked for on a thing that is a target because of cause:
// a membership, the job or the change that named the thing. A thing that is a
// target already, and so has or had an execution, gets nothing: what runs again
// repeats nothing. One that had left since gets a new execution [jobs-lifecycle,
// continuous jobs]. It reports whether it queued. Ref.History must be set.
func (q *Queue) Enqueue(cause, now int64) bool {
	q.Settle(now)
	if q.Job == nil || q.Job.State != Active || !q.Thing.registered() {
		return false
	}
	h := q.head(q.Job.UID)
	x, ok := q.latest(q.Job.UID, 0)
	if (ok || h.Number != 0) && h.Left == 0 {
		return false
	}
	q.enqueue(max(x.Number, h.Number)+1, cause, now)
	return true
}

func (q *Queue) enqueue(number, cause, now int64) {
	if q.head(q.Job.UID) != (Head{}) {
		q.setHead(q.Job.UID, Head{Number: number})
	}
	q.put(Execution{
		Thing: q.Thing.Name, ThingUID: q.Thing.UID, Job: q.Job,
		Number: number, Status: Queued, Version: 1,
		QueuedAt: now, UpdatedAt: now, Cause: cause,
	})
}

// Cause returns what has made the thing a target of the job asked for, as Enqueue
// was told, or 0 if it has no execution of that. Ref.History must be set.
func (q *Queue) Cause() int64 {
	if q.Job == nil {
		return 0
	}
	x, _ := q.latest(q.Job.UID, 0)
	return x.Cause
}

// Leave ends the thing's part in the job asked for, because by the change seq
// it is no longer a target: what is pending becomes REMOVED, and if it becomes a
// target again, Enqueue counts it as new. It reports whether it was a target.
// What one of the causes in younger has queued stays: they came after the change,
// and a rollout has met them first. Ref.History must be set.
func (q *Queue) Leave(seq, now int64, younger ...int64) bool {
	q.Settle(now)
	if q.Job == nil || q.Job.State == Deleting {
		return false
	}
	h := q.head(q.Job.UID)
	x, ok := q.latest(q.Job.UID, 0)
	if !ok && h.Number == 0 || h.Left != 0 || slices.Contains(younger, x.Cause) {
		return false
	}
	q.setHead(q.Job.UID, Head{Number: max(x.Number, h.Number), Left: seq})
	if x.Status.Pending() {
		q.move(x, Removed, Removal, now)
	}
	return true
}

// RemoveAll ends everything pending, because the thing is gone
// [jobs-lifecycle, REMOVED].
func (q *Queue) RemoveAll(now int64) {
	q.Settle(now)
	for _, x := range q.live {
		q.move(x, Removed, Removal, now)
	}
}
