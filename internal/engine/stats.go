package engine

// Counters of the engine, for metrics.
const (
	statLoopFailures = iota
	statCount
)

// LoopFailures returns how often a loop has failed since the start.
func (e *Engine) LoopFailures() int64 { return e.stats[statLoopFailures].Load() }
