// Package registry keeps things, thing types, thing groups, their tags and the
// access keys of operators: it owns their transactions, their clock and their
// authorization. The rules themselves are in package thing.
//
// It never calls the job engine. What the engine must follow, a thing that
// joined or left a group or was deleted, stays behind as a thing.Change in the
// transaction that makes it true, and Config.Changed says that there is one.
//
// Operations return *apierr.Error for everything a caller may be told. The
// first thing each does is to authorize its principal.
package registry

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// Config is what a registry needs. Store, UIDs and, for access keys, Sealer must be set.
type Config struct {
	Store store.Store
	// UIDs is shared with the engine, so that jobs and memberships are ordered.
	UIDs *job.UIDs
	// Now is the engine clock, which dates what is stored; nil is the wall clock.
	Now func() time.Time
	// Wall is the clock of security, which goes on while the engine clock stands
	// still; nil is the wall clock.
	Wall func() time.Time
	// Authorize decides who may do what; nil allows everything.
	Authorize auth.Authorizer
	// Sealer opens and seals the secrets of access keys.
	Sealer *auth.Sealer
	// Account is the account id in ARNs.
	Account string
	// Endpoint is the host that devices connect to, without scheme or port.
	Endpoint string
	// DeleteTypeWait is how long a thing type must have been deprecated before it
	// can be deleted; AWS says thing.DeleteTypeWait.
	DeleteTypeWait time.Duration
	// Changed is called after a commit that left something for a loop: changes for
	// the engine in the parts given, or a deleted group for GroupSweep, in none. It
	// must not block. Nil is fine.
	Changed func(parts ...int)
	// Log gets what loops have done; nil discards.
	Log *slog.Logger
}

// Registry is the registry of one account. It is safe for concurrent use.
type Registry struct {
	store     store.Store
	uids      *job.UIDs
	clock     func() time.Time
	authorize auth.Authorizer
	sealer    *auth.Sealer
	account   string
	endpoint  string
	typeWait  time.Duration
	changed   func(parts ...int)
	log       *slog.Logger

	secrets *secrets
	// dead says that there may be deleted groups whose members are still to be removed.
	dead atomic.Bool
}

// New returns a registry on an open store.
func New(c Config) *Registry {
	r := &Registry{
		store: c.Store, uids: c.UIDs, clock: c.Now, authorize: c.Authorize, sealer: c.Sealer,
		account: c.Account, endpoint: c.Endpoint, typeWait: c.DeleteTypeWait, changed: c.Changed, log: c.Log,
		secrets: newSecrets(c.Wall),
	}
	if r.clock == nil {
		r.clock = time.Now //nolint:forbidigo // the default of the engine clock
	}
	if r.changed == nil {
		r.changed = func(...int) {}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.dead.Store(true) // whatever an earlier process left undone
	return r
}

// now returns the engine clock in milliseconds since the epoch.
func (r *Registry) now() int64 { return r.clock().UnixMilli() }

// update runs fn in one transaction at one time and returns its result. fn may
// run again.
func update[T any](ctx context.Context, r *Registry, fn func(tx store.Tx, now int64) (T, error)) (T, error) {
	now := r.now()
	var out T
	err := r.store.Update(ctx, func(tx store.Tx) error {
		var err error
		out, err = fn(tx, now)
		return err
	})
	return orZero(out, err)
}

// view runs fn on a snapshot and returns its result.
func view[T any](ctx context.Context, r *Registry, fn func(store.Reader) (T, error)) (T, error) {
	var out T
	err := r.store.View(ctx, func(rd store.Reader) error {
		var err error
		out, err = fn(rd)
		return err
	})
	return orZero(out, err)
}

func orZero[T any](v T, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// change runs fn like update. If fn reports that it left something for a loop
// about a thing, the loops are told after the commit.
func (r *Registry) change(ctx context.Context, name string, fn func(tx store.Tx, now int64) (bool, error)) error {
	left, err := update(ctx, r, fn)
	if left {
		r.changed(r.store.PartOf(name))
	}
	return err
}

// allow asks whether p may do action on a resource of the account.
func (r *Registry) allow(ctx context.Context, p auth.Principal, action string, k thing.Kind, name string) error {
	return r.authorize.Authorize(ctx, p, action, r.ARN(p, k, name))
}

// allowAny asks whether p may do an action that is about no resource in particular.
func (r *Registry) allowAny(ctx context.Context, p auth.Principal, action string) error {
	return r.authorize.Authorize(ctx, p, action, "*")
}

// taken returns the refusal to create a resource under the name that another
// has, whose id it tells. message has a place for the name.
func (r *Registry) taken(p auth.Principal, k thing.Kind, name, id, message string) error {
	e := apierr.New(apierr.AlreadyExists, message, name)
	e.ResourceID, e.ResourceARN = id, r.ARN(p, k, name)
	return e
}
