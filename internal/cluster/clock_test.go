package cluster_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/cluster"
)

// asked is a clock that asks a database, whose clock it is the test's to set.
type asked struct {
	clock cluster.Clock
	local time.Duration
	db    time.Duration // of the database, when the local time was 0
}

// ask lets the answer take two ways.
func (a *asked) ask(there, back, floor time.Duration) {
	before := a.local
	db := (a.db + before + there).Truncate(time.Millisecond)
	a.local += there + back
	a.clock = a.clock.Measured(before, a.local, db, floor)
}

func (a *asked) read() time.Duration  { return a.clock.Read(a.local) }
func (a *asked) truth() time.Duration { return a.db + a.local }

// off fails unless the clock is right within d.
func (a *asked) off(t *testing.T, when string, d time.Duration) {
	t.Helper()
	if off := a.read() - a.truth(); off.Abs() > d {
		t.Errorf("%s: off by %v, want at most %v", when, off, d)
	}
}

const (
	epoch = 1_700_000_000 * time.Second
	ms    = time.Millisecond
)

func TestClock(t *testing.T) {
	t.Parallel()
	t.Run("it shows the database's time, whatever the local one", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(2*ms, 2*ms, 0)
		a.off(t, "at first", ms)
		a.local += time.Hour
		a.off(t, "an hour later", ms)
	})
	t.Run("the quickest answer counts", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(100*ms, 0, 0)
		a.off(t, "after a slow answer", 51*ms)
		a.ask(ms, ms, 0)
		a.local += time.Second
		a.off(t, "after a quick one", ms)
		a.ask(0, 100*ms, 0)
		a.off(t, "after another slow one", ms)
	})
	t.Run("a quick answer does not count for ever", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(0, 0, 0)
		for range 60 {
			a.local += time.Minute
			a.db += 2 * ms // the local clock is slow
			a.ask(10*ms, 10*ms, 0)
		}
		a.off(t, "an hour later", 8*2*ms+ms)
	})
	t.Run("when the database's clock is set forward it follows at once", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(ms, ms, 0)
		a.db += time.Minute
		a.ask(50*ms, 50*ms, 0)
		a.off(t, "then", 52*ms)
	})
	t.Run("when the database's clock is set back it goes slowly until that has caught up", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(ms, ms, 0)
		a.db -= time.Minute
		a.ask(ms, ms, 0)
		last := a.read()
		for range 119 {
			a.local += time.Second
			a.ask(ms, ms, 0)
			step := a.read() - last
			if step < 400*ms || step > 600*ms {
				t.Fatalf("a step of %v, want half a second", step)
			}
			last = a.read()
		}
		a.local += 2 * time.Second
		a.off(t, "after two minutes", 2*ms)
	})
	t.Run("a node that comes is not behind what others have seen", func(t *testing.T) {
		t.Parallel()
		a := &asked{db: epoch}
		a.ask(ms, ms, epoch+time.Minute)
		if got := a.read(); got < epoch+time.Minute {
			t.Errorf("got %v, want %v at least", got, epoch+time.Minute)
		}
	})
}

func TestClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := &asked{db: epoch}
		way := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 500_000).Draw(t, "µs")) * time.Microsecond
		})
		a.ask(0, 0, 0)
		last := a.read()
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			a.local += time.Duration(rapid.IntRange(0, 10_000).Draw(t, "pause")) * ms
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				a.db += time.Duration(rapid.IntRange(-100_000, 100_000).Draw(t, "set")) * ms
			case 1:
				// only read
			default:
				floor := last - time.Duration(rapid.IntRange(-2_000, 2_000).Draw(t, "floor"))*ms
				a.ask(way.Draw(t, "there"), way.Draw(t, "back"), floor)
				if a.read() < floor {
					t.Fatalf("%v, behind %v", a.read(), floor)
				}
			}
			if a.read() < last {
				t.Fatalf("%v after %v", a.read(), last)
			}
			last = a.read()
		}
	})
}

func TestClockIsRightWithinHalfARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := &asked{db: epoch}
		var worst time.Duration
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			there := time.Duration(rapid.IntRange(0, 900).Draw(t, "there")) * ms
			back := time.Duration(rapid.IntRange(0, 900).Draw(t, "back")) * ms
			worst = max(worst, (there+back)/2)
			a.ask(there, back, 0)
			if off := a.read() - a.truth(); off.Abs() > worst+ms {
				t.Fatalf("off by %v, want at most %v", off, worst+ms)
			}
			a.local += time.Duration(rapid.IntRange(0, 3_000).Draw(t, "pause")) * ms
		}
	})
}
