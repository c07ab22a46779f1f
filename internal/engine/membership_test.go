package engine_test

import (
	"fmt"
	"testing"

	"muster/internal/job"
)

func TestContinuousJobFollowsItsGroups(t *testing.T) {
	t.Parallel()
	for _, parts := range []int{1, 8} {
		t.Run(fmt.Sprintf("with %d parts", parts), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parts)
			w.group("root", "")
			w.group("child", "root")
			w.group("other", "")
			w.things("a", "b", "c")
			w.join("root", "a")
			w.settle()
			w.create("j", continuous, targets(toGroup("root"), toGroup("other"), toThing("c")))
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #1")
			w.wantStatus("c", "j", "QUEUED v1 #1")

			w.join("child", "b") // counts for the parent's jobs
			w.settle()
			w.wantStatus("b", "j", "QUEUED v1 #1")

			w.join("other", "a") // a target already
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #1")

			w.leave("root", "a") // still in other
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #1")

			w.leave("other", "a")
			w.settle()
			w.wantStatus("a", "j", "REMOVED v2 #1")

			w.join("root", "a") // anew
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #2")

			w.update("a", "j", job.Succeeded)
			w.leave("root", "a")
			w.settle()
			w.wantStatus("a", "j", "SUCCEEDED v2 #2")
			w.join("other", "a")
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #3")

			w.update("b", "j", job.InProgress)
			w.leave("child", "b")
			w.settle()
			w.wantStatus("b", "j", "REMOVED v3 #1")

			w.join("root", "c")
			w.leave("root", "c") // still a target by name
			w.settle()
			w.wantStatus("c", "j", "QUEUED v1 #1")
			w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 2, job.Removed: 2, job.Succeeded: 1})
		})
	}
}

func TestChangesThatPileUpAreFollowedInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.group("g", "")
	w.things("a", "b")
	w.create("j", continuous, targets(toGroup("g")))
	w.join("g", "a")
	w.leave("g", "a")
	w.join("g", "a")
	w.join("g", "b")
	w.leave("g", "b")
	w.settle()
	w.wantStatus("a", "j", "QUEUED v1 #2")
	w.wantStatus("b", "j", "REMOVED v2 #1")
}

func TestALateLeaveDoesNotTouchAYoungerJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.group("g", "")
	w.things("a")
	w.join("g", "a")
	w.settle()
	w.leave("g", "a")
	w.join("g", "a")
	w.create("j", continuous, targets(toGroup("g"))) // its rollout overtakes the changes
	w.wantStatus("a", "j", "QUEUED v1 #1")
	w.settle()
	w.wantStatus("a", "j", "QUEUED v1 #1")
}

func TestDeletedThingLosesWhatIsPendingAndLeavesItsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.group("g", "")
	w.things("a")
	w.join("g", "a")
	w.settle()
	w.create("cont", continuous, targets(toGroup("g")))
	w.create("snap", targets(toThing("a")))
	w.update("a", "snap", job.InProgress)
	w.deleteThing("a")
	w.settle()
	w.wantJob("cont", job.Active, map[job.Status]int64{job.Removed: 1})
	w.wantJob("snap", job.Completed, map[job.Status]int64{job.Removed: 1})
	w.wantStatus("a", "snap", "Thing a not found.")
	w.things("a") // the name again, another thing
	w.wantStatus("a", "snap", "Execution of job snap on thing a not found.")
	w.join("g", "a")
	w.settle()
	w.wantStatus("a", "cont", "QUEUED v1 #1")
	if n := len(w.all("cont", 250)); n != 2 {
		t.Errorf("got %d executions of the job, want both things' own", n)
	}
}
