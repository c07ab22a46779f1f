package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

const (
	// inlineSteps is how many chunks of a job's work its operator waits for, in as
	// many parts, and inlineTime how long at most if the job may be a large one: what
	// has begun by then is done.
	inlineSteps = 64
	inlineTime  = 100 * time.Millisecond
	inlineMax   = 5 * time.Second
	// wide is in how many parts work goes on at a time.
	wide = 4
	// maxTurns is how many pieces of work of a part take turns, the oldest ones.
	maxTurns = 64
)

// workOnce does one chunk of a piece of each part's work: rollouts, and the
// sweeps that follow a cancel or a delete. The pieces of a part take turns, so
// that a small job does not wait for a huge one, nor any for one that fails.
func (e *Engine) workOnce(ctx context.Context, now time.Time) (int, error) {
	return e.inParts(Progress, wide, func(p Part) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return e.workPart(ctx, p, 0, now.UnixMilli())
	})
}

// workJob does the first chunk of a job's work in its first parts at once, so that
// small jobs are rolled out, swept, completed or gone when their operator has the
// answer. What is left is the loop's, so is a failure, and what is in the parts
// of other engines is theirs.
func (e *Engine) workJob(ctx context.Context, j job.Job, now int64) {
	var work []store.Work
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		work, err = r.JobWork(j.UID)
		return err
	})
	if err != nil {
		e.rouseAll(Progress)
	}
	for _, w := range work { // the loops of this engine come after us, the others need not wait
		e.rouse(Progress, w.Part)
	}
	if err == nil {
		err = e.workInline(ctx, work, j, now)
	}
	e.rouse(Completion, leading)
	if err == nil {
		_, err = e.completionOnce(ctx, time.UnixMilli(now))
	}
	if err != nil {
		e.log.Warn("left to the loop", "job", j.ID, "err", err)
	}
}

// workInline does the first chunk of a job's work in the parts of this engine, as
// many as there is time for.
func (e *Engine) workInline(ctx context.Context, work []store.Work, j job.Job, now int64) error {
	enough := wall().Add(inlineMax)
	if slices.ContainsFunc(j.Targets, func(t job.Target) bool { return t.Kind == job.GroupTarget }) {
		enough = wall().Add(inlineTime)
	}
	var g errgroup.Group
	g.SetLimit(wide)
	for _, w := range work[:min(len(work), inlineSteps)] {
		p, mine := e.owned(w.Part)
		if !mine {
			continue
		}
		g.Go(func() error {
			if wall().After(enough) {
				return nil
			}
			_, err := e.workPart(ctx, p, j.UID, now)
			return err
		})
	}
	return g.Wait()
}

// workPart does a chunk of the work whose turn it is in a part, or of a job's if
// jobUID is not 0. Cursor and executions move in one transaction.
func (e *Engine) workPart(ctx context.Context, p Part, jobUID, now int64) (int, error) {
	var done int
	var seen effects
	turn := e.turns.of(p.Part)
	err := e.store.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
		done, seen = 0, effects{}
		w, next, ok, err := pick(tx, p.Part, jobUID, turn)
		if err != nil || !ok {
			return err
		}
		if jobUID == 0 {
			e.turns.took(p.Part, next) // its turn is over also if it fails
		}
		done = 1
		j, err := tx.JobByUID(w.JobUID)
		if apierr.Is(err, apierr.NotFound) {
			return tx.FinishWork(w)
		}
		if err != nil {
			return err
		}
		return e.step(tx, w, j, &seen, now)
	})
	if err == nil && done > 0 {
		e.react(seen, p.Part)
		e.rouse(Completion, leading)
	}
	return done, err
}

// pick returns the job's work in a part or, if jobUID is 0, the work whose turn is
// after another, and that turn.
func pick(tx store.WorkReader, part int, jobUID int64, after turn) (store.Work, turn, bool, error) {
	if jobUID == 0 {
		ws, err := tx.Work(part, maxTurns)
		if err != nil || len(ws) == 0 {
			return store.Work{}, turn{}, false, err
		}
		w, next := after.next(ws)
		return w, next, true, nil
	}
	ws, err := tx.JobWork(jobUID)
	i := slices.IndexFunc(ws, func(w store.Work) bool { return w.Part == part })
	if err != nil || i < 0 {
		return store.Work{}, turn{}, false, err
	}
	return ws[i], turn{}, true, nil
}

// turn is a turn in a round, in which each piece of a part's work has one. What
// comes during a round waits for the next one: the old ones come round again
// however fast new ones come.
type turn struct {
	seq int64 // whose turn it is
	end int64 // who is the last in the round
}

// next returns the piece of work whose turn is after t. ws are some, in order.
func (t turn) next(ws []store.Work) (store.Work, turn) {
	i := slices.IndexFunc(ws, func(w store.Work) bool { return w.Seq > t.seq && w.Seq <= t.end })
	if i < 0 {
		i, t.end = 0, ws[len(ws)-1].Seq
	}
	t.seq = ws[i].Seq
	return ws[i], t
}

// turns remembers the last turn of each part. The zero value is ready. It is safe
// for concurrent use.
type turns struct {
	mu   sync.Mutex
	last map[int]turn // guarded by mu; by part
}

func (t *turns) of(part int) turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[part]
}

func (t *turns) took(part int, last turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = make(map[int]turn)
	}
	t.last[part] = last
}

// step does one chunk of w.
func (e *Engine) step(tx store.Tx, w store.Work, j job.Job, seen *effects, now int64) error {
	switch {
	case w.Kind == store.Rollout && j.State == job.Active:
		return e.rolloutStep(tx, w, j, seen, now)
	case w.Kind == store.Sweep && j.State == job.Stopped:
		_, err := e.sweepStep(tx, w, seen, now)
		return err
	case w.Kind == store.Purge && j.State == job.Deleting:
		return e.purgeStep(tx, w, seen, now)
	}
	return tx.FinishWork(w) // the job has moved on
}

// sweepStep settles the queues of up to a chunk of things that have a live
// execution of the job, and reports whether that was the last of them.
func (e *Engine) sweepStep(tx store.Tx, w store.Work, seen *effects, now int64) (bool, error) {
	refs, err := tx.LiveThings(w.Part, w.JobUID, w.Cursor.ThingUID, chunk)
	if err != nil {
		return false, err
	}
	err = e.queues(tx, refs, seen, func(q *job.Queue) { q.Settle(now) })
	if err != nil {
		return false, err
	}
	if len(refs) < chunk {
		if w.Kind == store.Sweep {
			err = tx.FinishWork(w)
		}
		return true, err
	}
	w.Cursor.ThingUID = refs[len(refs)-1].ThingUID
	_, err = tx.SaveWork(w)
	return false, err
}

// purgeStep removes a chunk of a deleted job's executions, live ones first.
func (e *Engine) purgeStep(tx store.Tx, w store.Work, seen *effects, now int64) error {
	last, err := e.sweepStep(tx, w, seen, now)
	if err != nil || !last {
		return err
	}
	n, err := tx.DeleteFinished(w.Part, w.JobUID, chunk)
	if err != nil || n == chunk {
		return err
	}
	return tx.FinishWork(w)
}
