package engine

import "muster/internal/job"

// Counters of the engine, for metrics.
const (
	statLoopFailures = iota
	statCount
)

// LoopFailures returns how often a loop has failed since the start.
func (e *Engine) LoopFailures() int64 { return e.stats[statLoopFailures].Load() }

// Reached returns how many executions have come to each status since the start.
// Under job.None it counts those that were deleted while their queue was at hand.
func (e *Engine) Reached() job.Counts {
	var c job.Counts
	for status := range c {
		c[status] = e.reached[status].Load()
	}
	return c
}
