package store

// WorkKind says what a loop has to do for a job in a part.
type WorkKind uint8

// The kinds. The numbers are stored, so they must never change.
const (
	// Rollout queues executions for the job's targets.
	Rollout WorkKind = iota + 1
	// Sweep settles the queues of the things that have a live execution of a canceled job.
	Sweep
	// Purge removes every execution of a job that is being deleted.
	Purge
)

// Cursor is how far a piece of work has come. Its meaning belongs to the engine.
type Cursor struct {
	// Target is an index into the job's targets.
	Target int
	// GroupUID is a group in the subtree of a group target.
	GroupUID int64
	// ThingUID is the last thing that was dealt with.
	ThingUID int64
}

// Work is background work for one job in one part. A job has at most one in a part.
type Work struct {
	Part   int
	JobUID int64
	Kind   WorkKind
	Cursor Cursor
	// Seq is the uid of the change that started it; it grows with time.
	Seq int64
}

// WorkReader reads background work.
type WorkReader interface {
	// Work returns up to limit pieces of work of a part, oldest Seq first.
	Work(part, limit int) ([]Work, error)
	// JobWork returns the work of a job that is left, in part order.
	JobWork(jobUID int64) ([]Work, error)
}

// WorkWriter writes background work.
type WorkWriter interface {
	// StartWork leaves work of a kind in every part, in place of any that the
	// job has there. parts limits it to some; nil is all.
	StartWork(jobUID int64, kind WorkKind, at Cursor, seq int64, parts []int) error
	// SaveWork stores the cursor of a piece of work, unless it has been replaced
	// (another Seq), in which case it reports false.
	SaveWork(w Work) (bool, error)
	// FinishWork removes a piece of work, unless it has been replaced, and marks the job.
	FinishWork(w Work) error
}
