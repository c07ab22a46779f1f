package store

import "muster/internal/job"

// JobExecutionKey orders the executions of one job: by part, thing and number.
type JobExecutionKey struct {
	Part     int
	ThingUID int64
	Number   int64
}

// ThingExecutionKey orders the executions of one thing: newest queuedAt first,
// then newest job, then highest number. The zero value is before the first.
type ThingExecutionKey struct {
	QueuedAt int64
	JobUID   int64
	Number   int64
}

// ExecutionFilter selects executions. Zero members select everything.
type ExecutionFilter struct {
	Status job.Status
	// JobUID selects one job, for lists by thing.
	JobUID int64
	// Namespace selects jobs of a namespace, for lists by thing. The empty
	// string selects everything.
	Namespace string
}

// ExecutionReader reads job executions.
type ExecutionReader interface {
	// Queue returns the queue that ref names, as UpdateQueues would hand it out.
	// Changes made to it are not stored.
	Queue(ref job.Ref) (*job.Queue, error)
	// JobExecutions returns a page of a job's executions, live and finished, in
	// JobExecutionKey order. It looks at a bounded number of rows: a page under a
	// status filter may be short with more to follow; next is where to go on.
	JobExecutions(jobUID int64, f ExecutionFilter, p Page[JobExecutionKey]) (xs []job.Execution, next JobExecutionKey, more bool, err error)
	// ThingExecutions is the same for a thing, in ThingExecutionKey order.
	ThingExecutions(thing string, thingUID int64, f ExecutionFilter, p Page[ThingExecutionKey]) (xs []job.Execution, next ThingExecutionKey, more bool, err error)
	// LiveThings returns refs to up to limit things of a part that have a live
	// execution of the job, in thing order after the uid given.
	LiveThings(part int, jobUID, after int64, limit int) ([]job.Ref, error)
	// Due returns up to limit refs to executions of a part whose stored
	// deadline is at or before now, earliest first. A stored deadline is never
	// later than the real one but may be earlier: Settle decides.
	Due(part int, now int64, limit int) ([]job.Ref, error)
	// NextDue returns the earliest stored deadline of a part, or 0 if there is none.
	NextDue(part int) (int64, error)
}

// ExecutionWriter writes job executions.
type ExecutionWriter interface {
	// Queues is UpdateQueues within this transaction.
	Queues(refs []job.Ref, fn func(*job.Queue) error) error
	// DeleteFinished removes up to limit finished executions of a job in a part
	// and returns how many there were; heads, which it removes once there are
	// none, may be counted with them. If it returns limit, there may be more. Only
	// for a job that is being deleted.
	DeleteFinished(part int, jobUID int64, limit int) (int, error)
	// Rearm corrects the stored deadline of executions that fired early: it
	// stores each one's real deadline, or removes it if there is none.
	Rearm(refs []job.Ref) error
}
