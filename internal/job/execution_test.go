package job_test

import (
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func TestExecutionStart(t *testing.T) {
	t.Parallel()
	x := execution(with(active("job1", 1), func(b *job.Brief) { b.TimeoutMinutes = 20 }), job.Queued)
	got, err := x.To(job.InProgress, job.Device, t0+5*second)
	if err != nil {
		t.Fatal(err)
	}
	want := x
	want.Status, want.Version = job.InProgress, 2
	want.StartedAt, want.UpdatedAt = t0+5*second, t0+5*second
	want.InProgressDeadline = t0 + 5*second + 20*minute
	same(t, "started execution", got, want)

	again, err := got.To(job.InProgress, job.Device, t0+9*second)
	if err != nil {
		t.Fatal(err)
	}
	want.Version, want.UpdatedAt = 3, t0+9*second
	same(t, "progress moves neither start nor deadline", again, want)
}

func TestExecutionEnd(t *testing.T) {
	t.Parallel()
	started := execution(active("job1", 1), job.InProgress)
	started.Details = map[string]string{"step": "3"}
	started.InProgressDeadline, started.StepDeadline = t0+20*minute, t0+5*minute
	for to, by := range map[job.Status]job.Actor{
		job.Succeeded: job.Device, job.Failed: job.Device, job.Rejected: job.Device,
		job.TimedOut: job.Timer, job.Canceled: job.OperatorForce, job.Removed: job.Removal,
	} {
		got, err := started.To(to, by, t0+minute)
		if err != nil {
			t.Fatalf("to %s: %v", to, err)
		}
		want := started
		want.Status, want.Version, want.UpdatedAt = to, 3, t0+minute
		want.InProgressDeadline, want.StepDeadline = 0, 0
		same(t, to.String(), got, want)
	}
}

func TestExecutionEndsWithoutStart(t *testing.T) {
	t.Parallel()
	x := execution(with(active("job1", 1), func(b *job.Brief) { b.TimeoutMinutes = 20 }), job.Queued)
	got, err := x.To(job.Succeeded, job.Device, t0+minute)
	if err != nil {
		t.Fatal(err)
	}
	if got.StartedAt != 0 || got.InProgressDeadline != 0 || got.Version != 2 {
		t.Errorf("got started %d, deadline %d, version %d, want never started, no deadline, version 2",
			got.StartedAt, got.InProgressDeadline, got.Version)
	}
}

func TestIllegalTransitionChangesNothing(t *testing.T) {
	t.Parallel()
	x := execution(active("job1", 1), job.Succeeded)
	x.Details = map[string]string{"step": "3"}
	got, err := x.To(job.InProgress, job.Device, t0+minute)
	refused(t, err, apierr.InvalidTransition, "Job execution cannot go from SUCCEEDED to IN_PROGRESS.", x)
	same(t, "execution", got, x)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	const a, b = t0 + minute, t0 + 2*minute
	for _, c := range []struct {
		name                   string
		status                 job.Status
		inProgress, step, want int64
	}{
		{"no timer", job.InProgress, 0, 0, 0},
		{"in-progress timer alone", job.InProgress, a, 0, a},
		{"step timer alone", job.InProgress, 0, a, a},
		{"step timer first", job.InProgress, b, a, a},
		{"step timer cannot extend the in-progress timer", job.InProgress, a, b, a},
		{"nothing runs before the start", job.Queued, a, a, 0},
		{"nothing runs after the end", job.TimedOut, a, a, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := execution(active("job1", 1), c.status)
			x.InProgressDeadline, x.StepDeadline = c.inProgress, c.step
			if got := x.Deadline(); got != c.want {
				t.Errorf("got deadline %d, want %d", got, c.want)
			}
			for now, want := range map[int64]bool{c.want - 1: false, c.want: c.want != 0, c.want + 1: c.want != 0} {
				if got := x.Overdue(now); got != want {
					t.Errorf("overdue %d ms after the deadline: got %v, want %v", now-c.want, got, want)
				}
			}
		})
	}
}

func TestSecondsLeft(t *testing.T) {
	t.Parallel()
	x := execution(active("job1", 1), job.InProgress)
	if got, ok := x.SecondsLeft(t0); ok || got != 0 {
		t.Errorf("got %d, %v without a timer, want none", got, ok)
	}
	x.InProgressDeadline = t0 + 10*minute
	for now, want := range map[int64]int64{
		t0:                          599, // as the service shows ten minutes at the start
		t0 + 1:                      599,
		t0 + second:                 598,
		t0 + 10*minute - 1500:       1,
		t0 + 10*minute - second:     0,
		t0 + 10*minute:              0,
		t0 + 10*minute + 30*second:  0, // late firing is no negative number
		t0 + 10*minute + 600*second: 0,
	} {
		got, ok := x.SecondsLeft(now)
		if !ok || got != want {
			t.Errorf("after %d ms: got %d, %v, want %d", now-t0, got, ok, want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	x := execution(active("job1", 12), job.Queued)
	x.Number = 3
	same(t, "key", x.Key(), job.Key{JobUID: 12, Number: 3})
}

func TestAskedNumber(t *testing.T) {
	t.Parallel()
	if n, err := job.AskedNumber(nil); n != 0 || err != nil {
		t.Errorf("no number: got %d, %v; want the latest", n, err)
	}
	for n, want := range map[int64]int64{1: 1, 7: 7, 0: 0, -1: 0} {
		got, err := job.AskedNumber(&n)
		if got != want || apierr.Is(err, apierr.NotFound) != (n < 1) {
			t.Errorf("%d: got %d, %v; want %d", n, got, err, want)
		}
	}
}
