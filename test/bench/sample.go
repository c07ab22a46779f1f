package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is what one interval has shown.
type sample struct {
	took      time.Duration
	ops       int             // operations that ended in it
	latencies []time.Duration // of each, where they were measured one by one
	cpu       time.Duration   // that the program under test used; 0 if unknown
}

// rate returns operations a second.
func (s sample) rate() float64 { return float64(s.ops) / s.took.Seconds() }

// cost returns the seconds from one operation to the next.
func (s sample) cost() float64 { return s.took.Seconds() / float64(max(1, s.ops)) }

// cpuEach returns the CPU seconds of an operation.
func (s sample) cpuEach() float64 { return s.cpu.Seconds() / float64(max(1, s.ops)) }

// quantile returns the value that the fraction q of the sorted values do not
// exceed, by nearest rank; 0 if there are none. q 1 is the greatest.
func quantile[T any](sorted []T, q float64) T {
	var zero T
	if len(sorted) == 0 {
		return zero
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// pool returns the latencies of several samples, sorted.
func pool(samples []sample) []time.Duration {
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s.latencies...)
	}
	slices.Sort(all)
	return all
}

func apply(samples []sample, f func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = f(s)
	}
	return values
}

// middle returns the median; of an even number of values the mean of the two in the middle.
func middle(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}

// interval says how long a closed loop runs before and while it is measured.
type interval struct{ warm, measured time.Duration }

// closedLoop runs workers that repeat their operation as fast as it goes and
// measures one interval. worker makes the operation of one worker. cpu returns
// the CPU time used so far by what is measured; nil if nobody knows. The first
// error of an operation ends the loop.
func closedLoop(ctx context.Context, workers int, in interval, cpu func() time.Duration, worker func(i int) (func() error, error)) (sample, error) {
	if cpu == nil {
		cpu = func() time.Duration { return 0 }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ops := make([]func() error, workers)
	for i := range ops {
		op, err := worker(i)
		if err != nil {
			return sample{}, err
		}
		ops[i] = op
	}
	var measuring atomic.Bool
	var wg sync.WaitGroup
	latencies := make([][]time.Duration, workers)
	for i, op := range ops {
		wg.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				if err := op(); err != nil {
					cancel(err)
					return
				}
				if measuring.Load() {
					latencies[i] = append(latencies[i], time.Since(start))
				}
			}
		})
	}
	pause(ctx, in.warm)
	used, start := cpu(), time.Now()
	measuring.Store(true)
	pause(ctx, in.measured)
	measuring.Store(false)
	s := sample{took: time.Since(start), cpu: cpu() - used}
	err := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	s.latencies = slices.Concat(latencies...)
	s.ops = len(s.latencies)
	return s, err
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
