package sqlite

import (
	"fmt"

	"muster/internal/job"
)

// executionColumns are the columns of live and finished, in the order that
// executionRow reads and addExecution writes them.
const executionColumns = `part, thing_uid, queued_at, job_uid, number, thing, status, version,` +
	` started_at, updated_at, deadline, step, forced, cause, armed, details`

const anyExecution = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// execution is an execution as it is stored.
type execution struct {
	job.Execution
	part   int
	jobUID int64
	armed  int64 // the deadline stored in deadlines, 0 if none is
}

// executionRow reads a row of executionColumns. Job is left nil: see briefs.
func executionRow(r row) (execution, error) {
	x := execution{part: int(r.int(0)), jobUID: r.int(3), armed: r.int(14)}
	x.ThingUID, x.QueuedAt, x.Number, x.Thing = r.int(1), r.int(2), r.int(4), r.text(5)
	x.Status, x.Version = job.Status(r.int(6)), r.int(7)
	x.StartedAt, x.UpdatedAt = r.int(8), r.int(9)
	x.InProgressDeadline, x.StepDeadline = r.int(10), r.int(11)
	x.ForceCanceled, x.Cause = r.bool(12), r.int(13)
	err := decode(r.text(15), &x.Details)
	return x, err
}

// justQueued reports whether most columns of an execution say nothing yet, as is
// so with nearly all that are inserted.
func justQueued(x job.Execution) bool {
	return x.Status == job.Queued && x.Version == 1 && x.StartedAt == 0 && x.InProgressDeadline == 0 && x.StepDeadline == 0 &&
		!x.ForceCanceled && len(x.Details) == 0
}

// addQueued adds a row of executionColumns for an execution that was justQueued.
func addQueued(to *rowBuffer, part int, x job.Execution) error {
	return to.add(part, x.ThingUID, x.QueuedAt, x.Job.UID, x.Number, x.Thing, x.UpdatedAt, x.Cause)
}

// addExecution adds a row of executionColumns.
func addExecution(to *rowBuffer, part int, x job.Execution, armed int64) error {
	details, err := encode(x.Details, len(x.Details) == 0)
	if err != nil {
		return fmt.Errorf("sqlite: details of an execution: %w", err)
	}
	return to.add(part, x.ThingUID, x.QueuedAt, x.Job.UID, x.Number, x.Thing, int64(x.Status), x.Version,
		x.StartedAt, x.UpdatedAt, x.InProgressDeadline, x.StepDeadline, x.ForceCanceled, x.Cause, armed, details)
}

// briefs reads what executions need of their jobs, each job once. It lives no
// longer than the transaction that it reads in, and not beyond a write to jobs.
type briefs struct {
	c     *conn
	byUID map[int64]*job.Brief // nil for a job that is not there
	byID  map[string]*job.Brief
}

func newBriefs(c *conn) *briefs {
	return &briefs{c, make(map[int64]*job.Brief), make(map[string]*job.Brief)}
}

const briefColumns = `uid, id, namespace, created_at, state, forced, timeout_minutes`

func briefRow(r row) job.Brief {
	return job.Brief{
		UID: r.int(0), ID: r.text(1), Namespace: r.text(2), CreatedAt: r.int(3),
		State: job.State(r.int(4)), Forced: r.bool(5), TimeoutMinutes: r.int(6),
	}
}

// uid returns the brief of a job, or nil if there is none.
func (b *briefs) uid(uid int64) (*job.Brief, error) {
	j, ok := b.byUID[uid]
	if ok {
		return j, nil
	}
	j, err := b.read(`SELECT `+briefColumns+` FROM jobs WHERE uid = ?`, uid)
	if err == nil {
		b.byUID[uid] = j
	}
	return j, err
}

// id returns the brief of the job that has an id now, or nil if there is none.
func (b *briefs) id(id string) (*job.Brief, error) {
	j, ok := b.byID[id]
	if ok {
		return j, nil
	}
	j, err := b.read(`SELECT `+briefColumns+` FROM jobs WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	if j != nil {
		if known, ok := b.byUID[j.UID]; ok {
			j = known
		}
		b.byUID[j.UID] = j
	}
	b.byID[id] = j
	return j, nil
}

func (b *briefs) read(query string, key any) (*job.Brief, error) {
	var j *job.Brief
	err := b.c.query(query, func(r row) error {
		x := briefRow(r)
		j = &x
		return nil
	}, key)
	return j, err
}

// complete sets the job of an execution that has been read.
func (b *briefs) complete(x *execution) error {
	j, err := b.uid(x.jobUID)
	if err != nil {
		return err
	}
	if j == nil {
		return fmt.Errorf("sqlite: execution %d of thing %s belongs to job %d, which is not there", x.Number, x.Thing, x.jobUID)
	}
	x.Job = j
	return nil
}
