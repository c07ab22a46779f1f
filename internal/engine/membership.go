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

// followAll deals with changes in one transaction. It skips those that another
// has dealt with since they were read.
func (e *Engine) followAll(ctx context.Context, p Part, changes []thing.Change, now int64) error {
	seqs := make([]int64, len(changes))
	for i, c := range changes {
		seqs[i] = c.Seq
	}
	var seen effects
	err := e.store.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
		seen = effects{}
		pending, err := tx.Pending(p.Part, seqs)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if !slices.Contains(pending, c.Seq) {
				continue
			}
			err = e.follow(tx, c, &seen, now)
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
	if err != nil || len(uids) == 0 {
		return err
	}
	var still standing
	if c.Kind == thing.Left {
		still, err = e.standingAt(tx, c)
		if err != nil {
			return err
		}
	}
	var refs []job.Ref
	for _, uid := range uids {
		if c.Kind == thing.Left {
			target, err := still.target(tx, uid)
			if err != nil {
				return err
			}
			if target {
				continue
			}
		}
		refs = append(refs, job.Ref{Thing: c.Thing, ThingUID: c.ThingUID, JobUID: uid, History: true})
	}
	if c.Kind == thing.Joined {
		return e.queues(tx, refs, seen, func(q *job.Queue) { q.Enqueue(c.Seq, now) })
	}
	younger, err := e.younger(tx, refs)
	if err != nil {
		return err
	}
	return e.queues(tx, refs, seen, func(q *job.Queue) { q.Leave(c.Seq, now, younger...) })
}

// younger returns what of that which has made a thing a target of jobs is still to
// be followed, because a rollout has met it first: it came after the change that
// is being followed, and may be over by now.
func (e *Engine) younger(tx store.Tx, refs []job.Ref) ([]int64, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var causes []int64
	err := tx.Queues(refs, func(q *job.Queue) error {
		if cause := q.Cause(); cause != 0 && !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
		return nil
	})
	if err != nil || len(causes) == 0 {
		return nil, err
	}
	return tx.Pending(e.store.PartOf(refs[0].Thing), causes)
}

// standing is what is left of a thing's memberships after a change.
type standing struct {
	thingUID int64
	groups   []int64 // that it was in at the change, and the groups above them
}

// standingAt returns where the thing stands at a change that is being followed.
// Changes of a thing are followed in order: what has begun after this one is what
// is still to be followed.
func (e *Engine) standingAt(tx store.Tx, c thing.Change) (standing, error) {
	s := standing{thingUID: c.ThingUID}
	members, err := tx.Memberships(c.Thing, c.ThingUID)
	if err != nil || len(members) == 0 {
		return s, err
	}
	uids := make([]int64, len(members))
	for i, m := range members {
		uids[i] = m.UID
	}
	younger, err := tx.Pending(e.store.PartOf(c.Thing), uids)
	if err != nil {
		return s, err
	}
	for _, m := range members {
		if slices.Contains(younger, m.UID) {
			continue
		}
		g, err := tx.GroupByUID(m.GroupUID)
		if apierr.Is(err, apierr.NotFound) {
			continue // deleted: its own change is coming
		}
		if err != nil {
			return s, err
		}
		s.groups = append(s.groups, g.Path...)
	}
	return s, nil
}

// target reports whether the thing is a target of the job all the same: by name, or
// by one of its groups.
func (s standing) target(r store.JobReader, jobUID int64) (bool, error) {
	j, err := r.JobByUID(jobUID)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	return slices.ContainsFunc(j.Targets, func(t job.Target) bool {
		if t.Kind == job.ThingTarget {
			return t.UID == s.thingUID
		}
		return slices.Contains(s.groups, t.UID)
	}), nil
}

func ignoreNotFound(err error) error {
	if apierr.Is(err, apierr.NotFound) {
		return nil
	}
	return err
}
