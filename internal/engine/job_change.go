package engine

import (
	"context"
	"slices"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/store"
)

// changeJob applies a rule to a job and lets then do what follows in the same
// transaction. then may be nil.
func (e *Engine) changeJob(ctx context.Context, id string, rule func(store.Tx, job.Job) (job.Job, error), then func(store.Tx, job.Job) error) (job.Job, error) {
	var out job.Job
	err := e.store.Update(ctx, func(tx store.Tx) error {
		j, err := tx.JobByID(id)
		if err != nil {
			return err
		}
		out, err = rule(tx, j)
		if err != nil {
			return err
		}
		err = tx.UpdateJob(out)
		if err != nil || then == nil {
			return err
		}
		return then(tx, out)
	})
	return out, err
}

// UpdateJob changes what the patch holds [UpdateJob]. A namespace, if given,
// must be the job's.
func (e *Engine) UpdateJob(ctx context.Context, p auth.Principal, id, namespace string, patch job.Patch) error {
	err := e.allow(ctx, p, "iot:UpdateJob", onJob, id)
	if err != nil {
		return err
	}
	now := e.now()
	_, err = e.changeJob(ctx, id, func(_ store.Tx, j job.Job) (job.Job, error) {
		err := j.InNamespace(namespace)
		if err != nil {
			return j, err
		}
		return j.Update(patch, now)
	}, nil)
	return err
}

// CancelJob cancels a job [CancelJob]. From its return on nothing of the job can
// start; with force, nothing of it goes on. The executions themselves are
// canceled by a sweep, which a small job does not have to wait for.
func (e *Engine) CancelJob(ctx context.Context, p auth.Principal, id string, c job.CancelJob) (job.Job, error) {
	err := e.allow(ctx, p, "iot:CancelJob", onJob, id)
	if err != nil {
		return job.Job{}, err
	}
	now := e.now()
	j, err := e.changeJob(ctx, id,
		func(_ store.Tx, j job.Job) (job.Job, error) { return j.Cancel(c, now) },
		func(tx store.Tx, j job.Job) error {
			return tx.StartWork(j.UID, store.Sweep, store.Cursor{}, e.uids.Next(now), e.partsOf(j.Targets))
		})
	if err != nil {
		return job.Job{}, err
	}
	e.workJob(ctx, j, now)
	return j, nil
}

// DeleteJob deletes a job and its executions [DeleteJob]. From its return on
// devices find nothing of it. LimitExceeded if MaxDeleting jobs are being
// deleted already.
func (e *Engine) DeleteJob(ctx context.Context, p auth.Principal, id, namespace string, force bool) error {
	err := e.allow(ctx, p, "iot:DeleteJob", onJob, id)
	if err != nil {
		return err
	}
	now := e.now()
	j, err := e.changeJob(ctx, id,
		func(_ store.Tx, j job.Job) (job.Job, error) {
			err := j.InNamespace(namespace)
			if err != nil {
				return j, err
			}
			return j.Delete(force, now)
		},
		func(tx store.Tx, j job.Job) error {
			n, err := tx.CountJobs(job.Deleting, job.MaxDeleting+1)
			if err != nil {
				return err
			}
			if n > job.MaxDeleting { // this one included
				return apierr.New(apierr.LimitExceeded, "%d jobs are being deleted: at most %d may be at once.", n-1, job.MaxDeleting)
			}
			return tx.StartWork(j.UID, store.Purge, store.Cursor{}, e.uids.Next(now), e.partsOf(j.Targets))
		})
	if err != nil {
		return err
	}
	e.workJob(ctx, j, now)
	return nil
}

// AssociateTargets adds targets to a continuous job and rolls it out to them
// [AssociateTargetsWithJob].
func (e *Engine) AssociateTargets(ctx context.Context, p auth.Principal, id, namespace string, targets []job.Target, comment string) (job.Job, error) {
	err := e.allow(ctx, p, "iot:AssociateTargetsWithJob", onJob, id)
	if err != nil {
		return job.Job{}, err
	}
	now := e.now()
	var old int
	j, err := e.changeJob(ctx, id, func(tx store.Tx, j job.Job) (job.Job, error) {
		err := j.InNamespace(namespace)
		if err != nil {
			return j, err
		}
		add := slices.Clone(targets)
		err = resolve(tx, add)
		if err != nil {
			return j, err
		}
		old = len(j.Targets)
		return j.Associate(add, comment, now)
	}, func(tx store.Tx, j job.Job) error { return e.rollOn(tx, j, old, now) })
	if err != nil {
		return job.Job{}, err
	}
	e.workJob(ctx, j, now)
	return j, nil
}

// rollOn starts a rollout from the target at index first. In parts where one is
// under way it goes on from its cursor and comes to the new targets by itself,
// yet as new work: what the step under way saves of the old is void.
func (e *Engine) rollOn(tx store.Tx, j job.Job, first int, now int64) error {
	if first == len(j.Targets) {
		return nil
	}
	work, err := tx.JobWork(j.UID)
	if err != nil {
		return err
	}
	cursors := make(map[int]store.Cursor, len(work))
	for _, w := range work {
		cursors[w.Part] = w.Cursor
	}
	seq := e.uids.Next(now)
	for part := range e.store.Parts() {
		at, busy := cursors[part]
		if !busy {
			at = store.Cursor{Target: first}
		}
		err := tx.StartWork(j.UID, store.Rollout, at, seq, []int{part})
		if err != nil {
			return err
		}
	}
	return nil
}
