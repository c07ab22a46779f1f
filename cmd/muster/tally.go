package main

import (
	"fmt"
	"strings"

	"muster/internal/wire"
)

// tally is how many executions of a job have come to what.
type tally wire.JobProcessDetails

// finished returns how many executions are over.
func (t tally) finished() int64 {
	return t.NumberOfSucceededThings + t.NumberOfCanceledThings + t.failures()
}

// failures returns how many executions ended badly, canceled ones apart.
func (t tally) failures() int64 {
	return t.NumberOfFailedThings + t.NumberOfRejectedThings + t.NumberOfTimedOutThings + t.NumberOfRemovedThings
}

// live returns how many executions are not over.
func (t tally) live() int64 {
	return t.NumberOfQueuedThings + t.NumberOfInProgressThings
}

func (t tally) total() int64 { return t.finished() + t.live() }

// String returns the counts that are not zero, such as "5 succeeded, 1 failed".
func (t tally) String() string {
	var parts []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{t.NumberOfSucceededThings, "succeeded"}, {t.NumberOfFailedThings, "failed"},
		{t.NumberOfRejectedThings, "rejected"}, {t.NumberOfTimedOutThings, "timed out"},
		{t.NumberOfRemovedThings, "removed"}, {t.NumberOfCanceledThings, "canceled"},
		{t.NumberOfInProgressThings, "in progress"}, {t.NumberOfQueuedThings, "queued"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) == 0 {
		return "no executions"
	}
	return strings.Join(parts, ", ")
}
