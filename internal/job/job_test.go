package job_test

import (
	"fmt"
	"slices"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func thingTarget(i int) job.Target {
	return job.Target{Kind: job.ThingTarget, Name: fmt.Sprintf("thing%d", i), UID: int64(i)}
}

// in returns a job of the selection in a state.
func in(state job.State, sel job.Selection) job.Job {
	j := job.New(job.Spec{ID: "job1", Selection: sel, Targets: []job.Target{thingTarget(1)}, TimeoutMinutes: 20}, 5, t0)
	j.State = state
	return j
}

func TestNewJob(t *testing.T) {
	t.Parallel()
	group := job.Target{Kind: job.GroupTarget, Name: "thing1", UID: 1} // not the thing of that name
	j := job.New(job.Spec{
		ID: "job1", Namespace: "ns", Description: "words", Selection: job.Continuous, TimeoutMinutes: 20,
		Targets: []job.Target{thingTarget(2), thingTarget(1), thingTarget(2), group},
	}, 5, t0)
	same(t, "job", j, job.Job{
		Brief:       job.Brief{UID: 5, ID: "job1", Namespace: "ns", CreatedAt: t0, State: job.Active, TimeoutMinutes: 20},
		Description: "words", Selection: job.Continuous, UpdatedAt: t0,
		Targets: []job.Target{thingTarget(2), thingTarget(1), group},
	})
	same(t, "for logs", j.String(), "job job1 (IN_PROGRESS)")
}

// TestJobStates is the state machine of [jobs-lifecycle]: what each request
// makes of a job in each state, for both selections. A kind of error means that
// the job stays as it was.
func TestJobStates(t *testing.T) {
	t.Parallel()
	text, minutes := "new words", int64(5)
	requests := []struct {
		name string
		do   func(job.Job) (job.Job, error)
	}{
		{"cancel", func(j job.Job) (job.Job, error) { return j.Cancel(job.CancelJob{}, t0+1) }},
		{"cancel with force", func(j job.Job) (job.Job, error) { return j.Cancel(job.CancelJob{Force: true}, t0+1) }},
		{"delete", func(j job.Job) (job.Job, error) { return j.Delete(false, t0+1) }},
		{"delete with force", func(j job.Job) (job.Job, error) { return j.Delete(true, t0+1) }},
		{"update", func(j job.Job) (job.Job, error) {
			return j.Update(job.Patch{Description: &text, TimeoutMinutes: &minutes}, t0+1)
		}},
		{"associate", func(j job.Job) (job.Job, error) { return j.Associate([]job.Target{thingTarget(2)}, "", t0+1) }},
	}
	const invalid, no = "invalid", "invalid transition"
	snapshot := map[job.State][]string{
		job.Active:    {"CANCELED", "CANCELED", no, "DELETION_IN_PROGRESS", "IN_PROGRESS", invalid},
		job.Scheduled: {"CANCELED", "CANCELED", no, "DELETION_IN_PROGRESS", "SCHEDULED", invalid},
		job.Stopped:   {invalid, invalid, "DELETION_IN_PROGRESS", "DELETION_IN_PROGRESS", invalid, invalid},
		job.Completed: {invalid, invalid, "DELETION_IN_PROGRESS", "DELETION_IN_PROGRESS", invalid, invalid},
		job.Deleting:  {invalid, invalid, no, no, invalid, invalid},
	}
	for _, sel := range []job.Selection{job.Snapshot, job.Continuous} {
		for state, row := range snapshot {
			row = slices.Clone(row)
			if sel == job.Continuous && state == job.Active {
				row[5] = "IN_PROGRESS" // the only one that takes more targets
			}
			for i, r := range requests {
				before := in(state, sel)
				after, err := r.do(before)
				got := after.State.String()
				if err != nil {
					got = apierr.KindOf(err).String()
					same(t, "refused job", after, before)
				} else if after.UpdatedAt != t0+1 || after.CompletedAt != 0 {
					t.Errorf("updated at %d, completed at %d, want %d and never", after.UpdatedAt, after.CompletedAt, t0+1)
				}
				if got != row[i] {
					t.Errorf("%s %s job, %s: got %s, want %s", state, sel, r.name, got, row[i])
				}
			}
		}
	}
}

func TestCancelJobKeepsTheOperatorsWords(t *testing.T) {
	t.Parallel()
	j, err := in(job.Active, job.Snapshot).Cancel(job.CancelJob{ReasonCode: "BAD_BUILD", Comment: "wrong file", Force: true}, t0+minute)
	if err != nil {
		t.Fatal(err)
	}
	if j.ReasonCode != "BAD_BUILD" || j.Comment != "wrong file" || !j.Forced || j.UpdatedAt != t0+minute {
		t.Errorf("got %+v, want the reason, the comment and the force", j)
	}
	_, err = j.Cancel(job.CancelJob{}, t0)
	refused(t, err, apierr.Invalid, "Job job1 is CANCELED and cannot be canceled.", job.Execution{})
	j, err = in(job.Active, job.Snapshot).Cancel(job.CancelJob{}, t0)
	if err != nil || j.Forced {
		t.Errorf("got force %v, %v, want none", j.Forced, err)
	}
}

func TestDeleteJobTexts(t *testing.T) {
	t.Parallel()
	for state, want := range map[job.State]string{
		job.Active:    "Job job1 is IN_PROGRESS and can only be deleted with force.",
		job.Scheduled: "Job job1 is SCHEDULED and can only be deleted with force.",
		job.Deleting:  "Job job1 is already being deleted.",
	} {
		_, err := in(state, job.Snapshot).Delete(false, t0)
		if apierr.KindOf(err) != apierr.InvalidTransition || err.Error() != want {
			t.Errorf("%s: got %v, want %s", state, err, want)
		}
	}
}

func TestUpdateJobChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	before := in(job.Active, job.Snapshot)
	before.Description = "words"
	text, minutes, none := "", int64(30), int64(0)
	for _, c := range []struct {
		name    string
		p       job.Patch
		text    string
		minutes int64
	}{
		{"nothing", job.Patch{}, "words", 20},
		{"an empty description", job.Patch{Description: &text}, "", 20},
		{"a timeout", job.Patch{TimeoutMinutes: &minutes}, "words", 30},
		{"no timeout any more", job.Patch{TimeoutMinutes: &none}, "words", 0},
	} {
		want := before
		want.Description, want.TimeoutMinutes, want.UpdatedAt = c.text, c.minutes, t0+minute
		got, err := before.Update(c.p, t0+minute)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		same(t, c.name, got, want)
	}
	_, err := in(job.Completed, job.Snapshot).Update(job.Patch{}, t0)
	refused(t, err, apierr.Invalid, "Job job1 is COMPLETED and cannot be updated.", job.Execution{})
}

func TestAssociate(t *testing.T) {
	t.Parallel()
	before := in(job.Active, job.Continuous)
	before.Comment = "old"
	spare := append(make([]job.Target, 0, 8), before.Targets...) // room that belongs to others
	before.Targets = spare
	after, err := before.Associate([]job.Target{thingTarget(2), thingTarget(1), thingTarget(2)}, "", t0+minute)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "targets", after.Targets, []job.Target{thingTarget(1), thingTarget(2)})
	same(t, "targets before", before.Targets, []job.Target{thingTarget(1)})
	same(t, "room behind them", spare[:2][1], job.Target{})
	same(t, "comment that was not given", after.Comment, "old")
	after, err = before.Associate([]job.Target{thingTarget(2)}, "new", t0)
	if err != nil || after.Comment != "new" {
		t.Errorf("got comment %q, %v, want the new one", after.Comment, err)
	}
	_, err = in(job.Active, job.Snapshot).Associate([]job.Target{thingTarget(2)}, "", t0)
	refused(t, err, apierr.Invalid, "Job job1 is SNAPSHOT and IN_PROGRESS: targets can only be added to a CONTINUOUS job that is IN_PROGRESS.", job.Execution{})
}

func TestAssociateUpToTheLimit(t *testing.T) {
	t.Parallel()
	var many []job.Target
	for i := range job.MaxTargets + 1 {
		many = append(many, thingTarget(i+1)) // the first one is a target already
	}
	after, err := in(job.Active, job.Continuous).Associate(many[:job.MaxTargets], "", t0)
	if err != nil || len(after.Targets) != 100 {
		t.Errorf("got %d targets, %v, want 100", len(after.Targets), err)
	}
	_, err = in(job.Active, job.Continuous).Associate(many, "", t0)
	refused(t, err, apierr.LimitExceeded, "Job job1 would have 101 targets: at most 100 are allowed.", job.Execution{})
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		state   job.State
		sel     job.Selection
		rolling bool
		live    int64
		want    bool
	}{
		{"a snapshot with nothing left to do", job.Active, job.Snapshot, false, 0, true},
		{"one that still rolls out", job.Active, job.Snapshot, true, 0, false},
		{"one with a live execution", job.Active, job.Snapshot, false, 1, false},
		{"a continuous one never ends by itself", job.Active, job.Continuous, false, 0, false},
		{"a canceled one stays canceled", job.Stopped, job.Snapshot, false, 0, false},
		{"one that waits for its schedule", job.Scheduled, job.Snapshot, false, 0, false},
		{"one that is being deleted", job.Deleting, job.Snapshot, false, 0, false},
		{"one that was completed before", job.Completed, job.Snapshot, false, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := in(c.state, c.sel)
			got, ok := before.Complete(c.rolling, c.live, t0+minute)
			want := before
			if c.want {
				want.State, want.UpdatedAt, want.CompletedAt = job.Completed, t0+minute, t0+minute
			}
			same(t, "completed", ok, c.want)
			same(t, "job", got, want)
		})
	}
}

func TestInNamespace(t *testing.T) {
	t.Parallel()
	plain, own := in(job.Active, job.Snapshot), in(job.Active, job.Snapshot)
	own.Namespace = "ns"
	for _, c := range []struct {
		name, namespace string
		j               job.Job
		want            bool
	}{
		{"none asked, none there", "", plain, true},
		{"none asked", "", own, true},
		{"its own", "ns", own, true},
		{"another", "other", own, false},
		{"one, but the job is ordinary", "ns", plain, false},
	} {
		err := c.j.InNamespace(c.namespace)
		if (err == nil) != c.want {
			t.Errorf("%s: got %v, want found: %v", c.name, err, c.want)
		}
		if err != nil && !apierr.Is(err, apierr.NotFound) {
			t.Errorf("%s: got %v, want not found", c.name, err)
		}
	}
}

func TestActorNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for a := job.Rollout; a <= job.DeletionForce; a++ {
		seen[a.String()] = true
	}
	if len(seen) != 8 || seen[""] {
		t.Errorf("got names %v, want eight", seen)
	}
	same(t, "an unknown actor", job.Actor(99).String(), "nobody")
}
