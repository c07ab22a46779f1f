package postgres

import (
	"cmp"
	"slices"

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
		WHEN NOT EXISTS (SELECT 1 FROM finished WHERE job_uid = ANY($6::bigint[]) AND part = ANY($7::int[]) AND thing_uid BETWEEN $8::bigint AND $9::bigint)
			AND NOT EXISTS (SELECT 1 FROM heads WHERE job_uid = ANY($6::bigint[]) AND part = ANY($7::int[]) AND thing_uid BETWEEN $8::bigint AND $9::bigint) THEN 1
		WHEN EXISTS (SELECT 1 FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k(part, thing_uid, job_uid, number)
			JOIN finished x ON x.job_uid = k.job_uid AND x.part = k.part AND x.thing_uid = k.thing_uid AND x.number = k.number) THEN 0
		WHEN EXISTS (SELECT 1 FROM unnest($1::int[], $2::bigint[], $3::bigint[], $5::boolean[]) AS k(part, thing_uid, job_uid, headless)
			JOIN heads x ON x.job_uid = k.job_uid AND x.part = k.part AND x.thing_uid = k.thing_uid WHERE k.headless) THEN 0
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
		WHERE x.job_uid = k.job_uid AND x.part = k.part AND x.thing_uid = k.thing_uid AND x.number = k.was_number AND x.left_at = k.was_left` + guard

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

	// addCountsAndMark also marks the jobs that have lost the last live execution of a part.
	addCountsAndMark = `WITH w AS (` + addCounts + ` RETURNING x.part, x.job_uid, x.queued + x.in_progress AS live)
		INSERT INTO marks AS x (part, job_uid, seq)
		SELECT w.part, w.job_uid, $11::bigint FROM w
		WHERE w.live = 0 AND (w.part, w.job_uid) IN (SELECT * FROM unnest($12::int[], $13::bigint[]))
		ORDER BY w.part, w.job_uid
		ON CONFLICT (part, job_uid) DO UPDATE SET seq = greatest(x.seq + 1, excluded.seq)`
)

// all are the lists that insertFinished takes.
func (r *rows) all() []any {
	return []any{r.parts, r.things, r.queuedAt, r.jobs, r.numbers,
		r.status, r.forced, r.versions, r.startedAt, r.updatedAt, r.inProgress, r.steps, r.causes, r.names, r.details}
}

// countStatement queues the statement that adds up the counts, if any differ.
func (f *flush) countStatement(b *pgx.Batch) {
	keys := make([]jobPart, 0, len(f.counts))
	for k, n := range f.counts {
		if n != (job.Counts{}) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return
	}
	slices.SortFunc(keys, func(a, b jobPart) int { return cmp.Or(cmp.Compare(a.jobUID, b.jobUID), cmp.Compare(a.part, b.part)) })
	var parts, lostParts []int32
	var jobs, lostJobs []int64
	var ns [job.Canceled + 1][]int64
	for _, k := range keys {
		parts, jobs = append(parts, int32(k.part)), append(jobs, k.jobUID)
		n := f.counts[k]
		for s := job.Queued; s <= job.Canceled; s++ {
			ns[s] = append(ns[s], n[s])
		}
		if n.Live() < 0 {
			lostParts, lostJobs = append(lostParts, int32(k.part)), append(lostJobs, k.jobUID)
		}
	}
	args := []any{parts, jobs}
	for s := job.Queued; s <= job.Canceled; s++ {
		args = append(args, ns[s])
	}
	if len(lostParts) == 0 {
		b.Queue(addCounts, args...)
		return
	}
	b.Queue(addCountsAndMark, append(args, f.nextSeq(), lostParts, lostJobs)...)
}
