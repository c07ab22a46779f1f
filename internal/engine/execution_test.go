package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/apierr"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
)

func (w *world) next(thing string) (engine.Delivery, bool) {
	w.t.Helper()
	d, ok, err := w.DescribeNext(w.ctx(), device, engine.DescribeRequest{Thing: thing, JobID: engine.NextJobID, Document: true})
	w.must(err)
	return d, ok
}

func (w *world) start(thing string, s job.Start) (engine.Delivery, bool) {
	w.t.Helper()
	d, ok, err := w.StartNextPendingJobExecution(w.ctx(), device, engine.StartRequest{Thing: thing, Start: s})
	w.must(err)
	return d, ok
}

func TestADeviceWorksThroughItsQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	if _, ok := w.next("a"); ok {
		t.Fatal("an idle thing has a next execution")
	}
	if _, ok := w.start("a", job.Start{}); ok {
		t.Fatal("an idle thing could start something")
	}
	for _, id := range []string{"one", "two", "three"} {
		w.create(id, targets(toThing("a")), document(`{"id":"`+id+`"}`))
		w.wait(time.Second)
	}
	for _, id := range []string{"one", "two", "three"} {
		d, ok := w.start("a", job.Start{Details: map[string]string{"step": "1"}})
		if !ok || d.Job.ID != id || d.Version != 2 || d.Document != `{"id":"`+id+`"}` {
			t.Fatalf("start-next: got %v %+v", ok, d)
		}
		again, ok := w.start("a", job.Start{Details: map[string]string{"step": "2"}})
		if diff := cmp.Diff(d, again); diff != "" || !ok {
			t.Errorf("a second start-next is not the same (-first +second):\n%s", diff)
		}
		xs, err := w.PendingJobExecutions(w.ctx(), device, "a", "")
		w.must(err)
		if xs[0].Job.ID != id || xs[0].Status != job.InProgress {
			t.Errorf("pending: got %+v first", xs[0])
		}
		w.update("a", id, job.Succeeded)
		w.settle()
		w.wantJob(id, job.Completed, map[job.Status]int64{job.Succeeded: 1})
	}
	if _, ok := w.next("a"); ok {
		t.Error("a drained queue has a next execution")
	}
}

func TestUpdateRefusalsCarryTheStateAndChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	w.create("j", targets(toThing("a")))
	w.start("a", job.Start{Details: map[string]string{"k": "v"}})
	stale := int64(99)
	x, err := w.tryUpdate("a", "j", job.Update{Status: job.Succeeded, ExpectedVersion: &stale})
	want := &apierr.Error{Kind: apierr.VersionMismatch, Message: "Expected version 99 but found version 2",
		State: &apierr.ExecutionState{Status: "IN_PROGRESS", StatusDetails: map[string]string{"k": "v"}, Version: 2}}
	if diff := cmp.Diff(want, err); diff != "" || x.Version != 2 {
		t.Errorf("stale version (-want +got):\n%s", diff)
	}
	w.update("a", "j", job.Failed)
	_, err = w.tryUpdate("a", "j", job.Update{Status: job.Failed})
	if e, ok := errors.AsType[*apierr.Error](err); !ok || e.Kind != apierr.InvalidTransition || e.State.Status != "FAILED" {
		t.Errorf("repeated end: got %v", err)
	}
	w.wantStatus("a", "j", "FAILED v3 #1")
}

func TestACanceledJobCannotBeStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	names := w.fleet("all", 1200)
	w.create("j", targets(toGroup("all")))
	w.settle()
	w.start(names[1198], job.Start{})
	_, err := w.CancelJob(w.ctx(), operator, "j", job.CancelJob{ReasonCode: "STOP", Comment: "no"})
	w.must(err)
	// The sweep has only seen the first chunk. The devices behind it are told the truth anyway.
	if _, ok := w.start(names[1199], job.Start{}); ok {
		t.Error("start-next started an execution of a canceled job")
	}
	if _, ok := w.next(names[1197]); ok {
		t.Error("$next shows an execution of a canceled job")
	}
	_, err = w.tryUpdate(names[1196], "j", job.Update{Status: job.InProgress})
	if e, ok := errors.AsType[*apierr.Error](err); !ok || e.Kind != apierr.InvalidTransition || e.State.Status != "CANCELED" {
		t.Errorf("update: got %v", err)
	}
	w.update(names[1198], "j", job.Succeeded) // one at work may finish
	w.settle()
	w.wantJob("j", job.Stopped, map[job.Status]int64{job.Canceled: 1199, job.Succeeded: 1})
	if _, err := w.CancelJob(w.ctx(), operator, "j", job.CancelJob{}); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("second cancel: got %v", err)
	}
}

func TestForcedCancelEndsWhatIsInProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("j", targets(toThing("a"), toThing("b")))
	w.start("a", job.Start{})
	_, err := w.CancelJob(w.ctx(), operator, "j", job.CancelJob{Force: true})
	w.must(err)
	w.wantStatus("a", "j", "CANCELED v3 #1")
	x, _, err := w.DescribeJobExecution(w.ctx(), operator, "a", "j", 0)
	w.must(err)
	if y, _, _ := w.DescribeJobExecution(w.ctx(), operator, "b", "j", 0); !x.ForceCanceled || y.ForceCanceled {
		t.Errorf("forceCanceled: got %v for the running one, %v for the queued one", x.ForceCanceled, y.ForceCanceled)
	}
}

func TestCancelInTheMiddleOfARolloutLeavesNothingQueued(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fleet("all", 1200)
	w.create("j", targets(toGroup("all")))
	_, err := w.CancelJob(w.ctx(), operator, "j", job.CancelJob{})
	w.must(err)
	w.settle()
	w.wantJob("j", job.Stopped, map[job.Status]int64{job.Canceled: 500})
}

func TestDeletedJobIsGoneForDevicesAtOnceAndItsIDIsFreeInTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	names := w.fleet("all", 1200)
	w.create("j", targets(toGroup("all")))
	w.settle()
	w.update(names[0], "j", job.Succeeded)
	w.start(names[1198], job.Start{})
	if err := w.DeleteJob(w.ctx(), operator, "j", "", false); !apierr.Is(err, apierr.InvalidTransition) {
		t.Fatalf("delete without force: got %v", err)
	}
	w.must(w.DeleteJob(w.ctx(), operator, "j", "", true))
	if d := w.describe("j"); d.State != job.Deleting {
		t.Errorf("got state %s while executions are left", d.State)
	}
	if _, ok := w.next(names[1199]); ok {
		t.Error("$next shows an execution of a deleted job")
	}
	_, err := w.tryUpdate(names[1198], "j", job.Update{Status: job.Succeeded})
	if !apierr.Is(err, apierr.NotFound) {
		t.Errorf("update: got %v", err)
	}
	if err := w.DeleteJob(w.ctx(), operator, "j", "", true); !apierr.Is(err, apierr.InvalidTransition) {
		t.Errorf("second delete: got %v", err)
	}
	w.settle()
	if _, err := w.DescribeJob(w.ctx(), operator, "j"); !apierr.Is(err, apierr.NotFound) {
		t.Fatalf("after the purge: got %v", err)
	}
	w.create("j", targets(toThing(names[0])))
	w.wantStatus(names[0], "j", "QUEUED v1 #1")
	if n := len(w.all("j", 250)); n != 1 {
		t.Errorf("the new job has %d executions", n)
	}
}

func TestAtMostTenJobsAreBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fleet("all", 501)
	for i := range job.MaxDeleting + 1 {
		w.create(string(rune('a'+i)), targets(toGroup("all")))
	}
	w.settle()
	for i := range job.MaxDeleting {
		w.must(w.DeleteJob(w.ctx(), operator, string(rune('a'+i)), "", true))
	}
	last := string(rune('a' + job.MaxDeleting))
	if err := w.DeleteJob(w.ctx(), operator, last, "", true); !apierr.Is(err, apierr.LimitExceeded) {
		t.Fatalf("got %v, want limit exceeded", err)
	}
	w.wantJob(last, job.Active, map[job.Status]int64{job.Queued: 501})
	w.settle()
	w.must(w.DeleteJob(w.ctx(), operator, last, "", true))
}

func TestDeletingTheLastPendingExecutionCompletesTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("j", targets(toThing("a"), toThing("b")))
	w.update("a", "j", job.Succeeded)
	w.must(w.DeleteJobExecution(w.ctx(), operator, "b", "j", 1, "", false))
	w.settle()
	w.wantJob("j", job.Completed, map[job.Status]int64{job.Succeeded: 1})
	w.must(w.DeleteJobExecution(w.ctx(), operator, "a", "j", 1, "", false))
	w.wantJob("j", job.Completed, nil)
}

func TestCancelJobExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("j", targets(toThing("a"), toThing("b")))
	stale, fresh := int64(7), int64(1)
	err := w.CancelJobExecution(w.ctx(), operator, "a", "j", job.Cancel{ExpectedVersion: &stale})
	if !apierr.Is(err, apierr.VersionMismatch) {
		t.Errorf("stale version: got %v", err)
	}
	w.must(w.CancelJobExecution(w.ctx(), operator, "a", "j", job.Cancel{ExpectedVersion: &fresh, Details: map[string]string{"why": "x"}}))
	w.start("b", job.Start{})
	if err := w.CancelJobExecution(w.ctx(), operator, "b", "j", job.Cancel{}); !apierr.Is(err, apierr.InvalidTransition) {
		t.Errorf("running without force: got %v", err)
	}
	w.must(w.CancelJobExecution(w.ctx(), operator, "b", "j", job.Cancel{Force: true}))
	w.settle()
	w.wantJob("j", job.Completed, map[job.Status]int64{job.Canceled: 2})
}

func TestNamespacesAreIsolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	w.create("plain", targets(toThing("a")))
	w.create("spaced", targets(toThing("a")), namespace("ns"))
	for ns, id := range map[string]string{"": "plain", "ns": "spaced"} {
		xs, err := w.PendingJobExecutions(w.ctx(), device, "a", ns)
		w.must(err)
		if len(xs) != 1 || xs[0].Job.ID != id {
			t.Errorf("pending in %q: got %v", ns, xs)
		}
		d, ok, err := w.DescribeNext(w.ctx(), device, engine.DescribeRequest{Thing: "a", JobID: engine.NextJobID, Namespace: ns})
		if err != nil || !ok || d.Job.ID != id {
			t.Errorf("$next in %q: got %v %v %v", ns, d, ok, err)
		}
	}
	for name, err := range map[string]error{
		"update":           w.UpdateJob(w.ctx(), operator, "spaced", "other", job.Patch{}),
		"delete":           w.DeleteJob(w.ctx(), operator, "spaced", "other", true),
		"delete execution": w.DeleteJobExecution(w.ctx(), operator, "a", "spaced", 1, "other", true),
	} {
		if !apierr.Is(err, apierr.NotFound) {
			t.Errorf("%s in another namespace: got %v", name, err)
		}
	}
}

func TestUnknownThingsAndJobsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	_, err := w.PendingJobExecutions(w.ctx(), device, "x", "")
	_, _, err2 := w.StartNextPendingJobExecution(w.ctx(), device, engine.StartRequest{Thing: "x"})
	_, err3 := w.tryUpdate("x", "j", job.Update{Status: job.InProgress})
	for _, err := range []error{err, err2, err3} {
		if !apierr.Is(err, apierr.NotFound) || err.Error() != "Thing x not found." {
			t.Errorf("got %v", err)
		}
	}
	if _, err := w.tryUpdate("a", "j", job.Update{Status: job.InProgress}); err == nil || err.Error() != "Job j not found." {
		t.Errorf("got %v", err)
	}
}

func TestStrictModeRefusesFinishedExecutions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, func(c *engine.Config) { c.StrictTerminal = true })
	w.things("a")
	w.create("j", targets(toThing("a")))
	w.update("a", "j", job.Succeeded)
	_, _, err := w.DescribeNext(w.ctx(), device, engine.DescribeRequest{Thing: "a", JobID: "j"})
	if !apierr.Is(err, apierr.TerminalState) {
		t.Errorf("got %v", err)
	}
	w.wantStatus("a", "j", "SUCCEEDED v2 #1") // operators still may
}

func TestHistoryOfAThingIsPagedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	for i := range 25 {
		id := string(rune('a' + i))
		w.create(id, targets(toThing("a")))
		if i%2 == 0 {
			w.update("a", id, job.Succeeded)
		}
		w.wait(time.Second)
	}
	list := func(f engine.ThingExecutionFilter) (got string) {
		for after := ""; ; {
			xs, next, err := w.ListJobExecutionsForThing(w.ctx(), operator, "a", f, after, 4)
			w.must(err)
			for _, x := range xs {
				got += x.Job.ID
			}
			if next == "" {
				return got
			}
			after = next
		}
	}
	for _, tt := range []struct {
		f    engine.ThingExecutionFilter
		want string
	}{
		{engine.ThingExecutionFilter{}, "yxwvutsrqponmlkjihgfedcba"},
		{engine.ThingExecutionFilter{Status: job.Queued}, "xvtrpnljhfdb"},
		{engine.ThingExecutionFilter{JobID: "c"}, "c"},
		{engine.ThingExecutionFilter{Namespace: "none"}, ""},
	} {
		if got := list(tt.f); got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.f, got, tt.want)
		}
	}
}

// countsAgree holds the counts of a job against its executions.
func (w *world) countsAgree(id string) {
	w.t.Helper()
	var want job.Counts
	for _, x := range w.all(id, 250) {
		want[x.Status]++
	}
	var got job.Counts
	w.must(w.store.View(w.ctx(), func(r store.Reader) error {
		j, err := r.JobByID(id)
		if err != nil {
			return err
		}
		got, err = r.Counts(j.UID)
		return err
	}))
	if got != want {
		w.t.Errorf("%s: counted %v, stored %v", id, want, got)
	}
}

func TestReachedCountsChangesOfStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("j", targets(toThing("a"), toThing("b")))
	w.start("a", job.Start{})
	w.update("a", "j", job.InProgress) // progress, no other status
	w.update("a", "j", job.Succeeded)
	if _, err := w.tryUpdate("a", "j", job.Update{Status: job.Failed}); err == nil {
		t.Fatal("a finished execution took an update")
	}
	w.update("b", "j", job.Rejected)
	want := job.Counts{job.Queued: 2, job.InProgress: 1, job.Succeeded: 1, job.Rejected: 1}
	if got := w.Reached(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
