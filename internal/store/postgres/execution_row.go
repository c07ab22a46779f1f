package postgres

import (
	"encoding/binary"
	"fmt"

	"muster/internal/job"
)

// execution is an execution as it is stored.
type execution struct {
	job.Execution
	part   int
	jobUID int64
	armed  int64 // the deadline stored in deadlines, 0 if none is
	turn   int64 // of the row, while it is live
}

// executionColumns are the columns that readExecution reads, of live and of finished.
const (
	commonColumns   = `thing_uid, queued_at, job_uid, number, status, forced, version, started_at, updated_at, deadline, step, cause, details`
	liveColumns     = commonColumns + `, part, thing, armed, turn`
	finishedColumns = commonColumns + `, part, thing, 0::bigint AS armed, 0::bigint AS turn`
)

// readExecution reads a row of liveColumns or finishedColumns. Job is left nil: see briefs.
func readExecution(r row) (execution, error) {
	var x execution
	var details *string
	err := r.Scan(&x.ThingUID, &x.QueuedAt, &x.jobUID, &x.Number, &x.Status, &x.ForceCanceled, &x.Version, &x.StartedAt, &x.UpdatedAt,
		&x.InProgressDeadline, &x.StepDeadline, &x.Cause, &details, &x.part, &x.Thing, &x.armed, &x.turn)
	if err == nil {
		err = decode(details, &x.Details)
	}
	return x, err
}

// justQueued reports whether most columns of an execution say nothing yet, as is
// so with nearly all that are inserted.
func justQueued(x job.Execution) bool {
	return x.Status == job.Queued && x.Version == 1 && x.StartedAt == 0 && x.InProgressDeadline == 0 && x.StepDeadline == 0 &&
		!x.ForceCanceled && len(x.Details) == 0
}

// briefs is what executions need of their jobs, as one statement has read it.
type briefs map[int64]*job.Brief

const briefColumns = `uid, id, namespace, created_at, state, forced, timeout_minutes`

func readBrief(r row) (job.Brief, error) {
	var b job.Brief
	err := r.Scan(&b.UID, &b.ID, &b.Namespace, &b.CreatedAt, &b.State, &b.Forced, &b.TimeoutMinutes)
	return b, err
}

// complete sets the jobs of executions that have been read.
func (r reader) complete(xs []execution) error {
	known := make(briefs)
	var ask []int64
	for _, x := range xs {
		if _, ok := known[x.jobUID]; !ok {
			known[x.jobUID] = nil
			ask = append(ask, x.jobUID)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	err := r.c.query(`SELECT `+briefColumns+` FROM jobs WHERE uid = ANY($1::bigint[])`, func(r row) error {
		b, err := readBrief(r)
		known[b.UID] = &b
		return err
	}, ask)
	for i := 0; i < len(xs) && err == nil; i++ {
		err = known.complete(&xs[i])
	}
	return err
}

// complete sets the job of an execution.
func (b briefs) complete(x *execution) error {
	x.Job = b[x.jobUID]
	if x.Job == nil {
		return fmt.Errorf("postgres: execution %d of thing %s belongs to job %d, which is not there", x.Number, x.Thing, x.jobUID)
	}
	return nil
}

// values reads a row of the queues' statement: binary, and without reflection,
// because there are so many.
type values [][]byte

// int returns a bigint or int; NULL is 0.
func (v values) int(i int) int64 {
	switch b := v[i]; len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	default:
		return 0
	}
}

// bool returns a boolean; NULL is false.
func (v values) bool(i int) bool { return len(v[i]) == 1 && v[i][0] != 0 }

// text returns a text, or nil if it is NULL.
func (v values) text(i int) *string {
	if v[i] == nil {
		return nil
	}
	s := string(v[i])
	return &s
}
