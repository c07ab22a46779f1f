package engine

import (
	"context"
	"slices"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// CreateJob stores a job and starts its rollout [CreateJob]. Targets are named
// by kind and name; their uids are looked up here, and NotFound names one that
// does not exist. AlreadyExists carries the id and the ARN of the job that has
// the id. When it returns, a small job is rolled out; a large one is under way.
func (e *Engine) CreateJob(ctx context.Context, p auth.Principal, s job.Spec, tags []thing.Tag) (job.Job, error) {
	err := e.allow(ctx, p, "iot:CreateJob", onJob, s.ID)
	if err != nil {
		return job.Job{}, err
	}
	tags, err = thing.AddTags(nil, tags)
	if err != nil {
		return job.Job{}, err
	}
	now := e.now()
	var j job.Job
	err = e.store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.JobByID(s.ID)
		if err == nil {
			return e.taken(p, s.ID)
		}
		if !apierr.Is(err, apierr.NotFound) {
			return err
		}
		spec := s
		spec.Targets = slices.Clone(s.Targets)
		err = resolve(tx, spec.Targets)
		if err != nil {
			return err
		}
		// Who is a member by now is in a snapshot: its uid is to be the lower one,
		// whatever clock has made it.
		newest, err := tx.Newest()
		if err != nil {
			return err
		}
		e.uids.Seen(newest)
		j = job.New(spec, e.uids.Next(now), now)
		err = tx.InsertJob(j, s.Document)
		if apierr.Is(err, apierr.AlreadyExists) {
			return e.taken(p, s.ID)
		}
		if err != nil {
			return err
		}
		if len(tags) > 0 {
			err = tx.PutTags(thing.TagResource(thing.JobKind, j.UID), tags)
			if err != nil {
				return err
			}
		}
		return tx.StartWork(j.UID, store.Rollout, store.Cursor{}, j.UID, e.partsOf(j.Targets))
	})
	if err != nil {
		return job.Job{}, err
	}
	e.workJob(ctx, j, now)
	return j, nil
}

// resolve fills in the uids of targets.
func resolve(r store.Reader, targets []job.Target) error {
	for i, t := range targets {
		if t.Kind == job.ThingTarget {
			x, err := r.ThingByName(t.Name)
			if err != nil {
				return err
			}
			targets[i].UID = x.UID
			continue
		}
		g, err := r.GroupByName(t.Name)
		if err != nil {
			return err
		}
		targets[i].UID = g.UID
	}
	return nil
}

// partsOf returns the parts that a rollout to the targets, or the end of it,
// concerns; nil is all. Targets are never taken away.
func (e *Engine) partsOf(targets []job.Target) []int {
	var parts []int
	for _, t := range targets {
		if t.Kind == job.GroupTarget {
			return nil
		}
		parts = append(parts, e.store.PartOf(t.Name))
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

func (e *Engine) taken(p auth.Principal, id string) error {
	x := apierr.New(apierr.AlreadyExists, "Job %s already exists.", id)
	x.ResourceID, x.ResourceARN = id, e.JobARN(p, id)
	return x
}

// JobARN returns the ARN of a job as p, whose region it carries, sees it.
func (e *Engine) JobARN(p auth.Principal, id string) string {
	return e.arn(p, thing.JobKind, id)
}
