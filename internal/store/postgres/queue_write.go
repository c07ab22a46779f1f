package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/internal/job"
)

// The statements that store queues. Each takes its rows as lists, one a column,
// and meets exactly as many rows as it is given: if not, something is no longer
// as it was read, and the division by zero ends the transaction before COMMIT,
// which has been sent already, is reached.
const (
	keyLists = `$1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]`
	keyNames = `part, thing_uid, queued_at, job_uid, number`
	sameKey  = `x.part = k.part AND x.thing_uid = k.thing_uid AND x.queued_at = k.queued_at AND x.job_uid = k.job_uid AND x.number = k.number`
	guard    = ` RETURNING 1) SELECT 1 / (count(*) = cardinality($1::int[]))::int FROM w`

	touchLive = `WITH w AS (UPDATE live x SET turn = x.turn + 1
		FROM unnest(` + keyLists + `, $6::bigint[]) AS k(` + keyNames + `, turn)
		WHERE ` + sameKey + ` AND x.turn = k.turn` + guard

	updateLive = `WITH w AS (UPDATE live x SET status = k.status, forced = k.forced, version = k.version, started_at = k.started_at,
			updated_at = k.updated_at, deadline = k.deadline, step = k.step, armed = k.armed, details = k.details, turn = x.turn + 1
		FROM unnest(` + keyLists + `, $6::bigint[], $7::int[], $8::boolean[], $9::bigint[], $10::bigint[],
			$11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[])
			AS k(` + keyNames + `, turn, status, forced, version, started_at, updated_at, deadline, step, armed, details)
		WHERE ` + sameKey + ` AND x.turn = k.turn` + guard

	reportLive = `WITH w AS (UPDATE live x SET version = k.version, updated_at = k.updated_at, details = k.details, turn = x.turn + 1
		FROM unnest(` + keyLists + `, $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) AS k(` + keyNames + `, turn, version, updated_at, details)
		WHERE ` + sameKey + ` AND x.turn = k.turn` + guard

	rearmLive = `WITH w AS (UPDATE live x SET armed = k.armed, turn = x.turn + 1
		FROM unnest(` + keyLists + `, $6::bigint[], $7::bigint[]) AS k(` + keyNames + `, turn, armed)
		WHERE ` + sameKey + ` AND x.turn = k.turn` + guard

	deleteLive = `WITH w AS (DELETE FROM live x
		USING unnest(` + keyLists + `, $6::bigint[]) AS k(` + keyNames + `, turn)
		WHERE ` + sameKey + ` AND x.turn = k.turn` + guard

	deleteFinished = `WITH w AS (DELETE FROM finished x
		USING unnest(` + keyLists + `) AS k(` + keyNames + `)
		WHERE ` + sameKey + guard

	// Status 1 is job.Queued. Inserts need no guard: the indexes refuse what is there.
	insertQueued = `INSERT INTO live (` + keyNames + `, status, forced, version, started_at, updated_at, deadline, step, cause, armed, turn, thing)
		SELECT ` + keyNames + `, 1, false, 1, 0, updated_at, 0, 0, cause, 0, 1, thing
		FROM unnest(` + keyLists + `, $6::bigint[], $7::bigint[], $8::text[]) AS k(` + keyNames + `, updated_at, cause, thing)`

	bodyLists = `$6::int[], $7::boolean[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[]`
	bodyNames = `status, forced, version, started_at, updated_at, deadline, step, cause, thing, details`

	insertLive = `INSERT INTO live (` + keyNames + `, ` + bodyNames + `, armed, turn)
		SELECT ` + keyNames + `, ` + bodyNames + `, armed, 1
		FROM unnest(` + keyLists + `, ` + bodyLists + `, $16::bigint[]) AS k(` + keyNames + `, ` + bodyNames + `, armed)`

	insertFinished = `INSERT INTO finished (` + keyNames + `, ` + bodyNames + `)
		SELECT ` + keyNames + `, ` + bodyNames + `
		FROM unnest(` + keyLists + `, ` + bodyLists + `) AS k(` + keyNames + `, ` + bodyNames + `)`

	// checkFresh comes after executions were inserted into live, where nobody else
	// can insert the same ones from then on: none may have been there before, and
	// have ended, since their absence was read. A rollout goes through the things in
	// order: where it has not been, there is nothing, which one look shows.
	checkFresh = `SELECT 1 / CASE
		WHEN NOT EXISTS (SELECT 1 FROM unnest($6::int[], $7::bigint[], $8::bigint[], $9::bigint[]) AS k(part, job_uid, low, high)
				JOIN finished x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid BETWEEN k.low AND k.high)
			AND NOT EXISTS (SELECT 1 FROM unnest($6::int[], $7::bigint[], $8::bigint[], $9::bigint[]) AS k(part, job_uid, low, high)
				JOIN heads x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid BETWEEN k.low AND k.high) THEN 1
		WHEN EXISTS (SELECT 1 FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k(part, thing_uid, job_uid, number)
				JOIN finished x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid = k.thing_uid AND x.number = k.number) THEN 0
		WHEN EXISTS (SELECT 1 FROM unnest($1::int[], $2::bigint[], $3::bigint[], $5::boolean[]) AS k(part, thing_uid, job_uid, headless)
				JOIN heads x ON x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid = k.thing_uid WHERE k.headless) THEN 0
		ELSE 1 END`

	lockThings = `WITH w AS (SELECT 1 FROM unnest($1::int[], $2::text[], $3::bigint[]) AS k(part, name, uid)
		JOIN things x ON x.part = k.part AND x.name = k.name AND x.uid = k.uid FOR KEY SHARE OF x)
		SELECT 1 / (count(*) = cardinality($1::int[]))::int FROM w`

	deadlineLists = `$1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]`
	deadlineNames = `part, due, thing_uid, job_uid, number`

	deleteDeadlines = `WITH w AS (DELETE FROM deadlines x
		USING unnest(` + deadlineLists + `) AS k(` + deadlineNames + `)
		WHERE x.part = k.part AND x.due = k.due AND x.thing_uid = k.thing_uid AND x.job_uid = k.job_uid AND x.number = k.number` + guard

	insertDeadlines = `INSERT INTO deadlines (` + deadlineNames + `, thing)
		SELECT ` + deadlineNames + `, thing FROM unnest(` + deadlineLists + `, $6::text[]) AS k(` + deadlineNames + `, thing)`

	updateHeads = `WITH w AS (UPDATE heads x SET number = k.number, left_at = k.left_at
		FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
			AS k(part, job_uid, thing_uid, number, left_at, was_number, was_left)
		WHERE x.part = k.part AND x.job_uid = k.job_uid AND x.thing_uid = k.thing_uid AND x.number = k.was_number AND x.left_at = k.was_left` + guard

	insertHeads = `INSERT INTO heads (part, job_uid, thing_uid, number, left_at)
		SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])`

	// upsertDirty needs no guard. A row that is there keeps what the device was
	// told; where there is none, it was told all that was stored, as it was read:
	// that this is still so is what the other guards are for.
	upsertDirty = `INSERT INTO dirty AS x (part, thing_uid, namespace, thing, since, seq, told)
		SELECT part, thing_uid, namespace, thing, seq, seq, told
		FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bytea[]) AS k(part, thing_uid, namespace, thing, seq, told)
		ON CONFLICT (part, thing_uid, namespace) DO UPDATE SET seq = greatest(x.seq + 1, excluded.seq)`

	countLists = `$1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]`
	countNames = `part, job_uid, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled`

	// addCounts comes last: its rows are the ones that batches meet at.
	addCounts = `INSERT INTO counts AS x (` + countNames + `)
		SELECT * FROM unnest(` + countLists + `)
		ON CONFLICT (job_uid, part) DO UPDATE SET queued = x.queued + excluded.queued, in_progress = x.in_progress + excluded.in_progress,
			succeeded = x.succeeded + excluded.succeeded, failed = x.failed + excluded.failed, timed_out = x.timed_out + excluded.timed_out,
			rejected = x.rejected + excluded.rejected, removed = x.removed + excluded.removed, canceled = x.canceled + excluded.canceled`

	// markEnded marks the jobs that have just lost the last live execution of a part.
	// There is one row of each; without the limit a plan that is made while there are
	// few counts goes through all of them, for the sake of their order.
	markEnded = `INSERT INTO marks AS m (part, job_uid, seq)
		SELECT x.part, x.job_uid, k.seq FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS k(part, job_uid, seq)
		CROSS JOIN LATERAL (SELECT x.part, x.job_uid FROM counts x
			WHERE x.part = k.part AND x.job_uid = k.job_uid AND x.queued + x.in_progress = 0 LIMIT 1) AS x
		ORDER BY x.part, x.job_uid
		ON CONFLICT (part, job_uid) DO UPDATE SET seq = greatest(m.seq + 1, excluded.seq)`
)

// onPart returns a statement that says once more, by a parameter of its own, which
// part it is about: all its rows are of that one. Citus sends it to one worker
// then, which it does not where it learns the part from a list.
func onPart(sql string, args []any, part int32) (string, []any) {
	const join = "x.part = k.part"
	if !strings.Contains(sql, join) {
		return sql, args // inserts: the rows say it
	}
	args = append(args, part)
	return strings.ReplaceAll(sql, join, fmt.Sprintf("%s AND x.part = $%d::int", join, len(args))), args
}

// writes are the statements of a flush.
type writes struct {
	pgx.Batch
	split bool // into statements of one part each
}

// add adds a statement that takes lists of rows, in the order of their parts.
func (w *writes) add(sql string, parts []int32, lists ...any) {
	w.each(sql, parts, func(from, to int) []any {
		args := []any{parts[from:to]}
		for _, l := range lists {
			args = append(args, sublist(l, from, to))
		}
		return args
	})
}

// each adds a statement for all rows, or for the rows of each part.
func (w *writes) each(sql string, parts []int32, args func(from, to int) []any) {
	if len(parts) == 0 {
		return
	}
	if !w.split {
		w.Queue(sql, args(0, len(parts))...)
		return
	}
	for from := 0; from < len(parts); {
		to := from + 1
		for to < len(parts) && parts[to] == parts[from] {
			to++
		}
		one, a := onPart(sql, args(from, to), parts[from])
		w.Queue(one, a...)
		from = to
	}
}

// sublist returns a part of a list.
func sublist(l any, from, to int) any {
	switch l := l.(type) {
	case []int32:
		return l[from:to]
	case []int64:
		return l[from:to]
	case []bool:
		return l[from:to]
	case []string:
		return l[from:to]
	case []*string:
		return l[from:to]
	case [][]byte:
		return l[from:to]
	}
	return l
}

// statements returns what stores f. lock is for those who have not passed the
// gate of each thing's part: the things on which executions begin are kept
// registered. Each statement that has a guard fails if it misses.
func (f *flush) statements(lock bool) *pgx.Batch {
	w := &writes{split: f.s.split}
	if n := &f.fresh; lock {
		w.add(lockThings, n.parts, n.names, n.things)
	}
	f.liveStatements(w)
	w.each(checkFresh, f.fresh.parts, f.fresh.args)
	r := &f.passed
	w.add(deleteLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns)
	r = &f.finished
	w.add(insertFinished, r.parts, r.things, r.queuedAt, r.jobs, r.numbers,
		r.status, r.forced, r.versions, r.startedAt, r.updatedAt, r.inProgress, r.steps, r.causes, r.names, r.details)
	d := &f.disarmed
	w.add(deleteDeadlines, d.parts, d.at, d.things, d.jobs, d.numbers)
	d = &f.armed
	w.add(insertDeadlines, d.parts, d.at, d.things, d.jobs, d.numbers, d.names)
	h := &f.headsChanged
	w.add(updateHeads, h.parts, h.jobs, h.things, h.numbers, h.left, h.wasNumber, h.wasLeft)
	h = &f.headsNew
	w.add(insertHeads, h.parts, h.jobs, h.things, h.numbers, h.left)
	y := &f.dirty
	w.add(upsertDirty, y.parts, y.things, y.namespaces, y.names, y.seqs, y.told)
	f.countStatements(w)
	return &w.Batch
}

func (f *flush) liveStatements(w *writes) {
	r := &f.touched
	w.add(touchLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns)
	r = &f.changed
	w.add(updateLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns,
		r.status, r.forced, r.versions, r.startedAt, r.updatedAt, r.inProgress, r.steps, r.armed, r.details)
	r = &f.reported
	w.add(reportLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns, r.versions, r.updatedAt, r.details)
	r = &f.rearmed
	w.add(rearmLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns, r.armed)
	r = &f.ended
	w.add(deleteLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.turns)
	r = &f.deleted
	w.add(deleteFinished, r.parts, r.things, r.queuedAt, r.jobs, r.numbers)
	r = &f.queued
	w.add(insertQueued, r.parts, r.things, r.queuedAt, r.jobs, r.numbers, r.updatedAt, r.causes, r.names)
	r = &f.live
	w.add(insertLive, r.parts, r.things, r.queuedAt, r.jobs, r.numbers,
		r.status, r.forced, r.versions, r.startedAt, r.updatedAt, r.inProgress, r.steps, r.causes, r.names, r.details, r.armed)
}

// args are what checkFresh takes.
func (n *fresh) args(from, to int) []any {
	args := []any{n.parts[from:to], n.things[from:to], n.jobs[from:to], n.numbers[from:to], n.headless[from:to]}
	return append(args, spans(n.parts[from:to], n.jobs[from:to], n.things[from:to])...)
}

// countStatements add up the counts, where any differ.
func (f *flush) countStatements(w *writes) {
	keys := make([]jobPart, 0, len(f.counts))
	for k, n := range f.counts {
		if n != (job.Counts{}) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b jobPart) int { return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.jobUID, b.jobUID)) })
	var parts, lostParts []int32
	var jobs, lostJobs, seqs []int64
	ns := make([][]int64, job.Canceled+1)
	for _, k := range keys {
		parts, jobs = append(parts, int32(k.part)), append(jobs, k.jobUID)
		n := f.counts[k]
		for s := job.Queued; s <= job.Canceled; s++ {
			ns[s] = append(ns[s], n[s])
		}
		if n.Live() < 0 {
			lostParts, lostJobs, seqs = append(lostParts, int32(k.part)), append(lostJobs, k.jobUID), append(seqs, f.s.seqs.next())
		}
	}
	lists := []any{jobs}
	for _, n := range ns[job.Queued:] {
		lists = append(lists, n)
	}
	w.add(addCounts, parts, lists...)
	w.add(markEnded, lostParts, lostJobs, seqs)
}
