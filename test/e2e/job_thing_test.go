package e2e_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// TestJobForAThing follows a job from its creation to its end.
func TestJobForAThing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump", "valve")
	created, err := s.iot.CreateJob(t.Context(), &iot.CreateJobInput{
		JobId: aws.String("update-1"), Targets: []string{thingARN("pump")}, Document: aws.String(document), Description: aws.String("the first"),
		TimeoutConfig: &types.TimeoutConfig{InProgressTimeoutInMinutes: aws.Int64(10)},
		Tags:          []types.Tag{{Key: aws.String("team"), Value: aws.String("water")}},
	})
	check(t, "create job", err)
	if *created.JobArn != jobARN("update-1") || *created.JobId != "update-1" || *created.Description != "the first" {
		t.Errorf("CreateJob: got %s %s %s", *created.JobArn, *created.JobId, *created.Description)
	}
	if x := s.start(t, "valve"); x != nil {
		t.Errorf("valve is no target, yet starts %v", x)
	}

	x := s.next(t, "pump")
	if *x.Status != "QUEUED" || *x.VersionNumber != 1 || *x.ExecutionNumber != 1 || x.StartedAt != nil || *x.JobDocument != document {
		t.Errorf("$next before the start: got %v", x)
	}
	began, err := s.jobs.StartNextPendingJobExecutionWithContext(t.Context(), &startNext{
		ThingName: aws.String("pump"), StatusDetails: details(map[string]string{"step": "download"}),
	})
	check(t, "start next", err)
	x = began.Execution
	if *x.Status != "IN_PROGRESS" || *x.VersionNumber != 2 || *x.JobDocument != document || *x.ThingName != "pump" || *x.StatusDetails["step"] != "download" {
		t.Errorf("started: got %v", x)
	}
	if left := aws.ToInt64(x.ApproximateSecondsBeforeTimedOut); left < 590 || left > 599 {
		t.Errorf("seconds left of ten minutes: got %d", left)
	}
	if again := s.start(t, "pump"); *again.VersionNumber != 2 {
		t.Errorf("started twice: got %v", again)
	}

	out, err := s.update(t, "pump", "update-1", "IN_PROGRESS", func(in *updateInput) {
		in.ExpectedVersion = aws.Int64(2)
		in.StatusDetails = details(map[string]string{"step": "install", "percent": "50"})
		in.IncludeJobExecutionState, in.IncludeJobDocument = aws.Bool(true), aws.Bool(true)
	})
	check(t, "update", err)
	if state := out.ExecutionState; *state.Status != "IN_PROGRESS" || *state.VersionNumber != 3 || *state.StatusDetails["percent"] != "50" || *out.JobDocument != document {
		t.Errorf("updated: got %v", out)
	}
	s.report(t, "pump", "update-1", "SUCCEEDED")

	j := s.reaches(t, "update-1", types.JobStatusCompleted)
	if diff := cmp.Diff(map[string]int32{"succeeded": 1}, tally(j)); diff != "" {
		t.Errorf("counters, -want +got:\n%s", diff)
	}
	if !recent(j.CreatedAt) || !recent(j.CompletedAt) || j.CompletedAt.Before(*j.CreatedAt) || j.TargetSelection != types.TargetSelectionSnapshot {
		t.Errorf("completed: got %+v", j)
	}
	e := s.execution(t, "pump", "update-1")
	want := map[string]string{"step": "install", "percent": "50"}
	if e.Status != types.JobExecutionStatusSucceeded || e.VersionNumber != 4 || !recent(e.QueuedAt) || !recent(e.StartedAt) || !cmp.Equal(want, e.StatusDetails.DetailsMap) {
		t.Errorf("execution: got %+v, details %v", e, e.StatusDetails.DetailsMap)
	}
	doc, err := s.iot.GetJobDocument(t.Context(), &iot.GetJobDocumentInput{JobId: aws.String("update-1")})
	check(t, "get document", err)
	if *doc.Document != document {
		t.Errorf("document: got %s", *doc.Document)
	}
}

// TestDeviceReportsTheEndAtOnce goes from QUEUED to each last status, as agents
// do that learn of a job from a notification.
func TestDeviceReportsTheEndAtOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b", "c")
	s.job(t, "j", nil, thingARN("a"), thingARN("b"), thingARN("c"))
	for thing, status := range map[string]string{"a": "SUCCEEDED", "b": "FAILED", "c": "REJECTED"} {
		s.report(t, thing, "j", status)
		if x := s.execution(t, thing, "j"); string(x.Status) != status || x.VersionNumber != 2 || x.StartedAt != nil {
			t.Errorf("%s: got %+v", status, x)
		}
	}
	j := s.reaches(t, "j", types.JobStatusCompleted)
	if diff := cmp.Diff(map[string]int32{"succeeded": 1, "failed": 1, "rejected": 1}, tally(j)); diff != "" {
		t.Errorf("counters, -want +got:\n%s", diff)
	}
}

// TestQueueOrder keeps what is in progress in front and the rest in the order in
// which it was queued.
func TestQueueOrder(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	for _, id := range []string{"c", "a", "b"} {
		s.job(t, id, nil, thingARN("pump"))
	}
	if got, want := s.queued(t, "pump", 3), []string{"c", "a", "b"}; !cmp.Equal(want, got) {
		t.Fatalf("queue: got %v, want %v", got, want)
	}
	s.report(t, "pump", "b", "IN_PROGRESS") // out of turn
	for _, want := range []string{"b", "c", "a"} {
		x := s.start(t, "pump")
		if *x.JobId != want || *x.VersionNumber != 2 {
			t.Errorf("next: got %s version %d, want %s", *x.JobId, *x.VersionNumber, want)
		}
		s.report(t, "pump", want, "SUCCEEDED")
	}
	if x := s.start(t, "pump"); x != nil {
		t.Errorf("the queue is done, yet starts %v", x)
	}
}
