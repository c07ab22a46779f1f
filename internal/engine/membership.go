package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// changeChunk bounds the changes of one transaction; each may concern many jobs.
const changeChunk = 100

// membershipOnce makes continuous jobs follow the registry: things that joined a
// target group get an execution, those that left their last one lose theirs, and
// those that were deleted lose all [jobs-lifecycle, continuous jobs].
func (e *Engine) membershipOnce(ctx context.Context, now time.Time) (int, error) {
	return e.inParts(Membership, wide, func(p Part) (int, error) { return e.membershipPart(ctx, p, now.UnixMilli()) })
}

// inParts runs fn for the parts that have a task, a few at a time, and again later
// for those in which it has done something or failed.
func (e *Engine) inParts(task Tasks, atATime int, fn func(Part) (int, error)) (int, error) {
	parts := e.flags.take(task, e.parts())
	done, errs := make([]int, len(parts)), make([]error, len(parts))
	var g errgroup.Group
	g.SetLimit(atATime)
	for i, p := range parts {
		g.Go(func() error {
			done[i], errs[i] = fn(p)
			if done[i] > 0 || errs[i] != nil {
				e.flags.raise(task, p.Part)
			}
			return nil
		})
	}
	_ = g.Wait() // each has its own
	n := 0
	for _, d := range done {
		n += d
	}
	return n, errors.Join(errs...)
}

// membershipPart deals with a chunk of a part's changes: executions follow and
// the changes go in one transaction. If that fails because of one of them, the
// others follow one by one, but for later ones of the same thing: those would
// come too early.
func (e *Engine) membershipPart(ctx context.Context, p Part, now int64) (int, error) {
	var changes []thing.Change
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		changes, err = r.Changes(p.Part, changeChunk)
		return err
	})
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	err = e.followAll(ctx, p, changes, now)
	if err == nil {
		return len(changes), nil
	}
	if passing(ctx, err) {
		return 0, err
	}
	var done int
	var faults []error
	stuck := make(map[int64]bool)
	for _, c := range changes {
		if stuck[c.ThingUID] {
			continue
		}
		err = e.followAll(ctx, p, []thing.Change{c}, now)
		if err != nil {
			stuck[c.ThingUID] = true
			faults = append(faults, fmt.Errorf("change of thing %s: %w", c.Thing, err))
			continue
		}
		done++
	}
	return done, errors.Join(faults...)
}

// followAll deals with changes in one transaction. One that is dealt with again
// changes nothing: its sequence number is older than what it has led to.
func (e *Engine) followAll(ctx context.Context, p Part, changes []thing.Change, now int64) error {
	var seen effects
	err := e.store.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
		seen = effects{}
		for _, c := range changes {
			err := e.follow(tx, c, &seen, now)
			if err != nil {
				return err
			}
			err = tx.DeleteChange(c)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		e.react(seen, p.Part)
	}
	return err
}

func (e *Engine) follow(tx store.Tx, c thing.Change, seen *effects, now int64) error {
	if c.Kind == thing.Deleted {
		refs := []job.Ref{{Thing: c.Thing, ThingUID: c.ThingUID}}
		return e.queues(tx, refs, seen, func(q *job.Queue) { q.RemoveAll(now) })
	}
	uids, err := tx.ContinuousJobs(c.GroupPath)
	if err != nil {
		return err
	}
	var refs []job.Ref
	for _, uid := range uids {
		if c.Kind == thing.Left {
			still, err := stillTarget(tx, c, uid)
			if err != nil {
				return err
			}
			if still {
				continue
			}
		}
		refs = append(refs, job.Ref{Thing: c.Thing, ThingUID: c.ThingUID, JobUID: uid, History: true})
	}
	return e.queues(tx, refs, seen, func(q *job.Queue) {
		if c.Kind == thing.Joined {
			q.Enqueue(c.Seq, now)
		} else {
			q.Leave(c.Seq, now)
		}
	})
}

// stillTarget reports whether the thing was a target of the job by something
// else when the change happened: by name, or by a membership begun before it.
func stillTarget(tx store.Tx, c thing.Change, jobUID int64) (bool, error) {
	j, err := tx.JobByUID(jobUID)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	if slices.ContainsFunc(j.Targets, func(t job.Target) bool { return t.Kind == job.ThingTarget && t.UID == c.ThingUID }) {
		return true, nil
	}
	members, err := tx.Memberships(c.Thing, c.ThingUID)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.UID > c.Seq {
			continue
		}
		g, err := tx.GroupByUID(m.GroupUID)
		if apierr.Is(err, apierr.NotFound) {
			continue // deleted: its own change is coming
		}
		if err != nil {
			return false, err
		}
		for _, t := range j.Targets {
			if t.Kind == job.GroupTarget && slices.Contains(g.Path, t.UID) {
				return true, nil
			}
		}
	}
	return false, nil
}

func ignoreNotFound(err error) error {
	if apierr.Is(err, apierr.NotFound) {
		return nil
	}
	return err
}
