package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store/sqlite"
)

func TestInProgressTimerFiresOnceAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.things("a", "b", "c")
	w.create("j", timeout(10), targets(toThing("a"), toThing("b"), toThing("c")))
	w.start("a", job.Start{})
	w.wait(time.Minute)
	w.start("b", job.Start{})
	w.settle()
	w.wait(9*time.Minute - time.Millisecond)
	w.settle()
	w.wantStatus("a", "j", "IN_PROGRESS v2 #1")
	w.wait(time.Millisecond)
	w.settle()
	w.wantStatus("a", "j", "TIMED_OUT v3 #1")
	w.wantStatus("b", "j", "IN_PROGRESS v2 #1")
	w.must(w.store.Close())
	w.wait(time.Hour) // the process was away
	w.open(0)
	w.settle()
	w.wantJob("j", job.Active, map[job.Status]int64{job.TimedOut: 2, job.Queued: 1})
	w.countsAgree("j")
}

func TestStepTimerIsCappedByTheInProgressTimer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	w.create("j", timeout(20), targets(toThing("a")))
	step := func(minutes int64) int64 {
		t.Helper()
		x, err := w.tryUpdate("a", "j", job.Update{Status: job.InProgress, StepTimeoutMinutes: minutes})
		w.must(err)
		return (x.Deadline() - t0.UnixMilli()) / 60_000
	}
	w.start("a", job.Start{})
	for _, s := range []struct {
		at            time.Duration
		minutes, want int64
	}{{5, 7, 12}, {10, 5, 15}, {13, 9, 20}} {
		w.wait(s.at*time.Minute - w.clock().Sub(t0))
		w.settle()
		if got := step(s.minutes); got != s.want {
			t.Errorf("at +%dm: deadline +%dm, want +%dm", s.at, got, s.want)
		}
	}
	w.wait(7*time.Minute - time.Millisecond)
	w.settle()
	w.wantStatus("a", "j", "IN_PROGRESS v5 #1")
	w.wait(time.Millisecond)
	w.settle()
	w.wantStatus("a", "j", "TIMED_OUT v6 #1")
}

func TestAnOverdueExecutionIsOverForWhoeverAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a")
	w.create("j", timeout(1), targets(toThing("a")))
	w.start("a", job.Start{})
	w.wait(time.Minute) // and the loop has not run
	w.wantStatus("a", "j", "TIMED_OUT v3 #1")
	if _, ok := w.next("a"); ok {
		t.Error("$next shows an overdue execution")
	}
	w.settle()
	w.wantJob("j", job.Completed, map[job.Status]int64{job.TimedOut: 1})
}

func TestTimeoutIsTheOneAtTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.things("a", "b")
	w.create("j", timeout(10), targets(toThing("a"), toThing("b")))
	w.start("a", job.Start{})
	twenty := int64(20)
	w.must(w.UpdateJob(w.ctx(), operator, "j", "", job.Patch{TimeoutMinutes: &twenty}))
	w.start("b", job.Start{})
	w.wait(10 * time.Minute)
	w.settle()
	w.wantStatus("a", "j", "TIMED_OUT v3 #1")
	w.wantStatus("b", "j", "IN_PROGRESS v2 #1")
	w.wait(10 * time.Minute)
	w.settle()
	w.wantStatus("b", "j", "TIMED_OUT v3 #1")
}

// TestRunFiresTimersByTheClock drives the real loop, wall clock and all, in a
// bubble where an hour takes no time.
func TestRunFiresTimersByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := sqlite.Open(ctx, sqlite.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, store: s, uids: new(job.UIDs), now: time.Now()}
		w.Engine, err = engine.New(ctx, engine.Config{Store: s, UIDs: w.uids, Account: "123456789012"})
		w.must(err)
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		w.things("a")
		w.create("j", timeout(30), targets(toThing("a")))
		w.start("a", job.Start{})
		time.Sleep(30*time.Minute - 10*time.Millisecond) //nolint:forbidigo // fake time in a bubble
		synctest.Wait()
		w.wantJob("j", job.Active, map[job.Status]int64{job.InProgress: 1})
		time.Sleep(time.Second) //nolint:forbidigo // fake time in a bubble
		synctest.Wait()
		w.wantJob("j", job.Completed, map[job.Status]int64{job.TimedOut: 1})
		cancel()
		w.must(<-done)
		w.must(s.Close())
	})
}

func TestClockThatJumpsIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jump atomic.Int64
		clock := engine.ClockOf(func() time.Time {
			return time.Now().Round(0).Add(time.Duration(jump.Load()))
		})
		done := make(chan error, 1)
		begun := time.Now()
		go func() { done <- clock.Wait(t.Context(), clock.Now().Add(time.Hour), nil) }()
		time.Sleep(time.Minute) //nolint:forbidigo // fake time in a bubble
		jump.Store(int64(time.Hour))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Minute+15*time.Second {
			t.Errorf("set forward past the end of a wait after a minute, the clock ended it after %v", took)
		}
	})
}
