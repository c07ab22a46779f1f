package e2e_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// TestVersionMismatch changes nothing on either plane.
func TestVersionMismatch(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	s.start(t, "pump")
	for _, expected := range []int64{1, 3, 99} {
		_, err := s.update(t, "pump", "j", "SUCCEEDED", func(in *updateInput) { in.ExpectedVersion = &expected })
		if f, _ := deviceFault(err); !isTransition(err) || !strings.Contains(f.text, "but found version 2") {
			t.Errorf("update with version %d: got %v", expected, err)
		}
		_, err = s.iot.CancelJobExecution(t.Context(), &iot.CancelJobExecutionInput{
			ThingName: aws.String("pump"), JobId: aws.String("j"), Force: true, ExpectedVersion: &expected,
		})
		if _, ok := errors.AsType[*types.VersionConflictException](err); !ok {
			t.Errorf("cancel with version %d: got %v", expected, err)
		}
	}
	if x := s.execution(t, "pump", "j"); x.Status != types.JobExecutionStatusInProgress || x.VersionNumber != 2 {
		t.Errorf("after the refusals: got %+v", x)
	}
}

// TestInvalidTransition refuses what the life cycle does not have.
func TestInvalidTransition(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.job(t, "j", nil, thingARN("pump"))
	_, err := s.update(t, "pump", "j", "QUEUED", nil)
	if !isTransition(err) {
		t.Errorf("back to QUEUED: got %v", err)
	}
	for _, status := range []string{"CANCELED", "REMOVED", "TIMED_OUT", "SUCCESS"} {
		_, err := s.update(t, "pump", "j", status, nil)
		if !isInvalidForDevice(err) {
			t.Errorf("device reports %s: got %v", status, err)
		}
	}
	s.report(t, "pump", "j", "FAILED")
	for _, status := range []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"} {
		if _, err := s.update(t, "pump", "j", status, nil); !isTransition(err) {
			t.Errorf("from FAILED to %s: got %v", status, err)
		}
	}
	if x := s.execution(t, "pump", "j"); x.Status != types.JobExecutionStatusFailed || x.VersionNumber != 2 {
		t.Errorf("after the refusals: got %+v", x)
	}
}

// TestCancelExecution cancels what is queued, and with force what is under way.
func TestCancelExecution(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b")
	s.job(t, "j", nil, thingARN("a"), thingARN("b"))
	cancel := func(thing string, force bool) error {
		_, err := s.iot.CancelJobExecution(t.Context(), &iot.CancelJobExecutionInput{
			ThingName: &thing, JobId: aws.String("j"), Force: force, StatusDetails: map[string]string{"by": "operator"},
		})
		return err
	}
	check(t, "cancel queued", cancel("a", false))
	if x := s.execution(t, "a", "j"); x.Status != types.JobExecutionStatusCanceled || aws.ToBool(x.ForceCanceled) || x.StatusDetails.DetailsMap["by"] != "operator" {
		t.Errorf("canceled: got %+v", x)
	}
	if x := s.start(t, "a"); x != nil {
		t.Errorf("canceled, yet starts %v", x)
	}
	if _, err := s.update(t, "a", "j", "IN_PROGRESS", nil); !isTransition(err) {
		t.Errorf("update of the canceled: got %v", err)
	}

	s.start(t, "b")
	for _, step := range []struct {
		thing string
		force bool
	}{{"b", false}, {"a", false}, {"a", true}} {
		_, ok := errors.AsType[*types.InvalidStateTransitionException](cancel(step.thing, step.force))
		if !ok {
			t.Errorf("cancel %+v: not refused", step)
		}
	}
	check(t, "cancel in progress by force", cancel("b", true))
	if x := s.execution(t, "b", "j"); x.Status != types.JobExecutionStatusCanceled || !aws.ToBool(x.ForceCanceled) || x.VersionNumber != 3 {
		t.Errorf("canceled by force: got %+v", x)
	}
	j := s.reaches(t, "j", types.JobStatusCompleted)
	if diff := cmp.Diff(map[string]int32{"canceled": 2}, tally(j)); diff != "" {
		t.Errorf("counters, -want +got:\n%s", diff)
	}
}

// TestDeleteExecution takes away one execution and keeps the rest.
func TestDeleteExecution(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b", "c")
	s.group(t, "site", "a", "b", "c")
	s.job(t, "j", continuous, groupARN("site"))
	del := func(thing string, number int64, force bool) error {
		_, err := s.iot.DeleteJobExecution(t.Context(), &iot.DeleteJobExecutionInput{
			ThingName: &thing, JobId: aws.String("j"), ExecutionNumber: &number, Force: force,
		})
		return err
	}
	s.queued(t, "a", 1)
	check(t, "delete queued", del("a", 1, false))
	if _, err := s.iot.DescribeJobExecution(t.Context(), &iot.DescribeJobExecutionInput{ThingName: aws.String("a"), JobId: aws.String("j")}); !isNotFound(err) {
		t.Errorf("deleted: got %v", err)
	}
	if x := s.start(t, "a"); x != nil {
		t.Errorf("deleted, yet starts %v", x)
	}
	s.start(t, "b")
	if _, ok := errors.AsType[*types.InvalidStateTransitionException](del("b", 1, false)); !ok {
		t.Error("what is in progress was deleted without force")
	}
	if err := del("b", 2, true); !isNotFound(err) {
		t.Errorf("delete of a number that is not there: got %v", err)
	}
	check(t, "delete in progress by force", del("b", 1, true))
	_, err := s.update(t, "b", "j", "SUCCEEDED", nil)
	if !isNotFoundForDevice(err) {
		t.Errorf("update of the deleted: got %v", err)
	}
	s.report(t, "c", "j", "SUCCEEDED")
	s.counts(t, "j", map[string]int32{"succeeded": 1})
	check(t, "delete finished", del("c", 1, false))
	s.counts(t, "j", map[string]int32{})

	// A number is never used twice.
	s.leave(t, "a", "site")
	s.join(t, "a", "site")
	s.queued(t, "a", 1)
	if x := s.start(t, "a"); *x.ExecutionNumber != 2 {
		t.Errorf("queued again after a delete: got number %d, want 2", *x.ExecutionNumber)
	}
}

// TestDescribeByNumber finds every execution of a job on a thing, and the latest unasked.
func TestDescribeByNumber(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "pump")
	s.group(t, "site", "pump")
	s.job(t, "j", continuous, groupARN("site"))
	s.queued(t, "pump", 1)
	s.report(t, "pump", "j", "REJECTED")
	s.leave(t, "pump", "site")
	s.join(t, "pump", "site")
	s.queued(t, "pump", 1)
	for number, want := range map[int64]string{1: "REJECTED", 2: "QUEUED"} {
		out, err := s.jobs.DescribeJobExecutionWithContext(t.Context(), &describeNext{
			ThingName: aws.String("pump"), JobId: aws.String("j"), ExecutionNumber: &number, IncludeJobDocument: aws.Bool(number == 1),
		})
		check(t, "describe", err)
		if x := out.Execution; *x.Status != want || (x.JobDocument != nil) != (number == 1) {
			t.Errorf("number %d: got %v, want %s", number, x, want)
		}
	}
	if x := s.execution(t, "pump", "j"); *x.ExecutionNumber != 2 {
		t.Errorf("latest: got number %d", *x.ExecutionNumber)
	}
}

// isNotFound reports whether an operator was told that something is not there.
func isNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}
