package e2e_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/google/go-cmp/cmp"
)

// TestNamesInPaths has names that clients spell in more than one way on the
// wire: with colons, and $next both escaped and not.
func TestNamesInPaths(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const thing = "site:7:pump_a-b"
	s.things(t, thing, "jobs")
	s.job(t, "022", nil, thingARN(thing))
	s.job(t, "cancel", nil, thingARN(thing), thingARN("jobs"))

	var mu sync.Mutex
	var sent []string
	onSend(s.jobs, func(method, path string) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, method+" "+path)
	})
	if x := s.next(t, thing); *x.JobId != "022" || *x.ThingName != thing {
		t.Errorf("$next: got %v", x)
	}
	if x := s.start(t, thing); *x.JobId != "022" || *x.Status != "IN_PROGRESS" {
		t.Errorf("start next: got %v", x)
	}
	s.report(t, thing, "022", "SUCCEEDED")
	want := []string{
		"GET /things/site%3A7%3Apump_a-b/jobs/%24next",
		"PUT /things/site%3A7%3Apump_a-b/jobs/$next",
		"POST /things/site%3A7%3Apump_a-b/jobs/022",
	}
	mu.Lock()
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("the SDK spells other paths than this test is about, -want +got:\n%s", diff)
	}
	mu.Unlock()

	// Names that are also words of paths.
	s.report(t, "jobs", "cancel", "IN_PROGRESS")
	if x := s.execution(t, "jobs", "cancel"); x.Status != "IN_PROGRESS" {
		t.Errorf("job cancel of thing jobs: got %+v", x)
	}
	_, err := s.iot.CancelJobExecution(t.Context(), &iot.CancelJobExecutionInput{ThingName: aws.String("jobs"), JobId: aws.String("cancel"), Force: true})
	check(t, "cancel execution", err)
	if got := s.queued(t, thing, 1); !slices.Equal(got, []string{"cancel"}) {
		t.Errorf("queue: got %v", got)
	}
}

// TestNextOfAnIdleThing is nothing, not an error; $next cannot be updated.
func TestNextOfAnIdleThing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	if x := s.next(t, "pump"); x != nil {
		t.Errorf("$next: got %v", x)
	}
	if x := s.start(t, "pump"); x != nil {
		t.Errorf("start next: got %v", x)
	}
	_, err := s.update(t, "pump", "$next", "IN_PROGRESS", nil)
	if f, _ := deviceFault(err); !isInvalidForDevice(err) || f.status != http.StatusBadRequest {
		t.Errorf("update of $next: got %v", err)
	}
}

// TestTwoPlanesOnOnePath asks both planes by the same paths.
func TestTwoPlanesOnOnePath(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	s.report(t, "pump", "j", "SUCCEEDED")
	history, err := s.iot.ListJobExecutionsForThing(t.Context(), &iot.ListJobExecutionsForThingInput{ThingName: aws.String("pump")})
	check(t, "history", err)
	if len(history.ExecutionSummaries) != 1 || history.ExecutionSummaries[0].JobExecutionSummary.Status != "SUCCEEDED" {
		t.Errorf("an operator sees the history: got %+v", history.ExecutionSummaries)
	}
	pending, err := s.jobs.GetPendingJobExecutionsWithContext(t.Context(), &getPending{ThingName: aws.String("pump")})
	check(t, "pending", err)
	if len(pending.QueuedJobs)+len(pending.InProgressJobs) != 0 {
		t.Errorf("a device sees what is to do: got %v", pending)
	}
	x, err := s.jobs.DescribeJobExecutionWithContext(t.Context(), &describeNext{ThingName: aws.String("pump"), JobId: aws.String("j")})
	check(t, "describe for the device", err)
	if *x.Execution.JobDocument != document {
		t.Errorf("a device sees the document: got %v", x.Execution)
	}
	if e := s.execution(t, "pump", "j"); *e.ThingArn != thingARN("pump") {
		t.Errorf("an operator sees the ARN: got %+v", e)
	}
}
