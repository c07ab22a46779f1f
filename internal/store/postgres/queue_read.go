package postgres

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"muster/internal/job"
)

// selectQueues reads everything that queues are made of: the things that have
// some names, with their live executions, and those of others (kind 1), the
// finished executions (2) and heads (3) of some things and jobs, and the jobs of
// all of these (4). It is one statement because it must be one moment.
//
// Lists join by nested loops on indexes: all statements are planned for lists of
// unknown length (plan_cache_mode). No list is joined with another.
//
// A rollout goes through things in order. What they have is mostly next to each
// other, or there is nothing: r is the range of live from the first thing to the
// last, unless more stands there than they are; and histories are looked up one by
// one only where, between the first thing and the last, there is one.
const selectQueues = `WITH r AS MATERIALIZED (
	SELECT k.part, k.low, k.high FROM unnest($11::int[], $12::bigint[], $13::bigint[], $14::bigint[]) AS k(part, low, high, n)
	WHERE k.n >= (SELECT count(*) FROM (SELECT 1 FROM live x WHERE x.part = k.part AND x.thing_uid BETWEEN k.low AND k.high LIMIT k.n + 1) AS x)
), l AS MATERIALIZED (
	SELECT k.name, k.uid, ` + queueColumns + `
	FROM (SELECT x.part, k.own, x.name, x.uid FROM unnest($1::int[], $2::text[], $3::boolean[]) AS k(part, name, own)
		JOIN things x ON x.part = k.part AND x.name = k.name) AS k(part, own, name, uid)
	LEFT JOIN live x ON x.part = k.part AND x.thing_uid = k.uid AND k.own
	UNION ALL
	SELECT NULL, NULL, ` + queueColumns + `
	FROM r AS k JOIN live x ON x.part = k.part AND x.thing_uid BETWEEN k.low AND k.high
	UNION ALL
	SELECT NULL, NULL, ` + queueColumns + `
	FROM unnest($4::int[], $5::bigint[]) AS k(part, thing_uid)
	JOIN live x ON x.part = k.part AND x.thing_uid = k.thing_uid
	WHERE NOT EXISTS (SELECT 1 FROM r)
)
SELECT 1 AS kind, thing_uid, queued_at, job_uid, number, status, forced, version, started_at, updated_at,
	deadline, step, cause, details, armed, turn, name, uid
FROM l
UNION ALL
SELECT 2, x.thing_uid, x.queued_at, x.job_uid, x.number, x.status, x.forced, x.version, x.started_at, x.updated_at,
	x.deadline, x.step, x.cause, x.details, NULL, NULL, NULL, NULL
FROM unnest($6::int[], $7::bigint[], $8::bigint[]) AS k(part, thing_uid, job_uid)
JOIN finished x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid = k.thing_uid
WHERE EXISTS (SELECT 1 FROM unnest($15::int[], $16::bigint[], $17::bigint[], $18::bigint[]) AS k(part, job_uid, low, high)
	JOIN finished x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid BETWEEN k.low AND k.high)
UNION ALL
SELECT 3, x.thing_uid, x.left_at, x.job_uid, x.number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unnest($6::int[], $7::bigint[], $8::bigint[]) AS k(part, thing_uid, job_uid)
JOIN heads x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid = k.thing_uid
WHERE EXISTS (SELECT 1 FROM unnest($15::int[], $16::bigint[], $17::bigint[], $18::bigint[]) AS k(part, job_uid, low, high)
	JOIN heads x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid BETWEEN k.low AND k.high)
UNION ALL
SELECT 4, NULL, created_at, uid, timeout_minutes, state, forced, NULL, NULL, NULL, NULL, NULL, NULL, id, NULL, NULL, namespace, NULL
FROM jobs WHERE uid = ANY(ARRAY(SELECT l.job_uid FROM l) || $9::bigint[])
UNION ALL
SELECT 4, NULL, created_at, uid, timeout_minutes, state, forced, NULL, NULL, NULL, NULL, NULL, NULL, id, NULL, NULL, namespace, NULL
FROM jobs WHERE id = ANY($10::text[])`

const queueColumns = `x.thing_uid, x.queued_at, x.job_uid, x.number, x.status, x.forced, x.version, x.started_at, x.updated_at,
		x.deadline, x.step, x.cause, x.details, x.armed, x.turn`

// ask is what selectQueues is asked, list by list.
type ask struct {
	nameParts []int32
	names     []string
	own       []bool // whether the queue of whoever has the name is asked for

	uidParts []int32
	uids     []int64

	pastParts            []int32
	pastThings, pastJobs []int64
	past                 map[pair]bool

	jobUIDs []int64
	jobIDs  []string
}

// newAsk asks for the queues of refs.
func newAsk(parts int, refs []job.Ref) ask {
	a := ask{}
	seen := make(map[string]int, len(refs)) // index into names
	uids := make(map[int64]bool)
	for _, ref := range refs {
		part := int32(PartOf(ref.Thing, parts))
		if !ref.Registered {
			i, ok := seen[ref.Thing]
			if !ok {
				i = len(a.names)
				seen[ref.Thing] = i
				a.nameParts, a.names, a.own = append(a.nameParts, part), append(a.names, ref.Thing), append(a.own, false)
			}
			a.own[i] = a.own[i] || ref.ThingUID == 0
		}
		if ref.ThingUID != 0 && !uids[ref.ThingUID] {
			uids[ref.ThingUID] = true
			a.uidParts, a.uids = append(a.uidParts, part), append(a.uids, ref.ThingUID)
		}
		switch {
		case ref.JobUID != 0:
			a.jobUIDs = addOnce(a.jobUIDs, ref.JobUID)
		case ref.JobID != "":
			a.jobIDs = addOnce(a.jobIDs, ref.JobID)
		}
		if ref.History && ref.ThingUID != 0 && ref.JobUID != 0 {
			a.history(pair{int(part), ref.ThingUID, ref.JobUID})
		}
	}
	return a
}

// addOnce appends v unless it is there. Refs that come together mostly mean few jobs.
func addOnce[T comparable](vs []T, v T) []T {
	if slices.Contains(vs, v) {
		return vs
	}
	return append(vs, v)
}

// history asks for the finished executions and the head of a thing and job, all
// of them, because the newest may be deleted in this very batch. It reports
// whether that is new.
func (a *ask) history(p pair) bool {
	if a.past[p] {
		return false
	}
	if a.past == nil {
		a.past = make(map[pair]bool)
	}
	a.past[p] = true
	a.pastParts = append(a.pastParts, int32(p.part))
	a.pastThings, a.pastJobs = append(a.pastThings, p.thingUID), append(a.pastJobs, p.jobUID)
	a.jobUIDs = addOnce(a.jobUIDs, p.jobUID)
	return true
}

func (a *ask) args() []any {
	args := []any{a.nameParts, a.names, a.own, a.uidParts, a.uids, a.pastParts, a.pastThings, a.pastJobs, a.jobUIDs, a.jobIDs}
	var part []int32
	var low, high, most []int64
	if n := len(a.uids); n >= 8 && a.uidParts[0] == a.uidParts[n-1] && slices.IsSorted(a.uidParts) && slices.IsSorted(a.uids) {
		part, low, high, most = a.uidParts[:1], a.uids[:1], a.uids[n-1:], []int64{int64(n)}
	}
	args = append(args, part, low, high, most)
	return append(args, spans(a.pastParts, a.pastJobs, a.pastThings)...)
}

// spans returns, as lists, between which things there are any of each part and job.
func spans(parts []int32, jobs, things []int64) []any {
	var ps []int32
	var js, low, high []int64
	for i, uid := range things {
		k := 0
		for k < len(js) && (ps[k] != parts[i] || js[k] != jobs[i]) {
			k++
		}
		if k == len(js) {
			ps, js, low, high = append(ps, parts[i]), append(js, jobs[i]), append(low, uid), append(high, uid)
		}
		low[k], high[k] = min(low[k], uid), max(high[k], uid)
	}
	return []any{ps, js, low, high}
}

// readQueues asks, which on Citus takes a statement for each part.
func (r reader) readQueues(a ask, take func(pgx.Rows) error) error {
	if !r.s.split {
		return r.c.rows(selectQueues, take, a.args()...)
	}
	for _, part := range a.parts() {
		sql, args := onPart(selectQueues, a.of(part).args(), part)
		err := r.c.rows(sql, take, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// parts returns the parts that are asked about.
func (a *ask) parts() []int32 {
	parts := slices.Concat(a.nameParts, a.uidParts, a.pastParts)
	slices.Sort(parts)
	return slices.Compact(parts)
}

// of returns what is asked about one part.
func (a *ask) of(part int32) *ask {
	one := &ask{jobUIDs: a.jobUIDs, jobIDs: a.jobIDs}
	for i, p := range a.nameParts {
		if p == part {
			one.nameParts, one.names, one.own = append(one.nameParts, p), append(one.names, a.names[i]), append(one.own, a.own[i])
		}
	}
	for i, p := range a.uidParts {
		if p == part {
			one.uidParts, one.uids = append(one.uidParts, p), append(one.uids, a.uids[i])
		}
	}
	for i, p := range a.pastParts {
		if p == part {
			one.pastParts, one.pastThings, one.pastJobs = append(one.pastParts, p), append(one.pastThings, a.pastThings[i]), append(one.pastJobs, a.pastJobs[i])
		}
	}
	return one
}

// result is what selectQueues has read.
type result struct {
	names          []foundName
	live, finished []execution
	heads          []foundHead
	jobs           []job.Brief
}

type foundName struct {
	name string
	uid  int64
}

type foundHead struct {
	job.Head
	thingUID, jobUID int64
}

// take reads all rows.
func (got *result) take(rows pgx.Rows) error {
	for rows.Next() {
		v := values(rows.RawValues())
		switch v.int(0) {
		case 1:
			if v[16] != nil {
				got.names = append(got.names, foundName{string(v[16]), v.int(17)})
			}
			if v[1] == nil {
				continue // it has none
			}
			x, err := v.execution()
			if err != nil {
				return err
			}
			got.live = append(got.live, x)
		case 2:
			x, err := v.execution()
			if err != nil {
				return err
			}
			got.finished = append(got.finished, x)
		case 3:
			got.heads = append(got.heads, foundHead{job.Head{Left: v.int(2), Number: v.int(4)}, v.int(1), v.int(3)})
		case 4:
			got.jobs = append(got.jobs, v.brief())
		default: // what is left out would be answered as if it was not there
			return fmt.Errorf("postgres: a row of kind %q", v[0])
		}
	}
	return rows.Err()
}

func (v values) execution() (execution, error) {
	x := execution{jobUID: v.int(3), armed: v.int(14), turn: v.int(15)}
	x.ThingUID, x.QueuedAt, x.Number = v.int(1), v.int(2), v.int(4)
	x.Status, x.ForceCanceled, x.Version = job.Status(v.int(5)), v.bool(6), v.int(7)
	x.StartedAt, x.UpdatedAt = v.int(8), v.int(9)
	x.InProgressDeadline, x.StepDeadline, x.Cause = v.int(10), v.int(11), v.int(12)
	err := decode(v.text(13), &x.Details)
	return x, err
}

func (v values) brief() job.Brief {
	b := job.Brief{UID: v.int(3), CreatedAt: v.int(2), TimeoutMinutes: v.int(4), State: job.State(v.int(5)), Forced: v.bool(6)}
	b.ID, b.Namespace = string(v[13]), string(v[16])
	return b
}
