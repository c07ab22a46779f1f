package store

import "muster/internal/job"

// Dirty says that the device of a thing must be told of changes in a namespace.
// There is one row for each thing and namespace, made in the transaction in which
// front or set first differ from what the device was told.
type Dirty struct {
	Part      int
	Thing     string
	ThingUID  int64
	Namespace string
	// Told is what the device was told last.
	Told job.Told
	// Since orders the rows of a part. It never changes.
	Since int64
	// Seq grows with every further change.
	Seq int64
}

// OutboxReader reads what devices must be told.
type OutboxReader interface {
	// Dirty returns a page of the rows of a part by Since, which is oldest first.
	Dirty(part int, p Page[int64]) ([]Dirty, error)
}

// OutboxWriter writes the outbox. Rows are made by Queues and UpdateQueues.
type OutboxWriter interface {
	// Sent records that the device has been told is. The row is removed if its
	// Seq has not moved; else it stays, with is as what the device was told.
	Sent(d Dirty, is job.Told) error
}
