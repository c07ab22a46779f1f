package cluster

import (
	"cmp"
	"slices"
	"time"
)

const (
	// sampled is how many measurements the clock chooses the best of. They must
	// not be old: a quartz drifts by some milliseconds a minute.
	sampled = 8
	// drift is by how much measurements may differ beyond what their round trips
	// explain before the older ones are thrown away.
	drift = 5 * time.Millisecond
	// slew is the divisor of the clock's speed while it is ahead of the database.
	slew = 2
)

// clock is the time of the cluster as one node knows it: that of the database,
// found by asking, carried on by the node's own clock. It never goes back: if the
// database's clock does, it runs at half speed until it has been caught up with.
//
// When the clock of the database is set, nodes learn it at their next beat, one
// after the other: until then they are apart by as much. Times show that; what came
// first must not hang on it (job.UIDs).
//
// It is a value: measured returns another one. Local times are durations since
// the node was started; times of the cluster are durations since the Unix epoch.
type clock struct {
	samples []sample // the most recent last
	base    time.Duration
	// ahead is by how much the clock was before the best estimate at the local time at.
	ahead, at time.Duration
}

// sample is one measurement.
type sample struct {
	base  time.Duration // the time of the database at the local time 0
	round trip
}

// trip is how long an answer took. The truth is within half of it.
type trip = time.Duration

// read returns the time at a local time that is not before the last measurement.
func (c clock) read(local time.Duration) time.Duration {
	return local + c.base + c.lead(local)
}

// lead returns by how much the clock is before the best estimate.
func (c clock) lead(local time.Duration) time.Duration {
	return max(0, c.ahead-(local-c.at)/slew)
}

// measured returns the clock after the database has said that it is db, when
// asked between two local times. It is not behind floor, nor behind c.
func (c clock) measured(before, after, db, floor time.Duration) clock {
	s := sample{base: db - before - (after-before)/2, round: after - before}
	d := clock{at: after}
	if !s.contradicts(c.samples) {
		d.samples = slices.Clone(c.samples[max(0, len(c.samples)-sampled+1):])
	}
	d.samples = append(d.samples, s)
	d.base = slices.MinFunc(d.samples, func(a, b sample) int { return cmp.Compare(a.round, b.round) }).base
	if len(c.samples) > 0 {
		floor = max(floor, c.read(after))
	}
	d.ahead = max(0, floor-after-d.base)
	return d
}

// contradicts reports whether the clock of the database must have been set since
// the others were taken.
func (s sample) contradicts(others []sample) bool {
	return slices.ContainsFunc(others, func(o sample) bool {
		return (s.base - o.base).Abs() > (s.round+o.round)/2+drift
	})
}
