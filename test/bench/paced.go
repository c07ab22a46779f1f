package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// tick is how often paced operations begin: as many as are due, all at once.
const tick = time.Millisecond

// paced begins so many operations a second, whether or not those before have
// ended, on workers of which each has one operation at a time. The time of an
// operation counts from the moment at which it was to begin, also where it had to
// wait for a worker. The first error of an operation ends it.
func paced(ctx context.Context, workers, perSecond int, in interval, cpu func() time.Duration, worker func(i int) (func() error, error)) (sample, error) {
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
	total := in.warm + in.measured
	due := make(chan time.Time, int(total.Seconds()*float64(perSecond))+perSecond)
	start := time.Now()
	var mu sync.Mutex
	var latencies []time.Duration // guarded by mu
	var wg sync.WaitGroup
	for _, op := range ops {
		wg.Go(func() {
			for at := range due {
				if err := op(); err != nil {
					cancel(err)
				}
				if ctx.Err() != nil {
					return
				}
				if took := time.Since(at); at.Sub(start) >= in.warm {
					mu.Lock()
					latencies = append(latencies, took)
					mu.Unlock()
				}
			}
		})
	}
	used, warm := time.Duration(0), false
	for begun, next := 0, start; ctx.Err() == nil && next.Sub(start) < total; next = next.Add(tick) {
		pause(ctx, time.Until(next))
		if !warm && next.Sub(start) >= in.warm {
			used, warm = cpu(), true
		}
		for want := int(next.Sub(start).Seconds() * float64(perSecond)); begun < want; begun++ {
			due <- next
		}
	}
	close(due)
	wg.Wait() // also for those that are late
	slices.Sort(latencies)
	return sample{took: time.Since(start) - in.warm, ops: len(latencies), latencies: latencies, cpu: cpu() - used}, context.Cause(ctx)
}
