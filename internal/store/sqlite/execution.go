package sqlite

import (
	"cmp"
	"math"
	"slices"

	"muster/internal/job"
	"muster/internal/store"
)

// JobExecutions implements store.ExecutionReader.
func (r reader) JobExecutions(jobUID int64, f store.ExecutionFilter, p store.Page[store.JobExecutionKey]) (xs []job.Execution, next store.JobExecutionKey, more bool, err error) {
	f.JobUID, f.Namespace = 0, ""
	look := lookAt(p.Limit, f.Status != job.None)
	found, err := r.executions(f.Status, byJob, ` WHERE job_uid = ? AND (part, thing_uid, number) > (?, ?, ?) ORDER BY part, thing_uid, number LIMIT ? + 0`,
		jobUID, p.After.Part, p.After.ThingUID, p.After.Number, look+1)
	if err != nil {
		return nil, next, false, err
	}
	slices.SortFunc(found, func(a, b execution) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.ThingUID, b.ThingUID), cmp.Compare(a.Number, b.Number))
	})
	page, next, more := pageOf(found, look, p.Limit, func(x execution) store.JobExecutionKey {
		return store.JobExecutionKey{Part: x.part, ThingUID: x.ThingUID, Number: x.Number}
	}, matching(f))
	return bare(page), next, more, nil
}

// ThingExecutions implements store.ExecutionReader.
func (r reader) ThingExecutions(thing string, thingUID int64, f store.ExecutionFilter, p store.Page[store.ThingExecutionKey]) (xs []job.Execution, next store.ThingExecutionKey, more bool, err error) {
	look := lookAt(p.Limit, f != store.ExecutionFilter{})
	found, err := r.thingExecutions(r.s.PartOf(thing), thingUID, f, p.After, look+1)
	if err != nil {
		return nil, next, false, err
	}
	slices.SortFunc(found, func(a, b execution) int { return compareThingKeys(thingKey(a), thingKey(b)) })
	page, next, more := pageOf(found, look, p.Limit, thingKey, matching(f))
	return bare(page), next, more, nil
}

// thingExecutions returns at least the first limit executions of a thing after a key.
func (r reader) thingExecutions(part int, thingUID int64, f store.ExecutionFilter, after store.ThingExecutionKey, limit int) ([]execution, error) {
	if after == (store.ThingExecutionKey{}) {
		after = store.ThingExecutionKey{QueuedAt: math.MaxInt64, JobUID: math.MaxInt64, Number: math.MaxInt64}
	}
	if f.JobUID == 0 {
		return r.executions(f.Status, byThing, ` WHERE part = ? AND thing_uid = ? AND (queued_at, job_uid, number) < (?, ?, ?) ORDER BY queued_at DESC, job_uid DESC, number DESC LIMIT ? + 0`,
			part, thingUID, after.QueuedAt, after.JobUID, after.Number, limit)
	}
	// One job on one thing: few rows, on another index.
	found, err := r.executions(f.Status, byJob, ` WHERE job_uid = ? AND part = ? AND thing_uid = ?`, f.JobUID, part, thingUID)
	return slices.DeleteFunc(found, func(x execution) bool { return compareThingKeys(thingKey(x), after) <= 0 }), err
}

func thingKey(x execution) store.ThingExecutionKey {
	return store.ThingExecutionKey{QueuedAt: x.QueuedAt, JobUID: x.Job.UID, Number: x.Number}
}

// compareThingKeys orders newest first.
func compareThingKeys(a, b store.ThingExecutionKey) int {
	return cmp.Or(cmp.Compare(b.QueuedAt, a.QueuedAt), cmp.Compare(b.JobUID, a.JobUID), cmp.Compare(b.Number, a.Number))
}

// index says by which index executions are read. It is not left to SQLite,
// which takes a thing's whole history for a short range and would read all of
// it to find one job.
type index string

const (
	byThing index = `` // the primary key
	byJob   index = `_job`
)

// of returns the FROM clause for a table.
func (i index) of(table string) string {
	if i == byThing {
		return ` FROM ` + table
	}
	return ` FROM ` + table + ` INDEXED BY ` + table + string(i)
}

// executions reads live and finished ones under the same condition, except where
// none can have the status; job.None is any.
func (r reader) executions(status job.Status, by index, where string, args ...any) ([]execution, error) {
	var found []execution
	read := func(r row) error {
		x, err := executionRow(r)
		found = append(found, x)
		return err
	}
	if !status.Terminal() {
		err := r.c.query(`SELECT `+executionColumns+by.of(`live`)+where, read, args...)
		if err != nil {
			return nil, err
		}
	}
	if !status.Pending() {
		err := r.c.query(`SELECT `+executionColumns+by.of(`finished`)+where, read, args...)
		if err != nil {
			return nil, err
		}
	}
	jobs := newBriefs(r.c)
	for i := range found {
		err := jobs.complete(&found[i])
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func matching(f store.ExecutionFilter) func(execution) bool {
	return func(x execution) bool {
		return (f.Status == job.None || x.Status == f.Status) &&
			(f.JobUID == 0 || x.Job.UID == f.JobUID) &&
			(f.Namespace == "" || x.Job.Namespace == f.Namespace)
	}
}

func bare(page []execution) []job.Execution {
	var xs []job.Execution
	for _, x := range page {
		xs = append(xs, x.Execution)
	}
	return xs
}

// LiveThings implements store.ExecutionReader.
func (r reader) LiveThings(part int, jobUID, after int64, limit int) ([]job.Ref, error) {
	return all(r.c, func(r row) (job.Ref, error) {
		return job.Ref{ThingUID: r.int(0), Thing: r.text(1), JobUID: jobUID}, nil
	}, `SELECT thing_uid, thing FROM live INDEXED BY live_job WHERE job_uid = ? AND part = ? AND thing_uid > ? GROUP BY thing_uid ORDER BY thing_uid LIMIT ? + 0`,
		jobUID, part, after, limit)
}

// Due implements store.ExecutionReader.
func (r reader) Due(part int, now int64, limit int) ([]job.Ref, error) {
	return all(r.c, func(r row) (job.Ref, error) {
		return job.Ref{ThingUID: r.int(0), Thing: r.text(1), JobUID: r.int(2), Number: r.int(3)}, nil
	}, `SELECT thing_uid, thing, job_uid, number FROM deadlines WHERE part = ? AND due <= ? ORDER BY due, thing_uid, job_uid, number LIMIT ? + 0`,
		part, now, limit)
}

// NextDue implements store.ExecutionReader.
func (r reader) NextDue(part int) (int64, error) {
	return r.c.int(`SELECT due FROM deadlines WHERE part = ? ORDER BY due LIMIT 1`, part)
}

// DeleteFinished implements store.ExecutionWriter. When few executions are left
// it removes the job's heads in the part, too, which count as if they were
// executions: a job may have as many, and DeleteJob must not find them all.
func (t *tx) DeleteFinished(part int, jobUID int64, limit int) (int, error) {
	var gone job.Counts
	found, err := all(t.c, executionRow, `SELECT `+executionColumns+` FROM finished INDEXED BY finished_job WHERE job_uid = ? AND part = ? ORDER BY thing_uid, number LIMIT ? + 0`, jobUID, part, limit)
	if err != nil {
		return 0, err
	}
	for _, x := range found {
		gone[x.Status]--
		_, err = t.c.exec(deleteFinished, part, x.ThingUID, x.QueuedAt, x.jobUID, x.Number)
		if err != nil {
			return 0, err
		}
	}
	err = t.c.count(jobUID, gone)
	if err != nil || len(found) == limit {
		return len(found), err
	}
	heads, err := t.c.exec(`DELETE FROM heads WHERE job_uid = ? AND part = ? AND thing_uid IN (SELECT thing_uid FROM heads WHERE job_uid = ? AND part = ? LIMIT ? + 0)`,
		jobUID, part, jobUID, part, limit-len(found))
	return len(found) + int(heads), err
}

// Rearm implements store.ExecutionWriter.
func (t *tx) Rearm(refs []job.Ref) error {
	for _, ref := range refs {
		part := t.s.PartOf(ref.Thing)
		found, err := all(t.c, executionRow, `SELECT `+executionColumns+` FROM live INDEXED BY live_job WHERE job_uid = ? AND part = ? AND thing_uid = ? AND number = ?`,
			ref.JobUID, part, ref.ThingUID, ref.Number)
		if err != nil {
			return err
		}
		for _, x := range found {
			err = t.rearm(x)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) rearm(x execution) error {
	due := x.Deadline()
	if due == x.armed {
		return nil
	}
	if x.armed != 0 {
		err := t.c.disarm(x.part, x.armed, x.ThingUID, job.Key{JobUID: x.jobUID, Number: x.Number})
		if err != nil {
			return err
		}
	}
	if due != 0 {
		_, err := t.c.exec(insertArm.one, x.part, due, x.ThingUID, x.jobUID, x.Number, x.Thing)
		if err != nil {
			return err
		}
	}
	_, err := t.c.exec(`UPDATE live SET armed = ? WHERE part = ? AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = ?`,
		due, x.part, x.ThingUID, x.QueuedAt, x.jobUID, x.Number)
	return err
}
