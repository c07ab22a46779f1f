package engine

import (
	"muster/internal/job"
	"muster/internal/store"
)

// rolloutStep queues executions for up to a chunk of the job's targets in a
// part, from the cursor on. What is queued already stays as it is, so a step
// that is repeated changes nothing.
func (e *Engine) rolloutStep(tx store.Tx, w store.Work, j job.Job, seen *effects, now int64) error {
	batch, err := e.nextTargets(tx, &w, j)
	if err != nil {
		return err
	}
	err = e.queues(tx, batch.refs, seen, func(q *job.Queue) { q.Enqueue(batch.causes[q.Thing.UID], now) })
	if err != nil {
		return err
	}
	if w.Cursor.Target >= len(j.Targets) {
		return tx.FinishWork(w)
	}
	_, err = tx.SaveWork(w)
	return err
}

// batch is a chunk of things to roll out to, and by what each is a target.
type batch struct {
	refs   []job.Ref
	causes map[int64]int64
}

func (b *batch) add(ref job.Ref, cause int64) {
	if b.causes == nil {
		b.causes = make(map[int64]int64, chunk)
	}
	if _, ok := b.causes[ref.ThingUID]; ok {
		return
	}
	b.causes[ref.ThingUID] = cause
	b.refs = append(b.refs, ref)
}

// nextTargets returns the next chunk of things and moves w's cursor past it.
func (e *Engine) nextTargets(tx store.Tx, w *store.Work, j job.Job) (batch, error) {
	var b batch
	for reads := 0; w.Cursor.Target < len(j.Targets) && len(b.refs) < chunk && reads < chunk; reads++ {
		t := j.Targets[w.Cursor.Target]
		if t.Kind == job.ThingTarget {
			if e.store.PartOf(t.Name) == w.Part {
				b.add(job.Ref{Thing: t.Name, ThingUID: t.UID, JobUID: j.UID, History: true}, w.Seq)
			}
			w.Cursor = store.Cursor{Target: w.Cursor.Target + 1}
			continue
		}
		err := nextMembers(tx, w, j, t.UID, &b)
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// nextMembers adds members of the cursor's group, or finds the next group of
// the target's subtree. A snapshot leaves out whoever came after it
// [jobs-lifecycle, snapshot jobs].
//
// What comes behind the cursor meanwhile is no target of a snapshot, and a
// continuous job gets it by its change.
func nextMembers(tx store.Tx, w *store.Work, j job.Job, target int64, b *batch) error {
	if w.Cursor.GroupUID == 0 || w.Cursor.ThingUID < 0 {
		groups, err := tx.Subtree(target, w.Cursor.GroupUID, 1)
		if err != nil {
			return err
		}
		if len(groups) == 0 {
			w.Cursor = store.Cursor{Target: w.Cursor.Target + 1}
			return nil
		}
		w.Cursor.GroupUID, w.Cursor.ThingUID = groups[0], 0
	}
	limit := chunk - len(b.refs)
	members, err := tx.Members(w.Part, w.Cursor.GroupUID, w.Cursor.ThingUID, limit)
	if err != nil {
		return err
	}
	for _, m := range members {
		if j.Selection != job.Snapshot || m.UID < j.UID {
			ref := job.Ref{Thing: m.Thing, ThingUID: m.ThingUID, JobUID: j.UID, History: true}
			ref.Registered = true // who is not registered has no memberships
			b.add(ref, m.UID)
		}
		w.Cursor.ThingUID = m.ThingUID
	}
	if len(members) < limit {
		w.Cursor.ThingUID = -1 // the group is done
	}
	return nil
}
