package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"

	"github.com/google/go-cmp/cmp"
)

// audit compares a server with the ledger: everything acknowledged is there, and
// what was not is there whole or not at all. all looks at everything, else at
// what may have changed since the last audit.
func (l *ledger) audit(t *testing.T, c *client.Client, all bool) {
	t.Helper()
	l.resolveCreates(t, c)
	if all {
		each(t, slices.Collect(maps.Keys(l.things)), func(ctx context.Context, name string) error {
			out, err := c.DescribeThing(ctx, &wire.DescribeThingRequest{ThingName: name})
			if err == nil && out.ThingID != l.things[name] {
				err = fmt.Errorf("thing %s: got id %s, acknowledged was %s", name, out.ThingID, l.things[name])
			}
			return err
		})
	}
	var keys []executionKey
	jobs := make(map[string]bool)
	for key := range l.executions {
		if all || l.touched[key] || l.starts[key.thing] > 0 {
			keys = append(keys, key)
			jobs[key.job] = true
		}
	}
	harness.Wait(t, time.Minute, "rollouts and sweeps that were cut off", func(ctx context.Context) error {
		for id := range jobs {
			if err := l.agree(ctx, c, id); err != nil {
				return err
			}
		}
		return nil
	})
	each(t, keys, func(ctx context.Context, key executionKey) error {
		out, err := c.DescribeJobExecution(ctx, &wire.DescribeJobExecutionRequest{ThingName: key.thing, JobID: key.job})
		if client.Code(err) == "ResourceNotFoundException" && l.overtaken(key.job) && l.untouched(key) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%+v: %w", key, err)
		}
		x := out.Execution
		return l.found(key, outcome{x.Status, x.VersionNumber, x.StatusDetails.DetailsMap["step"]})
	})
	clear(l.starts)
}

// resolveCreates finds out which creates without an answer were served.
func (l *ledger) resolveCreates(t *testing.T, c *client.Client) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(l.maybe)) {
		j := l.maybe[id]
		delete(l.maybe, id)
		_, err := c.DescribeJob(t.Context(), &wire.DescribeJobRequest{JobID: id})
		switch {
		case err == nil:
			l.adopt(id, j)
		case client.Code(err) != "ResourceNotFoundException":
			t.Fatal(err)
		}
	}
	for key := range l.executions {
		if l.jobs[key.job] == nil {
			t.Fatalf("a device has worked on %+v, of which there is no job", key)
		}
	}
}

// agree returns nil if a job is as acknowledged, has the executions that it
// should, and its counters say of them what the list does.
func (l *ledger) agree(ctx context.Context, c *client.Client, id string) error {
	want := l.jobs[id]
	doc, err := c.GetJobDocument(ctx, &wire.GetJobDocumentRequest{JobID: id})
	if err != nil {
		return harness.Final(err)
	}
	if doc.Document != want.document {
		return harness.Final(fmt.Errorf("job %s: got document %s, acknowledged was %s", id, doc.Document, want.document))
	}
	counted, err := counters(ctx, c, id)
	if err != nil {
		return harness.Final(err)
	}
	listed := make(map[string]int64)
	var things []string
	for x, err := range c.JobExecutions(ctx, wire.ListJobExecutionsForJobRequest{JobID: id}) {
		if err != nil {
			return harness.Final(err)
		}
		listed[x.JobExecutionSummary.Status]++
		things = append(things, x.ThingARN)
		if x.JobExecutionSummary.ExecutionNumber != 1 {
			return harness.Final(fmt.Errorf("job %s was queued twice: %+v", id, x))
		}
	}
	slices.Sort(things)
	if n := len(things); len(slices.Compact(things)) != n {
		return harness.Final(fmt.Errorf("job %s is listed more than once for a thing", id))
	}
	if diff := cmp.Diff(listed, counted); diff != "" {
		return fmt.Errorf("job %s, -listed +counted:\n%s", id, diff)
	}
	if len(things) != len(want.things) && !l.overtaken(id) {
		return fmt.Errorf("job %s has %d of %d executions", id, len(things), len(want.things))
	}
	return nil
}

// counters returns the counters of a job that are not zero, by status.
func counters(ctx context.Context, c *client.Client, id string) (map[string]int64, error) {
	out, err := c.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: id})
	if err != nil {
		return nil, err
	}
	d := out.Job.JobProcessDetails
	n := map[string]int64{
		"QUEUED": d.NumberOfQueuedThings, "IN_PROGRESS": d.NumberOfInProgressThings, "SUCCEEDED": d.NumberOfSucceededThings,
		"FAILED": d.NumberOfFailedThings, "REJECTED": d.NumberOfRejectedThings, "CANCELED": d.NumberOfCanceledThings,
		"REMOVED": d.NumberOfRemovedThings, "TIMED_OUT": d.NumberOfTimedOutThings,
	}
	maps.DeleteFunc(n, func(_ string, n int64) bool { return n == 0 })
	return n, nil
}

// finished lets every execution that is known to be live have come to an end.
func (l *ledger) finished(t *testing.T, c *client.Client) {
	t.Helper()
	each(t, slices.Collect(maps.Keys(l.executions)), func(ctx context.Context, key executionKey) error {
		out, err := c.DescribeJobExecution(ctx, &wire.DescribeJobExecutionRequest{ThingName: key.thing, JobID: key.job})
		if err != nil {
			return err
		}
		x := out.Execution
		got, known := outcome{x.Status, x.VersionNumber, x.StatusDetails.DetailsMap["step"]}, l.executions[key].known
		switch {
		case got.live():
			err = errors.New("is still live")
		case !known.live() && got != known:
			err = fmt.Errorf("was over with %+v", known)
		case known.live() && (got.status != "SUCCEEDED" || got.version <= known.version):
			err = fmt.Errorf("was %+v, and its device has done it", known)
		}
		if err != nil {
			return fmt.Errorf("%+v is %+v: %w", key, got, err)
		}
		return nil
	})
}
