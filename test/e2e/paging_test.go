package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

// seen counts how often each item of a list was listed.
type seen map[string]int

// once ends the test unless each of the names was listed exactly once. Others may have been.
func (s seen) once(t *testing.T, names []string) {
	t.Helper()
	missing, twice := 0, 0
	for _, name := range names {
		switch s[name] {
		case 0:
			missing++
		case 1:
		default:
			twice++
		}
	}
	if missing+twice > 0 {
		t.Fatalf("of %d: %d are missing, %d came more than once", len(names), missing, twice)
	}
}

// walk adds every item of every page. more and next are those of an SDK paginator.
func walk[Page, Item any](t *testing.T, into seen, more func() bool, next func(context.Context) (Page, error), items func(Page) []Item, name func(Item) string) {
	t.Helper()
	for more() {
		page, err := next(t.Context())
		check(t, "next page", err)
		for _, item := range items(page) {
			into[name(item)]++
		}
	}
}

// TestPagesOfExecutions lists a job on 10,000 things with the SDK's paginators,
// while devices work on it.
func TestPagesOfExecutions(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	c := own(t, s.Server)
	names := numbered("device-", 10_000)
	fleet(t, c, "fleet", names)
	s.job(t, "roll", nil, groupARN("fleet"))
	s.counts(t, "roll", map[string]int32{"queued": 10_000})

	arns := make([]string, len(names))
	for i, name := range names {
		arns[i] = thingARN(name)
	}
	stop := disturb(t, c, names)
	got := make(seen)
	p := iot.NewListJobExecutionsForJobPaginator(s.iot, &iot.ListJobExecutionsForJobInput{JobId: aws.String("roll"), MaxResults: aws.Int32(100)})
	walk(t, got, p.HasMorePages, func(ctx context.Context) (*iot.ListJobExecutionsForJobOutput, error) { return p.NextPage(ctx) },
		func(o *iot.ListJobExecutionsForJobOutput) []types.JobExecutionSummaryForJob {
			return o.ExecutionSummaries
		},
		func(x types.JobExecutionSummaryForJob) string { return *x.ThingArn })
	n := stop()
	got.once(t, arns)
	t.Logf("%d executions have finished while they were listed", n)

	// Filtered pages may be short, but the list is whole.
	done := make(seen)
	p = iot.NewListJobExecutionsForJobPaginator(s.iot, &iot.ListJobExecutionsForJobInput{
		JobId: aws.String("roll"), Status: types.JobExecutionStatusSucceeded, MaxResults: aws.Int32(7),
	})
	walk(t, done, p.HasMorePages, func(ctx context.Context) (*iot.ListJobExecutionsForJobOutput, error) { return p.NextPage(ctx) },
		func(o *iot.ListJobExecutionsForJobOutput) []types.JobExecutionSummaryForJob {
			return o.ExecutionSummaries
		},
		func(x types.JobExecutionSummaryForJob) string { return *x.ThingArn })
	if len(done) != n {
		t.Errorf("SUCCEEDED: got %d, want %d", len(done), n)
	}
	s.counts(t, "roll", map[string]int32{"queued": int32(10_000 - n), "succeeded": int32(n)})

	things := make(seen)
	l := iot.NewListThingsInThingGroupPaginator(s.iot, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("fleet")})
	walk(t, things, l.HasMorePages, func(ctx context.Context) (*iot.ListThingsInThingGroupOutput, error) { return l.NextPage(ctx) },
		func(o *iot.ListThingsInThingGroupOutput) []string { return o.Things }, func(name string) string { return name })
	things.once(t, names)
}

// disturb begins to finish executions all over the list, and returns what ends
// it and tells how many it were.
func disturb(t *testing.T, c *client.Client, names []string) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	var wg sync.WaitGroup
	const devices = 4
	for first := range devices {
		wg.Go(func() {
			for i := first; i < len(names) && ctx.Err() == nil; i += devices {
				name := names[i*7919%len(names)] // a prime: each once
				_, err := c.UpdateJobExecution(t.Context(), &wire.UpdateJobExecutionRequest{ThingName: name, JobID: "roll", Status: "SUCCEEDED"})
				if err != nil {
					t.Errorf("update: %v", err)
					return
				}
				n.Add(1)
			}
		})
	}
	return func() int {
		cancel()
		wg.Wait()
		return int(n.Load())
	}
}

// TestPagesOfJobs lists 1,000 jobs, and the 1,000 executions of one thing, while
// jobs come and go.
func TestPagesOfJobs(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	c := own(t, s.Server)
	s.things(t, "pump", "other")
	ids := numbered("job-", 1000)
	each(t, ids, func(ctx context.Context, id string) error {
		_, err := c.CreateJob(ctx, &wire.CreateJobRequest{JobID: id, Targets: []string{thingARN("pump")}, Document: "{}"})
		return err
	})

	var passing atomic.Int64
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if err := comeAndGo(t.Context(), c, fmt.Sprint("passing-", passing.Add(1))); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for _, size := range []int32{250, 33} {
		got := make(seen)
		p := iot.NewListJobsPaginator(s.iot, &iot.ListJobsInput{MaxResults: &size})
		walk(t, got, p.HasMorePages, func(ctx context.Context) (*iot.ListJobsOutput, error) { return p.NextPage(ctx) },
			func(o *iot.ListJobsOutput) []types.JobSummary { return o.Jobs }, func(j types.JobSummary) string { return *j.JobId })
		got.once(t, ids)
	}
	close(stop)
	check(t, "jobs that come and go", <-stopped)

	got := make(seen)
	var last time.Time
	p := iot.NewListJobExecutionsForThingPaginator(s.iot, &iot.ListJobExecutionsForThingInput{ThingName: aws.String("pump")})
	walk(t, got, p.HasMorePages, func(ctx context.Context) (*iot.ListJobExecutionsForThingOutput, error) { return p.NextPage(ctx) },
		func(o *iot.ListJobExecutionsForThingOutput) []types.JobExecutionSummaryForThing {
			return o.ExecutionSummaries
		},
		func(x types.JobExecutionSummaryForThing) string {
			at := *x.JobExecutionSummary.QueuedAt
			if !last.IsZero() && at.After(last) {
				t.Errorf("%s was queued after the one before it: newest come first", *x.JobId)
			}
			last = at
			return *x.JobId
		})
	got.once(t, ids)

	// A device is shown the first ten of its queue, and works on the first.
	out, err := s.jobs.GetPendingJobExecutionsWithContext(t.Context(), &getPending{ThingName: aws.String("pump")})
	check(t, "pending", err)
	if len(out.QueuedJobs) != 10 {
		t.Errorf("pending: got %d, want 10", len(out.QueuedJobs))
	}
	if x := s.start(t, "pump"); *x.JobId != *out.QueuedJobs[0].JobId {
		t.Errorf("next: got %s, the first is %s", *x.JobId, *out.QueuedJobs[0].JobId)
	}
}

// comeAndGo makes a job and deletes it.
func comeAndGo(ctx context.Context, c *client.Client, id string) error {
	_, err := c.CreateJob(ctx, &wire.CreateJobRequest{JobID: id, Targets: []string{thingARN("other")}, Document: "{}"})
	if err != nil {
		return err
	}
	return c.DeleteJob(ctx, &wire.DeleteJobRequest{JobID: id, Force: true})
}
