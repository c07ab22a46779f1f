// Package engine runs jobs: it owns the transactions, the engine clock, the
// authorization of every job operation, and the loops that roll out, time out,
// sweep and complete. The rules themselves are in package job.
//
// Operations return *apierr.Error for everything a caller may be told. The
// first thing each does is to authorize its principal.
package engine

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// Config is what an engine needs. Store and UIDs must be set.
type Config struct {
	Store store.Store
	// UIDs is shared with the registry, so that jobs and memberships are ordered.
	UIDs *job.UIDs
	// Clock is the engine clock; the zero value is the wall clock.
	Clock Clock
	// Parts returns the parts that the loops work on at the moment; nil is all of
	// them for ever. It is called often. The slice must not be modified.
	Parts func() []Part
	// Peers are the engines of the other nodes; nil if there are none.
	Peers Peers
	// Publisher tells connected devices; nil if devices only poll.
	Publisher Publisher
	// Authorize decides who may do what; nil allows everything.
	Authorize auth.Authorizer
	// Account is the account id in ARNs.
	Account string
	// StrictTerminal makes a device's describe of a finished execution fail with
	// TerminalState [divergences, U3].
	StrictTerminal bool
	// Log gets what loops cannot return; nil discards.
	Log *slog.Logger
}

// Engine runs jobs. It is safe for concurrent use.
type Engine struct {
	store     store.Store
	uids      *job.UIDs
	clock     Clock
	parts     func() []Part
	alone     bool // all parts are its own for ever
	peers     Peers
	publisher Publisher
	authorize auth.Authorizer
	account   string
	strict    bool
	log       *slog.Logger
	documents documents

	flags      flags
	timers     alarms
	again      alarms       // of the outbox, for rows that could not be sent
	lookAt     atomic.Int64 // when to look at what there is to do, in milliseconds
	outbox     outbox
	tellers    int // how many things the outbox tells at a time
	turns      turns
	holds      holds
	wake       chan struct{} // of the loops but the outbox
	wakeOutbox chan struct{}
	stats      [statCount]atomic.Int64
	reached    [len(job.Counts{})]atomic.Int64 // by status
}

// New returns an engine. Its loops do nothing until Run, or until they are
// driven by hand through Loops. It returns an error if the store cannot be read.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Clock.Now == nil {
		c.Clock = WallClock()
	}
	e := &Engine{
		store: c.Store, uids: c.UIDs, clock: c.Clock, parts: c.Parts, peers: c.Peers, publisher: c.Publisher, authorize: c.Authorize,
		account: c.Account, strict: c.StrictTerminal,
		log:  cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		wake: make(chan struct{}, 1), wakeOutbox: make(chan struct{}, 1), tellers: tellers,
	}
	floor, err := c.Store.Floor(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: read uid floor: %w", err)
	}
	e.uids.Seen(floor)
	parts := c.Store.Parts()
	e.flags.parts, e.timers.at, e.again.at = make([]Tasks, parts), make([]int64, parts), make([]int64, parts)
	if e.parts != nil {
		e.Look()
		return e, nil
	}
	all := everything(parts)
	e.alone, e.parts = true, func() []Part { return all }
	for part := range parts { // whatever an earlier process left undone
		e.flags.raise(inParts|Completion, part)
		e.timers.earlier(part, 1)
	}
	return e, nil
}

// now returns the engine clock in milliseconds since the epoch.
func (e *Engine) now() int64 { return e.clock.Now().UnixMilli() }

// Now returns the engine clock, for surfaces that print times.
func (e *Engine) Now() time.Time { return e.clock.Now() }

// Kick makes the loops look for what the registry has left in parts: changes of
// memberships and deleted things. Without parts it is all of them. Call it after
// the commit.
func (e *Engine) Kick(parts ...int) {
	if len(parts) == 0 {
		e.rouseAll(Membership)
		return
	}
	e.rouse(Membership, parts...)
}

func (e *Engine) nudge() {
	for _, wake := range [...]chan struct{}{e.wake, e.wakeOutbox} {
		select {
		case wake <- struct{}{}:
		default: // a wake-up is waiting already
		}
	}
}

// What operations are allowed on.
const (
	onJob   = thing.JobKind
	onThing = thing.ThingKind
)

// allow asks whether p may do action on a resource of the account.
func (e *Engine) allow(ctx context.Context, p auth.Principal, action string, kind thing.Kind, name string) error {
	if e.authorize == nil {
		return nil // not worth an ARN
	}
	return e.authorize(ctx, p, action, e.arn(p, kind, name))
}

func (e *Engine) arn(p auth.Principal, kind thing.Kind, name string) string {
	return thing.ARN{Region: p.Region, Account: e.account, Kind: kind, Name: name}.String()
}

// queue runs fn on one thing's queue in the store's group commit and wakes the
// loops that its changes concern.
func (e *Engine) queue(ctx context.Context, ref job.Ref, fn func(*job.Queue) error) error {
	var seen effects
	err := e.store.UpdateQueues(ctx, []job.Ref{ref}, func(q *job.Queue) error {
		seen = effects{}
		e.mute(q)
		before := q.Changes() // of others whom the store serves together with us
		err := fn(q)
		seen.of(q, before)
		return err
	})
	if err == nil {
		if seen.moved && e.holds.moves(ref.Thing, seen.told) {
			seen.told = false // the end of the hold wakes the outbox
		}
		e.react(seen, e.store.PartOf(ref.Thing))
	}
	return err
}

// queues runs fn on many queues within a loop's transaction. The effects are to
// be handed to react after the commit.
func (e *Engine) queues(tx store.Tx, refs []job.Ref, seen *effects, fn func(*job.Queue)) error {
	return tx.Queues(refs, func(q *job.Queue) error {
		e.mute(q)
		before := q.Changes()
		fn(q)
		seen.of(q, before)
		return nil
	})
}

func (e *Engine) mute(q *job.Queue) {
	if e.publisher == nil {
		q.Mute()
	}
}

// effects is what the loops, and the metrics, must know of changed queues.
type effects struct {
	moved    bool       // something is different
	told     bool       // and devices are owed the news of it
	ended    bool       // an execution has
	deadline int64      // the earliest, or 0
	reached  job.Counts // executions that have come to a status
}

// of adds what a call has made of a queue, of which others had changed something
// before. A deadline that is not new may be among what it sees: waking early is
// harmless.
func (f *effects) of(q *job.Queue, before []job.Change) {
	changes := q.Changes()
	f.moved = f.moved || len(changes) > 0
	f.told = f.told || len(q.Dirty()) > 0
	for _, c := range changes {
		f.ended = f.ended || !c.After.Status.Pending()
		if d := c.After.Deadline(); d != 0 && (f.deadline == 0 || d < f.deadline) {
			f.deadline = d
		}
		if was(c, before) != c.After.Status {
			f.reached[c.After.Status]++
		}
	}
}

// was returns the status that an execution had when the call began.
func was(c job.Change, before []job.Change) job.Status {
	for _, b := range before {
		if b.After.Key() == c.After.Key() {
			return b.After.Status
		}
	}
	return c.Before.Status
}

// react wakes the loops for what has changed in queues of a part.
func (e *Engine) react(f effects, part int) {
	for status, n := range f.reached {
		if n != 0 {
			e.reached[status].Add(n)
		}
	}
	if f.deadline != 0 {
		e.expect(part, f.deadline)
	}
	if f.ended {
		e.rouse(Completion, leading)
	}
	if f.told && e.publisher != nil {
		e.rouse(Outbox, part)
	}
}
