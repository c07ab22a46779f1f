package sqlite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"muster/internal/job"
)

// flush writes what queues have changed, each table in the order of its key.
type flush struct {
	c       *conn
	nextSeq func() int64
	counts  map[int64]job.Counts

	queued, live, finished, arms, dirty *rowBuffer
}

var (
	// Status 1 is job.Queued.
	insertQueued   = newBulk(`INSERT INTO live (`+executionColumns+`)`, `(?, ?, ?, ?, ?, ?, 1, 1, 0, ?, 0, 0, 0, ?, 0, NULL)`, ``)
	insertLive     = newBulk(`INSERT INTO live (`+executionColumns+`)`, anyExecution, ``)
	insertFinished = newBulk(`INSERT INTO finished (`+executionColumns+`)`, anyExecution, ``)
	insertArm      = newBulk(`INSERT INTO deadlines (part, due, thing_uid, job_uid, number, thing)`, `(?, ?, ?, ?, ?, ?)`, ``)
	insertDirty    = newBulk(`INSERT INTO dirty (part, thing_uid, namespace, thing, since, seq, told)`, `(?, ?, ?, ?, ?, ?, ?)`,
		` ON CONFLICT (part, thing_uid, namespace) DO UPDATE SET seq = excluded.seq`)
)

const (
	deleteLive     = `DELETE FROM live WHERE part = ? AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = ?`
	deleteFinished = `DELETE FROM finished WHERE part = ? AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = ?`
)

// flush writes what has changed. The queues must not be used any more.
func (qs *queues) flush(nextSeq func() int64) error {
	f := &flush{
		c: qs.c, nextSeq: nextSeq, counts: make(map[int64]job.Counts),
		queued: insertQueued.buffer(qs.c), live: insertLive.buffer(qs.c), finished: insertFinished.buffer(qs.c), arms: insertArm.buffer(qs.c), dirty: insertDirty.buffer(qs.c),
	}
	slices.SortFunc(qs.order, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.q.Thing.UID, b.q.Thing.UID))
	})
	for _, e := range qs.order {
		err := f.entry(e)
		if err != nil {
			return err
		}
	}
	for _, b := range []*rowBuffer{f.queued, f.live, f.finished, f.arms, f.dirty} {
		err := b.end()
		if err != nil {
			return err
		}
	}
	return f.count()
}

func (f *flush) entry(e *entry) error {
	changes := e.q.Changes()
	if len(changes) == 0 && len(e.q.Heads()) == 0 {
		return nil
	}
	for _, ch := range changes {
		err := f.change(e, ch)
		if err != nil {
			return err
		}
	}
	job.Count(f.counts, changes)
	err := f.heads(e)
	if err != nil {
		return err
	}
	for _, d := range e.q.Dirty() {
		seq := f.nextSeq()
		err = f.dirty.add(e.part, e.q.Thing.UID, d.Namespace, e.q.Thing.Name, seq, seq, d.Told.Encode())
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *flush) heads(e *entry) error {
	heads := e.q.Heads()
	if len(heads) == 0 {
		return nil
	}
	for _, uid := range slices.Sorted(maps.Keys(heads)) {
		h := heads[uid]
		_, err := f.c.exec(`INSERT INTO heads (job_uid, part, thing_uid, number, left_at) VALUES (?, ?, ?, ?, ?)`+
			` ON CONFLICT (job_uid, part, thing_uid) DO UPDATE SET number = excluded.number, left_at = excluded.left_at`,
			uid, e.part, e.q.Thing.UID, h.Number, h.Left)
		if err != nil {
			return err
		}
	}
	return nil
}

// change stores one execution as it is now.
func (f *flush) change(e *entry, ch job.Change) error {
	was, is := ch.Before, ch.After
	armed, err := f.arm(e, is)
	if err != nil {
		return err
	}
	switch {
	case was.Status.Pending() && is.Status.Pending():
		return f.update(e.part, is, armed)
	case was.Status.Pending():
		err = f.remove(deleteLive, e.part, was)
	case was.Status.Terminal():
		err = f.remove(deleteFinished, e.part, was)
	}
	if err != nil {
		return err
	}
	switch {
	case justQueued(is) && armed == 0:
		return addQueued(f.queued, e.part, is)
	case is.Status.Pending():
		return addExecution(f.live, e.part, is, armed)
	case is.Status.Terminal():
		return addExecution(f.finished, e.part, is, 0)
	}
	return nil
}

// arm makes the stored deadline of an execution one that is not later than the
// real one, and returns it.
func (f *flush) arm(e *entry, x job.Execution) (int64, error) {
	stored, due := e.armed[x.Key()], x.Deadline()
	keep := x.Status.Pending() && stored != 0 && (due == 0 || stored <= due)
	if keep {
		return stored, nil
	}
	if stored != 0 {
		err := f.c.disarm(e.part, stored, x.ThingUID, x.Key())
		if err != nil {
			return 0, err
		}
	}
	if due != 0 {
		err := f.arms.add(e.part, due, x.ThingUID, x.Job.UID, x.Number, x.Thing)
		if err != nil {
			return 0, err
		}
	}
	return due, nil
}

func (c *conn) disarm(part int, due, thingUID int64, k job.Key) error {
	_, err := c.exec(`DELETE FROM deadlines WHERE part = ? AND due = ? AND thing_uid = ? AND job_uid = ? AND number = ?`,
		part, due, thingUID, k.JobUID, k.Number)
	return err
}

func (f *flush) update(part int, x job.Execution, armed int64) error {
	details, err := encode(x.Details, len(x.Details) == 0)
	if err != nil {
		return err
	}
	n, err := f.c.exec(`UPDATE live SET status = ?, version = ?, started_at = ?, updated_at = ?, deadline = ?, step = ?, forced = ?, armed = ?, details = ?`+
		` WHERE part = ? AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = ?`,
		int64(x.Status), x.Version, x.StartedAt, x.UpdatedAt, x.InProgressDeadline, x.StepDeadline, x.ForceCanceled, armed, details,
		part, x.ThingUID, x.QueuedAt, x.Job.UID, x.Number)
	return f.guard(n, err, x)
}

func (f *flush) remove(query string, part int, x job.Execution) error {
	n, err := f.c.exec(query, part, x.ThingUID, x.QueuedAt, x.Job.UID, x.Number)
	return f.guard(n, err, x)
}

// guard reports a write that has not met its row. The one writer has read it
// in this transaction, so it means that the database is damaged.
func (f *flush) guard(n int64, err error, x job.Execution) error {
	if err == nil && n != 1 {
		err = fmt.Errorf("sqlite: execution %d of job %d on thing %s is not stored as it was read", x.Number, x.Job.UID, x.Thing)
		f.c.fault = cmp.Or(f.c.fault, err)
	}
	return err
}

// count adds what has changed to the counts of each job, and marks the jobs that
// have lost their last live execution.
func (f *flush) count() error {
	for _, uid := range slices.Sorted(maps.Keys(f.counts)) {
		err := f.c.count(uid, f.counts[uid])
		if err != nil {
			return err
		}
		if f.counts[uid].Live() >= 0 {
			continue
		}
		n, err := f.c.int(`SELECT sum(n) FROM counts WHERE job_uid = ? AND slot = 0 AND status IN (1, 2)`, uid)
		if err != nil {
			return err
		}
		if n == 0 {
			err = f.c.markJob(uid, f.nextSeq())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) count(jobUID int64, d job.Counts) error {
	for status, n := range d {
		if n == 0 {
			continue
		}
		_, err := c.exec(`INSERT INTO counts (job_uid, slot, status, n) VALUES (?, 0, ?, ?) ON CONFLICT (job_uid, slot, status) DO UPDATE SET n = n + excluded.n`,
			jobUID, status, n)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) markJob(uid, seq int64) error {
	_, err := c.exec(`INSERT INTO marks (job_uid, seq) VALUES (?, ?) ON CONFLICT (job_uid) DO UPDATE SET seq = excluded.seq`, uid, seq)
	return err
}
