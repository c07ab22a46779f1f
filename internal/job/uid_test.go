package job_test

import (
	"sync"
	"testing"

	"muster/internal/job"
)

func TestUIDsGrow(t *testing.T) {
	t.Parallel()
	var u job.UIDs
	last := int64(0)
	for i, now := range []int64{t0, t0, t0 + 1, t0 - minute, t0 - minute, t0 + minute, 0} {
		uid := u.Next(now)
		if uid <= last {
			t.Errorf("call %d at %d: got %d after %d, want more", i, now, uid, last)
		}
		last = uid
	}
}

func TestUIDsFollowTheClock(t *testing.T) {
	t.Parallel()
	var a, b job.UIDs
	if early, late := a.Next(t0), b.Next(t0+1); early >= late {
		t.Errorf("got %d, then %d a millisecond later from another source, want more", early, late)
	}
}

func TestUIDsGoOnAfterWhatWasSeen(t *testing.T) {
	t.Parallel()
	var before, after job.UIDs
	stored := before.Next(t0 + minute)
	after.Seen(stored)
	after.Seen(stored - 1) // older news changes nothing
	if uid := after.Next(t0); uid <= stored {
		t.Errorf("got %d, want more than the stored %d although the clock went back", uid, stored)
	}
}

func TestUIDsAreUniqueUnderConcurrency(t *testing.T) {
	t.Parallel()
	var u job.UIDs
	var wg sync.WaitGroup
	const workers, each = 4, 500
	made := make([][]int64, workers)
	for i := range workers {
		wg.Go(func() {
			for range each {
				made[i] = append(made[i], u.Next(t0))
			}
		})
	}
	wg.Wait()
	seen := make(map[int64]bool)
	for _, uids := range made {
		for _, uid := range uids {
			seen[uid] = true
		}
	}
	if len(seen) != workers*each {
		t.Errorf("got %d different uids, want %d", len(seen), workers*each)
	}
}

func TestUIDsOfNodesDiffer(t *testing.T) {
	t.Parallel()
	var a, b job.UIDs
	a.SetSlot(1)
	b.SetSlot(job.MaxSlot)
	seen := make(map[int64]bool)
	for range 3000 {
		for _, uid := range []int64{a.Next(t0), b.Next(t0)} {
			if seen[uid] {
				t.Fatalf("%d was made twice", uid)
			}
			seen[uid] = true
		}
	}
	if early, late := a.Next(t0), b.Next(t0+4); early >= late {
		t.Errorf("got %d, then %d on another node later, want more", early, late)
	}
	ahead := a.Next(t0 + minute)
	b.Seen(ahead)
	if uid := b.Next(t0); uid <= ahead {
		t.Errorf("got %d, want more than %d, which another node has made", uid, ahead)
	}
}
