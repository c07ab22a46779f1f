package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
)

func TestRolloutToLargeGroup(t *testing.T) {
	t.Parallel()
	for _, parts := range []int{1, 8} {
		t.Run(fmt.Sprintf("with %d parts", parts), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parts)
			names := w.fleet("all", 1700)
			w.create("j", targets(toGroup("all"), toThing(names[3])))
			d := w.describe("j")
			if n := d.Counts[job.Queued]; parts == 1 && (n != 500 || !d.Concurrent || len(d.Processing) != 2) {
				t.Fatalf("right after creation: got %d queued, concurrent %v, processing %v", n, d.Concurrent, d.Processing)
			}
			w.restart() // the cursor is in the store
			w.settle()
			w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 1700})
			if d := w.describe("j"); d.Concurrent || len(d.Processing) != 0 {
				t.Errorf("after the rollout: concurrent %v, processing %v", d.Concurrent, d.Processing)
			}
			seen := map[string]bool{}
			for _, x := range w.all("j", 99) {
				if seen[x.Thing] || x.Number != 1 || x.Status != job.Queued || x.Version != 1 {
					t.Fatalf("unexpected or repeated execution %+v", x)
				}
				seen[x.Thing] = true
			}
			if len(seen) != 1700 {
				t.Errorf("got %d things, want 1700", len(seen))
			}
		})
	}
}

func TestRolloutGoesOnHoweverFastNewWorkComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fleet("all", 1700)
	w.things("other")
	w.create("small", targets(toThing("other")))
	w.create("j", targets(toGroup("all")))
	for range 12 {
		w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
			j, err := tx.JobByID("small")
			if err != nil {
				return err
			}
			return tx.StartWork(j.UID, store.Rollout, store.Cursor{}, w.uid(), nil)
		}))
		w.once("rollout")
	}
	if n := w.describe("j").Counts[job.Queued]; n != 1700 {
		t.Errorf("%d of 1700 are queued", n)
	}
}

func TestRolloutThatRunsAgainQueuesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	names := w.fleet("all", 20)
	w.create("j", continuous, targets(toGroup("all")))
	w.update(names[0], "j", job.Succeeded)
	w.must(w.store.Update(w.ctx(), func(tx store.Tx) error {
		j, err := tx.JobByID("j")
		if err != nil {
			return err
		}
		return tx.StartWork(j.UID, store.Rollout, store.Cursor{}, w.uid(), nil)
	}))
	w.restart()
	w.settle()
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 19, job.Succeeded: 1})
	if n := len(w.all("j", 250)); n != 20 {
		t.Errorf("got %d executions, want 20", n)
	}
}

func TestSnapshotTakesWhoWasInAtCreationAndStillIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	names := w.fleet("all", 600) // the last hundred are not in the first chunk
	w.things("late")
	w.create("j", targets(toGroup("all")))
	w.join("all", "late")
	w.leave("all", names[599], names[598])
	w.join("all", names[598]) // a new membership, younger than the job
	w.settle()
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 598})
	for _, name := range []string{"late", names[599], names[598]} {
		w.wantStatus(name, "j", "Execution of job j on thing "+name+" not found.")
	}
}

func TestRolloutReachesTheWholeSubtree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.group("root", "")
	w.group("left", "root")
	w.group("right", "root")
	w.group("leaf", "left")
	w.group("other", "")
	w.things("a", "b", "c", "d", "e")
	w.join("root", "a")
	w.join("left", "b")
	w.join("leaf", "c")
	w.join("right", "d")
	w.join("other", "e", "a")
	w.settle()
	w.create("j", targets(toGroup("root"), toGroup("other")))
	w.group("young", "root")
	w.things("f")
	w.join("young", "f")
	w.settle()
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 5})
	w.create("k", targets(toGroup("left")))
	w.settle()
	w.wantJob("k", job.Active, map[job.Status]int64{job.Queued: 2})
}

func TestCreateJobRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	w.create("j", targets(toThing("a")))
	tests := []struct {
		name string
		id   string
		to   job.Target
		kind apierr.Kind
		text string
	}{
		{"an id that is taken", "j", toThing("a"), apierr.AlreadyExists, "Job j already exists."},
		{"a thing that does not exist", "k", toThing("b"), apierr.NotFound, "b"},
		{"a group that does not exist", "k", toGroup("g"), apierr.NotFound, "g"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := w.tryCreate(tt.id, targets(tt.to))
			if !apierr.Is(err, tt.kind) {
				t.Fatalf("got %v, want kind %v", err, tt.kind)
			}
			if e, ok := errors.AsType[*apierr.Error](err); ok && tt.kind == apierr.AlreadyExists && (e.ResourceID != "j" || e.ResourceARN != "arn:aws:iot:us-east-1:123456789012:job/j") {
				t.Errorf("got resource %q %q", e.ResourceID, e.ResourceARN)
			}
		})
	}
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 1})
	if _, err := w.DescribeJob(w.ctx(), operator, "k"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("a refused job is there: %v", err)
	}
}

func TestEmptyGroupCompletesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.group("empty", "")
	w.create("snap", targets(toGroup("empty")))
	w.create("cont", continuous, targets(toGroup("empty")))
	w.settle()
	w.wantJob("snap", job.Completed, nil)
	w.wantJob("cont", job.Active, nil)
	if d := w.describe("snap"); d.CompletedAt != t0.UnixMilli() {
		t.Errorf("got completedAt %d, want %d", d.CompletedAt, t0.UnixMilli())
	}
}

func TestAssociateTargetsRollsOutToTheNewOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	names := w.fleet("g", 30)
	w.things("a", "b")
	w.create("j", continuous, targets(toThing("a")))
	w.create("snap", targets(toThing("a")))
	w.update("a", "j", job.Succeeded)
	_, err := w.AssociateTargets(w.ctx(), operator, "j", "", []job.Target{toGroup("g"), toThing("a"), toThing("b")}, "more")
	w.must(err)
	w.settle()
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 31, job.Succeeded: 1})
	w.wantStatus(names[7], "j", "QUEUED v1 #1")
	if d := w.describe("j"); len(d.Targets) != 3 || d.Comment != "more" {
		t.Errorf("got targets %v, comment %q", d.Targets, d.Comment)
	}
	_, err = w.AssociateTargets(w.ctx(), operator, "snap", "", []job.Target{toThing("b")}, "")
	if !apierr.Is(err, apierr.Invalid) {
		t.Errorf("snapshot job: got %v, want invalid", err)
	}
}

func TestSmallJobDoesNotWaitForAHugeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fleet("huge", 3500)
	w.fleet("small", 600)
	w.create("first", targets(toGroup("huge")))
	w.create("second", targets(toGroup("small")))
	w.once("rollout") // chunks of 500, of either in turn
	w.once("rollout")
	w.wantJob("second", job.Active, map[job.Status]int64{job.Queued: 600})
	_, err := w.CancelJob(w.ctx(), operator, "second", job.CancelJob{})
	w.must(err)
	w.once("rollout")
	w.once("rollout")
	w.wantJob("second", job.Stopped, map[job.Status]int64{job.Canceled: 600})
	if d := w.describe("first"); !d.Concurrent {
		t.Error("the huge job is rolled out already")
	}
}

func TestAssociatedGroupBringsBackWhoHadLeft(t *testing.T) {
	t.Parallel()
	for _, parts := range []int{1, 8} {
		t.Run(fmt.Sprintf("with %d parts", parts), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, parts)
			w.group("one", "")
			w.group("two", "")
			w.things("a")
			w.join("one", "a")
			w.join("two", "a") // long before two is a target
			w.settle()
			w.create("j", continuous, targets(toGroup("one")))
			w.leave("one", "a")
			w.settle()
			w.wantStatus("a", "j", "REMOVED v2 #1")
			_, err := w.AssociateTargets(w.ctx(), operator, "j", "", []job.Target{toGroup("two")}, "")
			w.must(err)
			w.settle()
			w.wantStatus("a", "j", "QUEUED v1 #2")
		})
	}
}

func TestAssociatedGroupBringsBackWhoHadLeftDuringARollout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.group("two", "")
	names := w.fleet("one", 1200)
	w.join("two", names[0])
	w.settle()
	w.create("j", continuous, targets(toGroup("one"))) // the first 500 at once
	w.leave("one", names[0])
	w.once("membership")
	w.wantStatus(names[0], "j", "REMOVED v2 #1")
	if d := w.describe("j"); !d.Concurrent {
		t.Fatal("the rollout is over already")
	}
	_, err := w.AssociateTargets(w.ctx(), operator, "j", "", []job.Target{toGroup("two")}, "")
	w.must(err)
	w.settle()
	w.wantStatus(names[0], "j", "QUEUED v1 #2")
	w.wantJob("j", job.Active, map[job.Status]int64{job.Queued: 1200, job.Removed: 1})
}

func TestJobsAreListedByStateAndNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	for i := range 30 {
		w.create(fmt.Sprintf("j%02d", i), targets(toThing("a")))
		w.wait(time.Millisecond)
	}
	_, err := w.CancelJob(w.ctx(), operator, "j29", job.CancelJob{})
	w.must(err)
	var got []string
	for after := ""; ; {
		jobs, next, err := w.ListJobs(w.ctx(), operator, engine.JobFilter{}, after, 7)
		w.must(err)
		for _, j := range jobs {
			got = append(got, j.ID)
		}
		if next == "" {
			break
		}
		after = next
	}
	if len(got) != 30 || got[0] != "j28" || got[28] != "j00" || got[29] != "j29" {
		t.Errorf("got %v", got)
	}
	_, _, err = w.ListJobs(w.ctx(), operator, engine.JobFilter{}, "garbage", 7)
	if !apierr.Is(err, apierr.Invalid) {
		t.Errorf("bad position: got %v", err)
	}
}
