// Package job holds the rules of device jobs: what a job and a job execution
// are, which transitions are legal and who may make them, how a thing's queue
// is ordered, when timers fire, what is counted and when a device must be told.
//
// The package is pure: no I/O, no clock, no goroutine. The caller passes the
// time in, as int64 milliseconds since the Unix epoch (0 means never), and
// stores what comes out. Source sections are named in brackets, such as
// [jobs-lifecycle] for the developer guide's page on job and execution states.
package job

import (
	"fmt"

	"muster/internal/apierr"
)

// Status is the status of a job execution [jobs-lifecycle].
type Status uint8

// The statuses. None is the absence of an execution; it is never stored. The
// numbers are stored, so they must never change.
const (
	None Status = iota
	Queued
	InProgress
	Succeeded
	Failed
	TimedOut
	Rejected
	Removed
	Canceled

	statuses // number of statuses, None included
)

var statusNames = [statuses]string{
	"NONE", "QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED",
}

// String returns the wire spelling, such as IN_PROGRESS.
func (s Status) String() string {
	if s >= statuses {
		return fmt.Sprintf("STATUS_%d", uint8(s))
	}
	return statusNames[s]
}

// Terminal reports whether nothing but deletion can follow s.
func (s Status) Terminal() bool { return s >= Succeeded && s < statuses }

// Pending reports whether an execution with status s is in its thing's queue.
func (s Status) Pending() bool { return s == Queued || s == InProgress }

// ParseStatus returns the status with the given wire spelling. It does not know None.
func ParseStatus(name string) (Status, bool) {
	for s := Queued; s < statuses; s++ {
		if statusNames[s] == name {
			return s, true
		}
	}
	return None, false
}

// ParseReported returns the status that a device reports under the given wire
// spelling. The statuses that only the service sets are no report at all but
// Invalid; QUEUED is one, which then is refused as a transition
// [jobs-lifecycle; divergences, U7].
func ParseReported(name string) (Status, error) {
	s, ok := ParseStatus(name)
	if !ok || s == Canceled || s == Removed || s == TimedOut {
		return None, apierr.New(apierr.Invalid, "Invalid status %s: a device may report IN_PROGRESS, SUCCEEDED, FAILED or REJECTED.", name)
	}
	return s, nil
}

// Statuses returns every status that an execution can have, in stored order.
func Statuses() []Status {
	all := make([]Status, 0, statuses-1)
	for s := Queued; s < statuses; s++ {
		all = append(all, s)
	}
	return all
}

// State is the status of a job, as opposed to that of an execution [jobs-lifecycle].
type State uint8

// The job states. The numbers are stored, so they must never change.
const (
	Active    State = iota + 1 // IN_PROGRESS
	Stopped                    // CANCELED
	Completed                  // COMPLETED
	Deleting                   // DELETION_IN_PROGRESS
	Scheduled                  // SCHEDULED

	states
)

var stateNames = [states]string{"", "IN_PROGRESS", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS", "SCHEDULED"}

// String returns the wire spelling, such as DELETION_IN_PROGRESS.
func (s State) String() string {
	if s == 0 || s >= states {
		return fmt.Sprintf("STATE_%d", uint8(s))
	}
	return stateNames[s]
}

// ParseState returns the job state with the given wire spelling.
func ParseState(name string) (State, bool) {
	for s := Active; s < states; s++ {
		if stateNames[s] == name {
			return s, true
		}
	}
	return 0, false
}

// Selection says whether a job's targets are taken once or followed [CreateJob, targetSelection].
type Selection uint8

// The selections. The numbers are stored, so they must never change.
const (
	Snapshot   Selection = iota + 1 // SNAPSHOT: who is a target at creation
	Continuous                      // CONTINUOUS: also whoever becomes one later
)

// String returns the wire spelling, SNAPSHOT or CONTINUOUS.
func (s Selection) String() string {
	if s == Continuous {
		return "CONTINUOUS"
	}
	return "SNAPSHOT"
}

// ParseSelection returns the selection with the given wire spelling. The empty
// string is Snapshot, the default.
func ParseSelection(name string) (Selection, bool) {
	switch name {
	case "", "SNAPSHOT":
		return Snapshot, true
	case "CONTINUOUS":
		return Continuous, true
	}
	return 0, false
}
