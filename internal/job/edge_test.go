package job_test

import (
	"fmt"
	"testing"

	"muster/internal/job"
)

// legal lists the legal transitions of [jobs-lifecycle], one line for each
// status and actor, on its own and not from the package: what is missing here
// is illegal.
var legal = map[string][]job.Status{
	"NONE by rollout": {job.Queued},

	"QUEUED by device":              {job.InProgress, job.Succeeded, job.Failed, job.Rejected},
	"QUEUED by operator":            {job.Canceled},
	"QUEUED by operator with force": {job.Canceled},
	"QUEUED by removal":             {job.Removed},
	"QUEUED by deletion":            {job.None},
	"QUEUED by deletion with force": {job.None},

	"IN_PROGRESS by device":              {job.InProgress, job.Succeeded, job.Failed, job.Rejected},
	"IN_PROGRESS by operator with force": {job.Canceled},
	"IN_PROGRESS by timer":               {job.TimedOut},
	"IN_PROGRESS by removal":             {job.Removed},
	"IN_PROGRESS by deletion with force": {job.None},

	"SUCCEEDED by deletion": {job.None}, "SUCCEEDED by deletion with force": {job.None},
	"FAILED by deletion": {job.None}, "FAILED by deletion with force": {job.None},
	"TIMED_OUT by deletion": {job.None}, "TIMED_OUT by deletion with force": {job.None},
	"REJECTED by deletion": {job.None}, "REJECTED by deletion with force": {job.None},
	"REMOVED by deletion": {job.None}, "REMOVED by deletion with force": {job.None},
	"CANCELED by deletion": {job.None}, "CANCELED by deletion with force": {job.None},
}

func TestTransitionTable(t *testing.T) {
	t.Parallel()
	allStatuses := append([]job.Status{job.None}, append(job.Statuses(), job.Status(99))...)
	allActors := []job.Actor{
		0, job.Rollout, job.Device, job.Operator, job.OperatorForce, job.Timer, job.Removal, job.Deletion, job.DeletionForce, 99,
	}
	used := 0
	for _, from := range allStatuses {
		for _, by := range allActors {
			want := make(map[job.Status]bool)
			for _, to := range legal[fmt.Sprintf("%s by %s", from, by)] {
				want[to] = true
				used++
			}
			for _, to := range allStatuses {
				if got := job.Allowed(from, by, to); got != want[to] {
					t.Errorf("%s to %s by %s: got %v, want %v", from, to, by, got, want[to])
				}
			}
		}
	}
	listed := 0
	for _, to := range legal {
		listed += len(to)
	}
	if used != listed {
		t.Errorf("only %d of the %d listed transitions were met: a line of the list is misspelled", used, listed)
	}
}

// TestTransitionsOfTheQueue walks the same table through the doors by which the
// outside reaches it: each row is a status, each column what somebody asks for.
func TestTransitionsOfTheQueue(t *testing.T) {
	t.Parallel()
	const now = t0 + minute
	report := func(s job.Status) func(*job.Queue) error {
		return func(q *job.Queue) error {
			_, err := q.Update(job.Update{Status: s}, now)
			return err
		}
	}
	columns := []struct {
		name string
		do   func(*job.Queue) error
	}{
		{"start-next", func(q *job.Queue) error {
			_, _, err := q.StartNext("", job.Start{}, now)
			return err
		}},
		{"update IN_PROGRESS", report(job.InProgress)},
		{"update SUCCEEDED", report(job.Succeeded)},
		{"update FAILED", report(job.Failed)},
		{"update REJECTED", report(job.Rejected)},
		{"update QUEUED", report(job.Queued)},
		{"update CANCELED", report(job.Canceled)},
		{"update TIMED_OUT", report(job.TimedOut)},
		{"update REMOVED", report(job.Removed)},
		{"cancel", func(q *job.Queue) error {
			_, err := q.Cancel(job.Cancel{}, now)
			return err
		}},
		{"cancel with force", func(q *job.Queue) error {
			_, err := q.Cancel(job.Cancel{Force: true}, now)
			return err
		}},
		{"timer", func(q *job.Queue) error { q.Settle(now); return nil }},
		{"thing leaves", func(q *job.Queue) error { q.Leave(100, now); return nil }},
		{"thing gone", func(q *job.Queue) error { q.RemoveAll(now); return nil }},
		{"delete", func(q *job.Queue) error { return q.Delete(false, now) }},
		{"delete with force", func(q *job.Queue) error { return q.Delete(true, now) }},
	}
	const no, kept = "refused", "unchanged"
	terminal := []string{kept, no, no, no, no, no, no, no, no, no, no, kept, kept, kept, "gone", "gone"}
	rows := map[job.Status][]string{
		job.Queued: {
			"IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", no, no, no, no,
			"CANCELED", "CANCELED", kept, "REMOVED", "REMOVED", "gone", "gone",
		},
		job.InProgress: {
			kept, "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", no, no, no, no,
			no, "CANCELED", "TIMED_OUT", "REMOVED", "REMOVED", no, "gone",
		},
		job.Succeeded: terminal, job.Failed: terminal, job.TimedOut: terminal,
		job.Rejected: terminal, job.Removed: terminal, job.Canceled: terminal,
	}
	for _, s := range job.Statuses() {
		for i, c := range columns {
			t.Run(fmt.Sprintf("%s and %s", s, c.name), func(t *testing.T) {
				t.Parallel()
				x := execution(active("job1", 1), s)
				if s == job.InProgress && c.name == "timer" {
					x.InProgressDeadline = now
				}
				if got := outcome(queueFor(x), c.do); got != rows[s][i] {
					t.Errorf("got %s, want %s", got, rows[s][i])
				}
			})
		}
	}
}

// outcome does something to the execution that q is asked for and says what became of it.
func outcome(q *job.Queue, do func(*job.Queue) error) string {
	before, _ := q.Asked()
	err := do(q)
	after, missing := q.Asked()
	grown := after.Version == before.Version+1
	switch {
	case err != nil && len(q.Changes()) > 0:
		return "refused, but changed"
	case err != nil:
		return "refused"
	case missing != nil:
		return "gone"
	case after.Version == before.Version && after.Status == before.Status && len(q.Changes()) == 0:
		return "unchanged"
	case !grown:
		return fmt.Sprintf("%s with version %d after %d", after.Status, after.Version, before.Version)
	}
	return after.Status.String()
}
