package job_test

import (
	"slices"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func TestStatusSpelling(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range job.Statuses() {
		names = append(names, s.String())
		parsed, ok := job.ParseStatus(s.String())
		if !ok || parsed != s {
			t.Errorf("got %v, %v from parsing %q, want it back", parsed, ok, s.String())
		}
	}
	same(t, "statuses", names, []string{"QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"})
	for _, name := range []string{"", "NONE", "SUCCESS", "FAILURE", "in_progress", "IN_PROGRESS ", "STATUS_9"} {
		if s, ok := job.ParseStatus(name); ok {
			t.Errorf("%q parses as %v, want nothing", name, s)
		}
	}
	if got := job.Status(200).String(); got != "STATUS_200" {
		t.Errorf("got %q for an unknown status, want its number", got)
	}
}

func TestStatusIsEitherPendingOrTerminal(t *testing.T) {
	t.Parallel()
	pending := []job.Status{job.Queued, job.InProgress}
	for _, s := range job.Statuses() {
		if got, want := s.Pending(), slices.Contains(pending, s); got != want {
			t.Errorf("%s is pending: got %v, want %v", s, got, want)
		}
		if s.Terminal() == s.Pending() {
			t.Errorf("%s must be either pending or terminal", s)
		}
	}
	if job.None.Pending() || job.None.Terminal() {
		t.Error("no execution is neither pending nor terminal")
	}
}

func TestReportedStatus(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]job.Status{
		"IN_PROGRESS": job.InProgress, "SUCCEEDED": job.Succeeded, "FAILED": job.Failed, "REJECTED": job.Rejected,
		"QUEUED":   job.Queued, // for the transition table to refuse
		"CANCELED": job.None, "REMOVED": job.None, "TIMED_OUT": job.None, "NONE": job.None, "SUCCESS": job.None, "": job.None,
	} {
		got, err := job.ParseReported(name)
		if got != want || apierr.Is(err, apierr.Invalid) != (want == job.None) {
			t.Errorf("%q: got %v, %v; want %v", name, got, err, want)
		}
	}
}

// TestStoredNumbers holds what databases contain: a number that moves would
// give every stored row another meaning.
func TestStoredNumbers(t *testing.T) {
	t.Parallel()
	same(t, "statuses", []job.Status{
		job.None, job.Queued, job.InProgress, job.Succeeded, job.Failed, job.TimedOut, job.Rejected, job.Removed, job.Canceled,
	}, []job.Status{0, 1, 2, 3, 4, 5, 6, 7, 8})
	same(t, "states", []job.State{job.Active, job.Stopped, job.Completed, job.Deleting, job.Scheduled}, []job.State{1, 2, 3, 4, 5})
	same(t, "selections", []job.Selection{job.Snapshot, job.Continuous}, []job.Selection{1, 2})
	same(t, "target kinds", []job.TargetKind{job.ThingTarget, job.GroupTarget}, []job.TargetKind{1, 2})
}

func TestStateSpelling(t *testing.T) {
	t.Parallel()
	for s, want := range map[job.State]string{
		job.Active: "IN_PROGRESS", job.Stopped: "CANCELED", job.Completed: "COMPLETED",
		job.Deleting: "DELETION_IN_PROGRESS", job.Scheduled: "SCHEDULED",
	} {
		parsed, ok := job.ParseState(want)
		if s.String() != want || !ok || parsed != s {
			t.Errorf("got %q and back %v, want %q", s, parsed, want)
		}
	}
	for _, name := range []string{"", "SUCCEEDED", "ACTIVE", "STATE_0"} {
		if s, ok := job.ParseState(name); ok {
			t.Errorf("%q parses as %v, want nothing", name, s)
		}
	}
	if got := job.State(0).String() + " " + job.State(99).String(); got != "STATE_0 STATE_99" {
		t.Errorf("got %q for unknown states, want their numbers", got)
	}
}

func TestSelectionSpelling(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]job.Selection{"": job.Snapshot, "SNAPSHOT": job.Snapshot, "CONTINUOUS": job.Continuous} {
		got, ok := job.ParseSelection(name)
		if !ok || got != want {
			t.Errorf("%q parses as %v, %v, want %v", name, got, ok, want)
		}
		if name != "" && got.String() != name {
			t.Errorf("%v is spelled %q, want %q", got, got.String(), name)
		}
	}
	if got, ok := job.ParseSelection("snapshot"); ok {
		t.Errorf("snapshot parses as %v, want nothing", got)
	}
}
