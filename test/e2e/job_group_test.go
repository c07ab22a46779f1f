package e2e_test

import (
	"context"
	"errors"
	"testing"

	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// TestSnapshotJobForAGroup is for who was in the group, also in groups below it,
// and for nobody else, and each gets it once.
func TestSnapshotJobForAGroup(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b", "c", "late")
	s.group(t, "site", "a", "b")
	_, err := s.iot.CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{ThingGroupName: aws.String("hall"), ParentGroupName: aws.String("site")})
	check(t, "create child group", err)
	s.join(t, "c", "hall")

	s.job(t, "j", nil, groupARN("site"), thingARN("a"))
	s.join(t, "late", "site")
	for _, thing := range []string{"a", "b", "c"} {
		s.queued(t, thing, 1)
	}
	s.queued(t, "late", 0)
	s.leave(t, "b", "site") // too late to matter, as well
	for _, thing := range []string{"a", "b", "c"} {
		s.report(t, thing, "j", "SUCCEEDED")
	}
	j := s.reaches(t, "j", types.JobStatusCompleted)
	if diff := cmp.Diff([]string{groupARN("site"), thingARN("a")}, j.Targets); diff != "" {
		t.Errorf("targets, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int32{"succeeded": 3}, tally(j)); diff != "" {
		t.Errorf("counters, -want +got:\n%s", diff)
	}
	s.queued(t, "late", 0)
}

// TestContinuousJobForAGroup follows things that join and leave, and never
// completes by itself.
func TestContinuousJobForAGroup(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.things(t, "a", "b", "c")
	s.group(t, "site", "a")
	s.job(t, "j", continuous, groupARN("site"))
	s.queued(t, "a", 1)
	s.report(t, "a", "j", "SUCCEEDED")

	s.join(t, "b", "site")
	s.queued(t, "b", 1)
	s.start(t, "b")
	s.leave(t, "b", "site")
	s.counts(t, "j", map[string]int32{"succeeded": 1, "removed": 1})
	if x := s.execution(t, "b", "j"); x.Status != types.JobExecutionStatusRemoved || x.VersionNumber != 3 {
		t.Errorf("left the group: got %+v", x)
	}
	if _, err := s.update(t, "b", "j", "SUCCEEDED", nil); !isTransition(err) {
		t.Errorf("update of what was removed: got %v", err)
	}
	s.join(t, "b", "site")
	s.queued(t, "b", 1)
	if x := s.execution(t, "b", "j"); *x.ExecutionNumber != 2 || x.VersionNumber != 1 {
		t.Errorf("joined again: got %+v", x)
	}

	// Another group comes later.
	s.group(t, "yard", "c")
	out, err := s.iot.AssociateTargetsWithJob(t.Context(), &iot.AssociateTargetsWithJobInput{
		JobId: aws.String("j"), Targets: []string{groupARN("yard")}, Comment: aws.String("the yard, too"),
	})
	check(t, "associate targets", err)
	if *out.JobId != "j" {
		t.Errorf("AssociateTargetsWithJob: got %+v", out)
	}
	s.queued(t, "c", 1)

	// Who is in both groups and leaves one has not left.
	s.join(t, "c", "site")
	s.leave(t, "c", "yard")
	s.counts(t, "j", map[string]int32{"succeeded": 1, "removed": 1, "queued": 2})
	s.report(t, "b", "j", "SUCCEEDED")
	s.report(t, "c", "j", "FAILED")
	s.counts(t, "j", map[string]int32{"succeeded": 2, "removed": 1, "failed": 1})
	if j := s.describe(t, "j"); j.Status != types.JobStatusInProgress || j.TargetSelection != types.TargetSelectionContinuous {
		t.Errorf("a continuous job is over: got %s", j.Status)
	}
}

// TestJobForManyThings is more than one turn of the rollout loop, and answers at once.
func TestJobForManyThings(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	fleet(t, own(t, s.Server), "fleet", numbered("device-", 1200))
	s.job(t, "j", nil, groupARN("fleet"))
	s.counts(t, "j", map[string]int32{"queued": 1200})
	_, err := s.iot.CancelJob(t.Context(), &iot.CancelJobInput{JobId: aws.String("j")})
	check(t, "cancel", err)
	s.counts(t, "j", map[string]int32{"canceled": 1200})
	_, err = s.iot.DeleteJob(t.Context(), &iot.DeleteJobInput{JobId: aws.String("j")})
	check(t, "delete", err)
	s.gone(t, "j")
}

// TestEmptyGroup has nothing to wait for.
func TestEmptyGroup(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.group(t, "nobody")
	s.job(t, "j", nil, groupARN("nobody"))
	s.reaches(t, "j", types.JobStatusCompleted)
}

// gone waits until a job is no more.
func (s *stack) gone(t *testing.T, id string) {
	t.Helper()
	harness.Wait(t, soon, "the end of job "+id, func(ctx context.Context) error {
		out, err := s.iot.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &id})
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
			return nil
		}
		if err != nil {
			return harness.Final(err)
		}
		return errors.New("it is " + string(out.Job.Status))
	})
}
