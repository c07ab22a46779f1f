package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

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

// paginator is one of the SDK's, with an output type of its own each.
type paginator[Page, Option any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, options ...Option) (Page, error)
}

// walk goes through all pages of a list and returns what was on them. names
// returns what is on one. between, if not nil, is called after each page.
func walk[Page, Option any](t *testing.T, p paginator[Page, Option], names func(Page) []string, between func()) seen {
	t.Helper()
	all := make(seen)
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, "next page", err)
		for _, name := range names(page) {
			all[name]++
		}
		if between != nil {
			between()
		}
	}
	return all
}

func thingsOf(o *iot.ListJobExecutionsForJobOutput) []string {
	var names []string
	for _, x := range o.ExecutionSummaries {
		names = append(names, *x.ThingArn)
	}
	return names
}

// TestPagesOfExecutions lists a job on 10,000 things, while devices all over the
// list finish it.
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

	done := 0
	finish := func() {
		for range 20 {
			name := names[done*7919%len(names)] // a prime: each at most once
			_, err := c.UpdateJobExecution(t.Context(), &wire.UpdateJobExecutionRequest{ThingName: name, JobID: "roll", Status: "SUCCEEDED"})
			check(t, "update", err)
			done++
		}
	}
	in := &iot.ListJobExecutionsForJobInput{JobId: aws.String("roll")}
	walk(t, iot.NewListJobExecutionsForJobPaginator(s.iot, in), thingsOf, finish).once(t, arns)

	// Pages with a filter may be short, but the list is whole.
	in.Status, in.MaxResults = types.JobExecutionStatusSucceeded, aws.Int32(7)
	if got := walk(t, iot.NewListJobExecutionsForJobPaginator(s.iot, in), thingsOf, nil); len(got) != done {
		t.Errorf("SUCCEEDED: got %d, want %d", len(got), done)
	}
	s.counts(t, "roll", map[string]int32{"queued": int32(10_000 - done), "succeeded": int32(done)})

	members := iot.NewListThingsInThingGroupPaginator(s.iot, &iot.ListThingsInThingGroupInput{ThingGroupName: aws.String("fleet")})
	walk(t, members, func(o *iot.ListThingsInThingGroupOutput) []string { return o.Things }, nil).once(t, names)
}

// TestPagesOfJobs lists 1,000 jobs while others come and go, and then the
// executions of one thing.
func TestPagesOfJobs(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	c := own(t, s.Server)
	things := append([]string{"pump", "other"}, numbered("device-", 70)...)
	s.things(t, things...)
	ids, ofPump := numbered("job-", 1000), 300
	each(t, ids, func(ctx context.Context, id string) error {
		thing := "pump"
		if n := slices.Index(ids, id); n >= ofPump {
			thing = things[2+n%70]
		}
		_, err := c.CreateJob(ctx, &wire.CreateJobRequest{JobID: id, Targets: []string{thingARN(thing)}, Document: "{}"})
		return err
	})

	passing := 0
	comeAndGo := func() {
		_, err := c.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: fmt.Sprint("passing-", passing), Targets: []string{thingARN("other")}, Document: "{}"})
		check(t, "create", err)
		if passing > 2 {
			check(t, "delete", c.DeleteJob(t.Context(), &wire.DeleteJobRequest{JobID: fmt.Sprint("passing-", passing-3), Force: true}))
		}
		passing++
	}
	for _, size := range []int32{250, 33} {
		p := iot.NewListJobsPaginator(s.iot, &iot.ListJobsInput{MaxResults: &size})
		walk(t, p, func(o *iot.ListJobsOutput) []string {
			var ids []string
			for _, j := range o.Jobs {
				ids = append(ids, *j.JobId)
			}
			return ids
		}, comeAndGo).once(t, ids)
	}

	var last time.Time
	p := iot.NewListJobExecutionsForThingPaginator(s.iot, &iot.ListJobExecutionsForThingInput{ThingName: aws.String("pump"), MaxResults: aws.Int32(33)})
	walk(t, p, func(o *iot.ListJobExecutionsForThingOutput) []string {
		var ids []string
		for _, x := range o.ExecutionSummaries {
			at := *x.JobExecutionSummary.QueuedAt
			if !last.IsZero() && at.After(last) {
				t.Errorf("%s was queued after the one before it: newest come first", *x.JobId)
			}
			last = at
			ids = append(ids, *x.JobId)
		}
		return ids
	}, nil).once(t, ids[:ofPump])

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
