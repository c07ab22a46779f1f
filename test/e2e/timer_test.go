package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// TestTimers lets both timers run for the minute that is the least they can be
// set to. Simulated time has tests of its own; this one shows that the program
// looks at the clock.
func TestTimers(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	things := []string{"job-timer", "step-timer", "step-capped", "step-stopped", "none"}
	s.things(t, things...)
	limited := func(minutes int64) func(*iot.CreateJobInput) {
		return func(in *iot.CreateJobInput) {
			in.TimeoutConfig = &types.TimeoutConfig{InProgressTimeoutInMinutes: &minutes}
		}
	}
	s.job(t, "one", limited(1), thingARN("job-timer"), thingARN("step-capped"))
	s.job(t, "two", limited(2), thingARN("step-timer"))
	s.job(t, "free", nil, thingARN("step-stopped"), thingARN("none"))
	begun := time.Now()
	for _, thing := range things {
		in := &startNext{ThingName: &thing}
		switch thing {
		case "step-timer", "step-stopped":
			in.StepTimeoutInMinutes = aws.Int64(1)
		case "step-capped":
			in.StepTimeoutInMinutes = aws.Int64(60)
		}
		out, err := s.jobs.StartNextPendingJobExecutionWithContext(t.Context(), in)
		check(t, "start "+thing, err)
		left := out.Execution.ApproximateSecondsBeforeTimedOut
		if thing == "none" {
			if left != nil {
				t.Errorf("none: got %d seconds", *left)
			}
			continue
		}
		if got := aws.ToInt64(left); got < 55 || got > 59 {
			t.Errorf("%s: got %d seconds left of a minute", thing, got)
		}
	}
	_, err := s.update(t, "step-stopped", "free", "IN_PROGRESS", func(in *updateInput) { in.StepTimeoutInMinutes = aws.Int64(-1) })
	check(t, "stop the timer", err)

	// The counters are looked at, which nothing but the timers themselves
	// changes: an execution that is asked for is judged on the spot.
	for id, n := range map[string]int32{"one": 2, "two": 1} {
		harness.Wait(t, 80*time.Second, "the timers of job "+id, func(ctx context.Context) error {
			out, err := s.iot.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &id})
			if err == nil && tally(out.Job)["timed out"] != n {
				return fmt.Errorf("counters: %v", tally(out.Job))
			}
			return err
		})
		if after := time.Since(begun); after < time.Minute || after > 65*time.Second {
			t.Errorf("job %s: fired after %s", id, after)
		}
		s.reaches(t, id, types.JobStatusCompleted)
	}
	if x := s.execution(t, "job-timer", "one"); x.Status != types.JobExecutionStatusTimedOut || x.VersionNumber != 3 {
		t.Errorf("timed out: got %+v", x)
	}
	if _, err := s.update(t, "step-timer", "two", "SUCCEEDED", nil); !isTransition(err) {
		t.Errorf("update after the end: got %v", err)
	}
	for _, thing := range []string{"step-stopped", "none"} {
		s.report(t, thing, "free", "SUCCEEDED")
	}
}
