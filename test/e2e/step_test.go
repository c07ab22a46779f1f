package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// The steps of which stories consist. Each ends the test if it fails.

// soon bounds everything that a server does by itself, right after its answer.
const soon = 15 * time.Second

const document = `{"operation": "install",  "version": "1.2.3"}`

func (s *stack) things(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := s.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name})
		check(t, "create thing", err)
	}
}

// group makes a group with members, which are there already.
func (s *stack) group(t *testing.T, name string, members ...string) {
	t.Helper()
	_, err := s.iot.CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{ThingGroupName: &name})
	check(t, "create group", err)
	for _, m := range members {
		s.join(t, m, name)
	}
}

func (s *stack) join(t *testing.T, thing, group string) {
	t.Helper()
	_, err := s.iot.AddThingToThingGroup(t.Context(), &iot.AddThingToThingGroupInput{ThingName: &thing, ThingGroupName: &group})
	check(t, "join", err)
}

func (s *stack) leave(t *testing.T, thing, group string) {
	t.Helper()
	_, err := s.iot.RemoveThingFromThingGroup(t.Context(), &iot.RemoveThingFromThingGroupInput{ThingName: &thing, ThingGroupName: &group})
	check(t, "leave", err)
}

// job makes a job for targets. with may change the request.
func (s *stack) job(t *testing.T, id string, with func(*iot.CreateJobInput), targets ...string) {
	t.Helper()
	in := &iot.CreateJobInput{JobId: &id, Targets: targets, Document: aws.String(document)}
	if with != nil {
		with(in)
	}
	_, err := s.iot.CreateJob(t.Context(), in)
	check(t, "create job", err)
}

func continuous(in *iot.CreateJobInput) { in.TargetSelection = types.TargetSelectionContinuous }

func (s *stack) describe(t *testing.T, id string) *types.Job {
	t.Helper()
	out, err := s.iot.DescribeJob(t.Context(), &iot.DescribeJobInput{JobId: &id})
	check(t, "describe job", err)
	return out.Job
}

// execution returns an execution as operators see it.
func (s *stack) execution(t *testing.T, thing, id string) *types.JobExecution {
	t.Helper()
	out, err := s.iot.DescribeJobExecution(t.Context(), &iot.DescribeJobExecutionInput{ThingName: &thing, JobId: &id})
	check(t, "describe execution", err)
	return out.Execution
}

// queued waits until a device has n queued executions and none in progress, and
// returns the ids of their jobs, in order.
func (s *stack) queued(t *testing.T, thing string, n int) []string {
	t.Helper()
	var ids []string
	harness.Wait(t, soon, fmt.Sprintf("%d queued executions of %s", n, thing), func(ctx context.Context) error {
		out, err := s.jobs.GetPendingJobExecutionsWithContext(ctx, &getPending{ThingName: &thing})
		if err != nil {
			return harness.Final(err)
		}
		ids = nil
		for _, x := range out.QueuedJobs {
			ids = append(ids, *x.JobId)
		}
		if len(ids) != n || len(out.InProgressJobs) > 0 {
			return fmt.Errorf("queued %v, in progress %v", ids, out.InProgressJobs)
		}
		return nil
	})
	return ids
}

// reaches waits until a job has a status.
func (s *stack) reaches(t *testing.T, id string, want types.JobStatus) *types.Job {
	t.Helper()
	var job *types.Job
	harness.Wait(t, soon, fmt.Sprintf("job %s to be %s", id, want), func(ctx context.Context) error {
		out, err := s.iot.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &id})
		if err != nil {
			return harness.Final(err)
		}
		job = out.Job
		if job.Status != want {
			return fmt.Errorf("it is %s, %v", job.Status, tally(job))
		}
		return nil
	})
	return job
}

// tally returns the counters of a job that are not zero.
func tally(j *types.Job) map[string]int32 {
	d := j.JobProcessDetails
	counts := map[string]int32{
		"queued": aws.ToInt32(d.NumberOfQueuedThings), "in progress": aws.ToInt32(d.NumberOfInProgressThings),
		"succeeded": aws.ToInt32(d.NumberOfSucceededThings), "failed": aws.ToInt32(d.NumberOfFailedThings),
		"rejected": aws.ToInt32(d.NumberOfRejectedThings), "canceled": aws.ToInt32(d.NumberOfCanceledThings),
		"removed": aws.ToInt32(d.NumberOfRemovedThings), "timed out": aws.ToInt32(d.NumberOfTimedOutThings),
	}
	for name, n := range counts {
		if n == 0 {
			delete(counts, name)
		}
	}
	return counts
}

// counts waits until the counters of a job are those given.
func (s *stack) counts(t *testing.T, id string, want map[string]int32) {
	t.Helper()
	harness.Wait(t, soon, "counters of job "+id, func(ctx context.Context) error {
		out, err := s.iot.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &id})
		if err != nil {
			return harness.Final(err)
		}
		if diff := cmp.Diff(want, tally(out.Job)); diff != "" {
			return fmt.Errorf("-want +got:\n%s", diff)
		}
		return nil
	})
}

func makeThing(t *testing.T, s *harness.Server, name string) {
	t.Helper()
	_, err := own(t, s).CreateThing(t.Context(), &wire.CreateThingRequest{ThingName: name})
	check(t, "create thing", err)
}

func hasThing(t *testing.T, s *harness.Server, name string) {
	t.Helper()
	_, err := own(t, s).DescribeThing(t.Context(), &wire.DescribeThingRequest{ThingName: name})
	check(t, "describe thing", err)
}
