package job_test

import (
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
)

// TestTimersOfTheGuide is the worked example of [jobs-configurations, timeouts]:
// an in-progress timer of 20 minutes and three step timers, of which the last
// cannot go beyond it.
func TestTimersOfTheGuide(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(with(active("job1", 1), func(b *job.Brief) { b.TimeoutMinutes = 20 }), job.Queued))
	for _, c := range []struct {
		at    string
		step  int64
		fires string
	}{
		{"12:00", 0, "12:20"},
		{"12:05", 7, "12:12"},
		{"12:10", 5, "12:15"},
		{"12:13", 9, "12:20"},
	} {
		x := progress(t, q, clock(t, c.at), c.step)
		if got := hhmm(x.Deadline()); got != c.fires {
			t.Errorf("step of %d minutes at %s: fires at %s, want %s", c.step, c.at, got, c.fires)
		}
	}
	q.Settle(clock(t, "12:20") - 1)
	same(t, "status before the deadline", asked(t, q).Status, job.InProgress)
	q.Settle(clock(t, "12:20"))
	x := asked(t, q)
	same(t, "status at the deadline", x.Status, job.TimedOut)
	same(t, "time of the change", hhmm(x.UpdatedAt), "12:20")
}

func TestStepTimer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps []int64 // one a minute from t0 on
		want  int64   // minutes after t0; 0 is no timer
	}{
		{"none is set without a number", []int64{0}, 0},
		{"it starts with the request", []int64{7}, 7},
		{"an update without a number leaves it running", []int64{7, 0, 0}, 7},
		{"a new number starts it anew", []int64{7, 3}, 4},
		{"minus one stops it", []int64{7, -1}, 0},
		{"minus one without a timer is nothing", []int64{-1}, 0},
		{"it may start again after a stop", []int64{7, -1, 5}, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := queueFor(execution(active("job1", 1), job.Queued))
			var x job.Execution
			for i, step := range c.steps {
				x = progress(t, q, t0+int64(i)*minute, step)
			}
			want := int64(0)
			if c.want != 0 {
				want = t0 + c.want*minute
			}
			if got := x.Deadline(); got != want {
				t.Errorf("got deadline %d ms after the start, want %d", got-t0, want-t0)
			}
		})
	}
}

func TestStepTimerOfStartNext(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(active("job1", 1), job.Queued))
	x, _, err := q.StartNext("", job.Start{StepTimeoutMinutes: 10}, t0)
	if err != nil {
		t.Fatal(err)
	}
	left, _ := x.SecondsLeft(t0)
	same(t, "seconds left", left, 599)
	x, _, err = q.StartNext("", job.Start{StepTimeoutMinutes: 60}, t0+minute)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "deadline of one that runs already", x.Deadline(), t0+10*minute)
}

func TestStepTimerOfTheLastReportIsIgnored(t *testing.T) {
	t.Parallel()
	q := queueFor(execution(active("job1", 1), job.Queued))
	x, err := q.Update(job.Update{Status: job.Succeeded, StepTimeoutMinutes: 5}, t0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "step deadline", x.StepDeadline, 0)
}

// TestTimeoutChange shows that a job's new timeout is for later starts only
// [jobs-configurations, timeouts].
func TestTimeoutChange(t *testing.T) {
	t.Parallel()
	old := with(active("job1", 1), func(b *job.Brief) { b.TimeoutMinutes = 20 })
	running := execution(old, job.InProgress)
	running.InProgressDeadline = t0 + 20*minute
	changed := with(old, func(b *job.Brief) { b.TimeoutMinutes = 5 })
	running.Job = changed
	q := queueFor(running)
	same(t, "deadline of the one that runs", progress(t, q, t0+minute, 0).Deadline(), t0+20*minute)

	fresh := queueFor(execution(changed, job.Queued))
	same(t, "deadline of one that starts later", progress(t, fresh, t0+minute, 0).Deadline(), t0+6*minute)
}

// TestOverdueComesFirst shows that a deadline holds although the loop that
// watches it is late: the device's report meets an execution that has timed out.
func TestOverdueComesFirst(t *testing.T) {
	t.Parallel()
	late := execution(active("job1", 1), job.InProgress)
	late.StepDeadline = t0 + minute
	next := execution(active("job2", 2), job.Queued)

	timedOut := late
	timedOut.Status, timedOut.Version = job.TimedOut, 3
	_, err := queueFor(late, next).Update(job.Update{Status: job.Succeeded}, t0+minute)
	refused(t, err, apierr.InvalidTransition, "Job execution cannot go from TIMED_OUT to SUCCEEDED.", timedOut)

	x, ok, err := queueFor(late, next).StartNext("", job.Start{}, t0+minute)
	if err != nil || !ok || x.Job.ID != "job2" {
		t.Errorf("got %v, %v, %v from start-next, want job2", x.Job, ok, err)
	}
	_, err = queueFor(late, next).Cancel(job.Cancel{Force: true}, t0+minute)
	refused(t, err, apierr.InvalidTransition, "Job execution cannot go from TIMED_OUT to CANCELED.", timedOut)
	if err := queueFor(late, next).Delete(false, t0+minute); err != nil {
		t.Errorf("got %v from a delete without force, want it done: the execution has ended", err)
	}
}

// progress reports IN_PROGRESS, with a step timeout in minutes if step is not 0.
func progress(t *testing.T, q *job.Queue, now, step int64) job.Execution {
	t.Helper()
	x, err := q.Update(job.Update{Status: job.InProgress, StepTimeoutMinutes: step}, now)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// clock returns the time of day hhmm on the day of t0, which is noon.
func clock(t *testing.T, hhmm string) int64 {
	t.Helper()
	at, err := time.Parse("15:04", hhmm)
	if err != nil {
		t.Fatal(err)
	}
	return t0 + int64(at.Hour()-12)*60*minute + int64(at.Minute())*minute
}

func hhmm(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04") }
