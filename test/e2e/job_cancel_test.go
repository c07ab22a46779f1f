package e2e_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// cancel cancels a job with a reason.
func (s *stack) cancel(t *testing.T, id string, force bool) error {
	t.Helper()
	out, err := s.iot.CancelJob(t.Context(), &iot.CancelJobInput{
		JobId: &id, Force: force, ReasonCode: aws.String("WRONG_FILE"), Comment: aws.String("the wrong file"),
	})
	if err == nil && (*out.JobId != id || *out.JobArn != jobARN(id)) {
		t.Errorf("CancelJob: got %+v", out)
	}
	return err
}

// TestCancelJob leaves alone what devices are doing.
func TestCancelJob(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "working", "waiting", "done")
	s.job(t, "j", nil, thingARN("working"), thingARN("waiting"), thingARN("done"))
	s.start(t, "working")
	s.report(t, "done", "j", "SUCCEEDED")
	check(t, "cancel", s.cancel(t, "j", false))
	if x := s.start(t, "waiting"); x != nil {
		t.Errorf("the job is canceled, yet starts %v", x)
	}
	s.counts(t, "j", map[string]int32{"succeeded": 1, "canceled": 1, "in progress": 1})
	s.report(t, "working", "j", "SUCCEEDED")
	s.counts(t, "j", map[string]int32{"succeeded": 2, "canceled": 1})
	j := s.describe(t, "j")
	if j.Status != types.JobStatusCanceled || aws.ToBool(j.ForceCanceled) || *j.ReasonCode != "WRONG_FILE" || *j.Comment != "the wrong file" {
		t.Errorf("canceled: got %+v", j)
	}
	for _, force := range []bool{false, true} {
		if _, ok := errors.AsType[*types.InvalidRequestException](s.cancel(t, "j", force)); !ok {
			t.Errorf("canceled again, force %v: not refused", force)
		}
	}
}

// TestCancelJobByForce ends what devices are doing, and they are told.
func TestCancelJobByForce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "working", "waiting")
	s.job(t, "j", nil, thingARN("working"), thingARN("waiting"))
	s.start(t, "working")
	check(t, "cancel", s.cancel(t, "j", true))
	if _, err := s.update(t, "working", "j", "SUCCEEDED", nil); !isTransition(err) {
		t.Errorf("update after the cancel: got %v", err)
	}
	s.counts(t, "j", map[string]int32{"canceled": 2})
	if j := s.describe(t, "j"); j.Status != types.JobStatusCanceled || !aws.ToBool(j.ForceCanceled) {
		t.Errorf("canceled by force: got %+v", j)
	}
	if x := s.execution(t, "working", "j"); x.Status != types.JobExecutionStatusCanceled || !aws.ToBool(x.ForceCanceled) || x.VersionNumber != 3 {
		t.Errorf("execution: got %+v", x)
	}
}

// TestDeleteJob needs force for a job that is not over, and frees its id.
func TestDeleteJob(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	del := func(id string, force bool) error {
		_, err := s.iot.DeleteJob(t.Context(), &iot.DeleteJobInput{JobId: &id, Force: force})
		return err
	}
	s.job(t, "j", nil, thingARN("pump"))
	s.start(t, "pump")
	if _, ok := errors.AsType[*types.InvalidStateTransitionException](del("j", false)); !ok {
		t.Error("a job in progress was deleted without force")
	}
	check(t, "delete by force", del("j", true))
	if x := s.start(t, "pump"); x != nil {
		t.Errorf("the job is deleted, yet starts %v", x)
	}
	s.gone(t, "j")
	if err := del("j", true); !isNotFound(err) {
		t.Errorf("deleted again: got %v", err)
	}

	s.job(t, "j", nil, thingARN("pump"))
	if x := s.start(t, "pump"); *x.ExecutionNumber != 1 || *x.VersionNumber != 2 {
		t.Errorf("a job under an old id has inherited %v", x)
	}
	s.report(t, "pump", "j", "SUCCEEDED")
	s.reaches(t, "j", types.JobStatusCompleted)
	check(t, "delete completed", del("j", false))
	s.gone(t, "j")
	out, err := s.iot.ListJobExecutionsForThing(t.Context(), &iot.ListJobExecutionsForThingInput{ThingName: aws.String("pump")})
	check(t, "list", err)
	if len(out.ExecutionSummaries) != 0 {
		t.Errorf("executions of deleted jobs: got %v", out.ExecutionSummaries)
	}
}

// TestUpdateJob changes what it is told to, and a later start sees it.
func TestUpdateJob(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b")
	s.job(t, "j", nil, thingARN("a"), thingARN("b"))
	s.start(t, "a")
	_, err := s.iot.UpdateJob(t.Context(), &iot.UpdateJobInput{
		JobId: aws.String("j"), Description: aws.String("now with a limit"), TimeoutConfig: &types.TimeoutConfig{InProgressTimeoutInMinutes: aws.Int64(5)},
	})
	check(t, "update job", err)
	j := s.describe(t, "j")
	if *j.Description != "now with a limit" || *j.TimeoutConfig.InProgressTimeoutInMinutes != 5 {
		t.Errorf("updated: got %+v", j)
	}
	if x := s.execution(t, "a", "j"); x.ApproximateSecondsBeforeTimedOut != nil {
		t.Errorf("started before the limit: got %d seconds left", *x.ApproximateSecondsBeforeTimedOut)
	}
	if x := s.start(t, "b"); x.ApproximateSecondsBeforeTimedOut == nil {
		t.Errorf("started after the limit: got %v", x)
	}
}

// TestDeleteThing removes what it has pending and keeps its history with the job.
func TestDeleteThing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "done", nil, thingARN("pump"))
	s.report(t, "pump", "done", "SUCCEEDED")
	s.job(t, "open", nil, thingARN("pump"))
	_, err := s.iot.DeleteThing(t.Context(), &iot.DeleteThingInput{ThingName: aws.String("pump")})
	check(t, "delete thing", err)
	s.counts(t, "open", map[string]int32{"removed": 1})
	s.reaches(t, "open", types.JobStatusCompleted)
	list, err := s.iot.ListJobExecutionsForJob(t.Context(), &iot.ListJobExecutionsForJobInput{JobId: aws.String("done")})
	check(t, "list", err)
	if len(list.ExecutionSummaries) != 1 || *list.ExecutionSummaries[0].ThingArn != thingARN("pump") {
		t.Errorf("history: got %+v", list.ExecutionSummaries)
	}
	s.things(t, "pump")
	if got := s.queued(t, "pump", 0); !cmp.Equal([]string(nil), got) {
		t.Errorf("a thing under an old name has inherited %v", got)
	}
	if _, err := s.iot.DescribeJobExecution(t.Context(), &iot.DescribeJobExecutionInput{ThingName: aws.String("pump"), JobId: aws.String("done")}); !isNotFound(err) {
		t.Errorf("a thing under an old name has a history: %v", err)
	}
}
