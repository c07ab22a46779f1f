// Package store is the contract between the rules and the databases. It holds
// no code that runs. Every driver must pass package storetest.
//
// # Laws
//
// Durable: when Update, UpdatePart or UpdateQueues returns nil, the change
// survives a crash of the process and a loss of power.
//
// Atomic: a closure's changes happen all together or, if it returns an error,
// not at all. A closure may run more than once: it must change nothing but what
// it is handed and variables that it sets anew on each run.
//
// Rules live elsewhere: a driver never decides, it guards. A guard that misses
// makes the driver read again and run the closure again; it is never an answer.
//
// Parts: what things touch is keyed by (part, thing uid, …) where part is a
// fixed hash of the thing's name modulo Parts. A part is the unit of
// distribution and of background work.
//
// Errors: what is not there is apierr.NotFound from the methods that say so.
// A passing fault (full disk, lost connection, closed store) is
// apierr.Unavailable. Anything else, such as a corrupt file, is passed on as it is.
//
// Times are int64 milliseconds since the Unix epoch; 0 means never. Slices and
// maps that are returned belong to the caller, except where a type says that
// they must not be modified.
package store

import (
	"context"

	"muster/internal/job"
)

// Store is an open database. It is safe for concurrent use.
type Store interface {
	// View runs fn on a snapshot. It must not be used to decide a write.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a transaction and commits it. Errors of fn are returned as they are.
	Update(ctx context.Context, fn func(Tx) error) error

	// UpdatePart is Update for a loop that owns a part. It must fail with
	// apierr.Conflict if fence is older than the newest one seen for the part, so
	// that a loop that lost the part cannot overwrite. A fence of 0 is not checked.
	UpdatePart(ctx context.Context, part int, fence int64, fn func(Tx) error) error

	// UpdateQueues calls fn once for each ref, in order, with the queue of the
	// thing that the ref names, and stores what fn changes: executions, counts,
	// deadlines, heads, dirty rows and marks of jobs, all in one commit. Refs of
	// one thing see each other's changes. If fn returns an error for any ref,
	// nothing of this call is stored and the error is returned.
	//
	// Calls that wait at the same moment are served together: one that fails,
	// fails alone. fn must be pure, may run again, and runs while others wait.
	UpdateQueues(ctx context.Context, refs []job.Ref, fn func(*job.Queue) error) error

	// Parts returns the number of parts, fixed when the database was made.
	Parts() int

	// PartOf returns the part of the thing with the given name.
	PartOf(thing string) int

	// Floor returns a uid that is not lower than any uid stored, so that uids go
	// on growing after a restart even if the clock has gone back.
	Floor(ctx context.Context) (int64, error)

	// Health returns nil if the store took its last write, else why not. It
	// must not block behind writers.
	Health(ctx context.Context) error

	// Close waits for calls under way and closes the store. Later calls fail
	// with apierr.Unavailable.
	Close() error
}

// Reader reads one snapshot. It is the sum of small interfaces so that a
// function can ask for only what it uses.
type Reader interface {
	JobReader
	ExecutionReader
	WorkReader
	OutboxReader
	PartReader
	ThingReader
	TypeReader
	GroupReader
	ChangeReader
	TagReader
	KeyReader
	SessionReader
	NodeReader
}

// Tx is a transaction that writes. It reads its own writes.
type Tx interface {
	Reader
	JobWriter
	ExecutionWriter
	WorkWriter
	OutboxWriter
	ThingWriter
	TypeWriter
	GroupWriter
	ChangeWriter
	TagWriter
	KeyWriter
	SessionWriter
	NodeWriter
}

// Page bounds a list: Limit rows at most that come after the key After. The
// zero value of a key type is before the first row. Lists are ordered by key and
// stay correct, without repeats or gaps among rows that were there all the
// time, while others are inserted and deleted.
type Page[K any] struct {
	After K
	Limit int
}
