package postgres

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
	found, err := r.executions(f.Status, ` WHERE job_uid = $1 AND (part, thing_uid, number) > ($2, $3, $4) ORDER BY part, thing_uid, number`+limit(look+1),
		jobUID, p.After.Part, p.After.ThingUID, p.After.Number)
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
func (r reader) thingExecutions(part int, thingUID int64, f store.ExecutionFilter, after store.ThingExecutionKey, most int) ([]execution, error) {
	if after == (store.ThingExecutionKey{}) {
		after = store.ThingExecutionKey{QueuedAt: math.MaxInt64, JobUID: math.MaxInt64, Number: math.MaxInt64}
	}
	if f.JobUID == 0 {
		return r.executions(f.Status, ` WHERE part = $1 AND thing_uid = $2 AND (queued_at, job_uid, number) < ($3, $4, $5) ORDER BY queued_at DESC, job_uid DESC, number DESC`+limit(most),
			part, thingUID, after.QueuedAt, after.JobUID, after.Number)
	}
	// One job on one thing: few rows, on another index.
	found, err := r.executions(f.Status, ` WHERE job_uid = $1 AND part = $2 AND thing_uid = $3`, f.JobUID, part, thingUID)
	return slices.DeleteFunc(found, func(x execution) bool { return compareThingKeys(thingKey(x), after) <= 0 }), err
}

func thingKey(x execution) store.ThingExecutionKey {
	return store.ThingExecutionKey{QueuedAt: x.QueuedAt, JobUID: x.Job.UID, Number: x.Number}
}

// compareThingKeys orders newest first.
func compareThingKeys(a, b store.ThingExecutionKey) int {
	return cmp.Or(cmp.Compare(b.QueuedAt, a.QueuedAt), cmp.Compare(b.JobUID, a.JobUID), cmp.Compare(b.Number, a.Number))
}

// executions reads live and finished ones under the same condition, in one
// statement, except where none can have the status; job.None is any.
func (r reader) executions(status job.Status, where string, args ...any) ([]execution, error) {
	live, finished := `SELECT `+liveColumns+` FROM live`+where, `SELECT `+finishedColumns+` FROM finished`+where
	query := `(` + live + `) UNION ALL (` + finished + `)`
	switch {
	case status.Terminal():
		query = finished
	case status.Pending():
		query = live
	}
	found, err := all(r.c, readExecution, query, args...)
	if err != nil {
		return nil, err
	}
	return found, r.complete(found)
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
func (r reader) LiveThings(part int, jobUID, after int64, most int) ([]job.Ref, error) {
	return some(r.c, most, func(r row) (job.Ref, error) {
		ref := job.Ref{JobUID: jobUID}
		err := r.Scan(&ref.ThingUID, &ref.Thing)
		return ref, err
	}, `SELECT DISTINCT ON (thing_uid) thing_uid, thing FROM live WHERE job_uid = $1 AND part = $2 AND thing_uid > $3 ORDER BY thing_uid`,
		jobUID, part, after)
}

// Due implements store.ExecutionReader.
func (r reader) Due(part int, now int64, most int) ([]job.Ref, error) {
	return some(r.c, most, func(r row) (job.Ref, error) {
		var ref job.Ref
		err := r.Scan(&ref.ThingUID, &ref.Thing, &ref.JobUID, &ref.Number)
		return ref, err
	}, `SELECT thing_uid, thing, job_uid, number FROM deadlines WHERE part = $1 AND due <= $2 ORDER BY due, thing_uid, job_uid, number`,
		part, now)
}

// NextDue implements store.ExecutionReader.
func (r reader) NextDue(part int) (int64, error) {
	return r.c.int(`SELECT due FROM deadlines WHERE part = $1 ORDER BY due LIMIT 1`, part)
}

// DeleteFinished implements store.ExecutionWriter.
func (t *tx) DeleteFinished(part int, jobUID int64, most int) (int, error) {
	f := &flush{s: t.s, counts: make(map[jobPart]job.Counts)}
	found, err := some(t.c, most, func(r row) (job.Execution, error) {
		x := job.Execution{Job: &job.Brief{UID: jobUID}}
		err := r.Scan(&x.ThingUID, &x.QueuedAt, &x.Number, &x.Status)
		return x, err
	}, `SELECT thing_uid, queued_at, number, status FROM finished WHERE job_uid = $1 AND part = $2 ORDER BY thing_uid, number`, jobUID, part)
	if err != nil {
		return 0, err
	}
	for _, x := range found {
		f.deleted.key(part, x)
		f.count(part, job.Change{Before: x, After: job.Execution{Job: x.Job}})
	}
	err = t.c.postAll(f.statements(false))
	if err != nil || len(found) == most {
		return len(found), err
	}
	heads, err := t.c.exec(`DELETE FROM heads WHERE job_uid = $1 AND part = $2 AND thing_uid = ANY(ARRAY(SELECT thing_uid FROM heads WHERE job_uid = $1 AND part = $2 ORDER BY thing_uid LIMIT $3))`,
		jobUID, part, most-len(found))
	return len(found) + int(heads), err
}

// Rearm implements store.ExecutionWriter.
func (t *tx) Rearm(refs []job.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	var parts []int32
	var things, jobs, numbers []int64
	for _, ref := range refs {
		parts, things = append(parts, int32(t.s.PartOf(ref.Thing))), append(things, ref.ThingUID)
		jobs, numbers = append(jobs, ref.JobUID), append(numbers, ref.Number)
	}
	found, err := all(t.c, readExecution, `SELECT `+liveColumns+` FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k(p, t, j, n)
		JOIN live ON job_uid = k.j AND part = k.p AND thing_uid = k.t AND number = k.n`, parts, things, jobs, numbers)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b execution) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.ThingUID, b.ThingUID), cmp.Compare(a.QueuedAt, b.QueuedAt), cmp.Compare(a.jobUID, b.jobUID), cmp.Compare(a.Number, b.Number))
	})
	f := &flush{s: t.s}
	for _, x := range slices.CompactFunc(found, func(a, b execution) bool {
		return a.ThingUID == b.ThingUID && a.jobUID == b.jobUID && a.Number == b.Number
	}) {
		f.rearm(x)
	}
	return t.c.postAll(f.statements(false))
}

// rearm makes the stored deadline of a live execution the real one.
func (f *flush) rearm(x execution) {
	due := x.Deadline()
	if due == x.armed {
		return
	}
	x.Job = &job.Brief{UID: x.jobUID}
	if x.armed != 0 {
		f.disarmed.add(x.part, x.armed, x.Execution)
	}
	if due != 0 {
		f.armed.add(x.part, due, x.Execution)
	}
	f.rearmed.key(x.part, x.Execution)
	f.rearmed.turns, f.rearmed.armed = append(f.rearmed.turns, x.turn), append(f.rearmed.armed, due)
}
