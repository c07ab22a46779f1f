package postgres

import (
	"encoding/json"
	"math"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

const jobColumns = briefColumns + `, selection, updated_at, completed_at, reason_code, comment, description, targets`

// target is how a target is stored. The names are short because there are many.
type target struct {
	Kind job.TargetKind `json:"k"`
	Name string         `json:"n"`
	UID  int64          `json:"u"`
}

func readJob(r row) (job.Job, error) {
	var j job.Job
	var targets *string
	err := r.Scan(&j.UID, &j.ID, &j.Namespace, &j.CreatedAt, &j.State, &j.Forced, &j.TimeoutMinutes,
		&j.Selection, &j.UpdatedAt, &j.CompletedAt, &j.ReasonCode, &j.Comment, &j.Description, &targets)
	if err != nil {
		return j, err
	}
	var ts []target
	err = decode(targets, &ts)
	for _, t := range ts {
		j.Targets = append(j.Targets, job.Target(t))
	}
	return j, err
}

func encodeTargets(targets []job.Target) (string, error) {
	ts := make([]target, len(targets))
	for i, t := range targets {
		ts[i] = target(t)
	}
	b, err := json.Marshal(ts)
	return string(b), err
}

// JobByID implements store.JobReader.
func (r reader) JobByID(id string) (job.Job, error) {
	return one(r.c, apierr.New(apierr.NotFound, "Job %s not found.", id), readJob, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id)
}

// JobByUID implements store.JobReader.
func (r reader) JobByUID(uid int64) (job.Job, error) {
	return one(r.c, noJob(), readJob, `SELECT `+jobColumns+` FROM jobs WHERE uid = $1`, uid)
}

func noJob() error { return apierr.New(apierr.NotFound, "Job not found.") }

// Document implements store.JobReader.
func (r reader) Document(uid int64) (string, error) {
	return one(r.c, noJob(), readText, `SELECT body FROM documents WHERE job_uid = $1`, uid)
}

// Counts implements store.JobReader.
func (r reader) Counts(uid int64) (job.Counts, error) {
	var n job.Counts
	err := r.c.query(`SELECT queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled FROM counts WHERE job_uid = $1`, func(r row) error {
		var p job.Counts
		err := r.Scan(&p[job.Queued], &p[job.InProgress], &p[job.Succeeded], &p[job.Failed], &p[job.TimedOut], &p[job.Rejected], &p[job.Removed], &p[job.Canceled])
		for s := range p {
			n[s] += p[s]
		}
		return err
	}, uid)
	return n, err
}

// Jobs implements store.JobReader.
func (r reader) Jobs(f store.JobFilter, p store.Page[store.JobKey]) (jobs []job.Job, next store.JobKey, more bool, err error) {
	look := lookAt(p.Limit, f.Selection != 0 || f.Namespace != "" || f.GroupUID != 0)
	found, err := r.listJobs(f.State, p.After, look+1)
	jobs, next, more = pageOf(found, look, p.Limit, jobKey, func(j job.Job) bool { return matchJob(f, j) })
	return jobs, next, more, err
}

func jobKey(j job.Job) store.JobKey {
	return store.JobKey{State: j.State, CreatedAt: j.CreatedAt, UID: j.UID}
}

func matchJob(f store.JobFilter, j job.Job) bool {
	if f.Selection != 0 && j.Selection != f.Selection || f.Namespace != "" && j.Namespace != f.Namespace {
		return false
	}
	if f.GroupUID == 0 {
		return true
	}
	for _, t := range j.Targets {
		if t.Kind == job.GroupTarget && t.UID == f.GroupUID {
			return true
		}
	}
	return false
}

// listJobs returns up to most jobs after a key, of one state or of all.
func (r reader) listJobs(only job.State, after store.JobKey, most int) ([]job.Job, error) {
	first, last := max(job.Active, after.State), job.Scheduled
	if only != 0 {
		first, last = max(only, after.State), only
	}
	var jobs []job.Job
	for s := first; s <= last; s++ {
		created := int64(math.MaxInt64)
		if s == after.State {
			created = after.CreatedAt
			js, err := some(r.c, most-len(jobs), readJob, `SELECT `+jobColumns+` FROM jobs WHERE state = $1 AND created_at = $2 AND uid > $3 ORDER BY uid`,
				int(s), created, after.UID)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, js...)
		}
		js, err := some(r.c, most-len(jobs), readJob, `SELECT `+jobColumns+` FROM jobs WHERE state = $1 AND created_at < $2 ORDER BY created_at DESC, uid`, int(s), created)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, js...)
	}
	return jobs, nil
}

// ContinuousJobs implements store.JobReader.
func (r reader) ContinuousJobs(groups []int64) ([]int64, error) {
	return all(r.c, readInt, `SELECT DISTINCT job_uid FROM following WHERE group_uid = ANY($1::bigint[]) ORDER BY job_uid`, groups)
}

// CountJobs implements store.JobReader.
func (r reader) CountJobs(s job.State, most int) (int, error) {
	return r.c.count(most, `SELECT 1 FROM jobs WHERE state = $1 ORDER BY created_at DESC, uid`, int(s))
}

// CountJobs implements store.JobReader. A transaction counts to decide: of two
// who do so at a time, one runs again.
func (t *tx) CountJobs(s job.State, most int) (int, error) {
	err := t.c.post(`UPDATE meta SET value = value + 1 WHERE key = 'counted'`)
	if err != nil {
		return 0, err
	}
	return t.reader.CountJobs(s, most)
}

// MarkedJobs implements store.JobReader.
func (r reader) MarkedJobs(most int) ([]store.JobMark, error) {
	return some(r.c, most, func(r row) (store.JobMark, error) {
		var m store.JobMark
		err := r.Scan(&m.Part, &m.JobUID, &m.Seq)
		return m, err
	}, `SELECT part, job_uid, seq FROM marks ORDER BY seq`)
}

// InsertJob implements store.JobWriter.
func (t *tx) InsertJob(j job.Job, document string) error {
	targets, err := encodeTargets(j.Targets)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO jobs (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING`,
		j.UID, j.ID, j.Namespace, j.CreatedAt, int(j.State), j.Forced, j.TimeoutMinutes,
		int(j.Selection), j.UpdatedAt, j.CompletedAt, j.ReasonCode, j.Comment, j.Description, targets)
	if err != nil {
		return err
	}
	if n == 0 {
		return apierr.New(apierr.AlreadyExists, "Job %s already exists.", j.ID)
	}
	err = t.c.post(`INSERT INTO documents (job_uid, body) VALUES ($1, $2)`, j.UID, document)
	if err != nil {
		return err
	}
	return t.follow(j)
}

// UpdateJob implements store.JobWriter. From its commit on nobody who has read
// the job as it was may store anything, unless it has merely completed.
func (t *tx) UpdateJob(j job.Job) error {
	was, err := one(t.c, apierr.New(apierr.NotFound, "Job %s not found.", j.ID), readBrief, `SELECT `+briefColumns+` FROM jobs WHERE uid = $1`, j.UID)
	if err != nil {
		return err
	}
	if was.State != j.State && j.State != job.Completed || was.Forced != j.Forced || was.TimeoutMinutes != j.TimeoutMinutes {
		err = t.gate(t.s.allParts...)
		if err != nil {
			return err
		}
	}
	targets, err := encodeTargets(j.Targets)
	if err != nil {
		return err
	}
	err = t.c.post(`UPDATE jobs SET state = $2, forced = $3, timeout_minutes = $4, updated_at = $5, completed_at = $6, reason_code = $7, comment = $8, description = $9, targets = $10`+
		` WHERE uid = $1`, j.UID, int(j.State), j.Forced, j.TimeoutMinutes, j.UpdatedAt, j.CompletedAt, j.ReasonCode, j.Comment, j.Description, targets)
	if err != nil {
		return err
	}
	return t.follow(j)
}

// follow lists an active continuous job under its groups, and no other job.
func (t *tx) follow(j job.Job) error {
	var groups []int64
	for _, g := range j.Targets {
		if g.Kind == job.GroupTarget {
			groups = append(groups, g.UID)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	if j.State == job.Active && j.Selection == job.Continuous {
		return t.c.post(`INSERT INTO following (group_uid, job_uid) SELECT k.uid, $2 FROM unnest($1::bigint[]) AS k(uid) ON CONFLICT DO NOTHING`, groups, j.UID)
	}
	return t.c.post(`DELETE FROM following WHERE group_uid = ANY($1::bigint[]) AND job_uid = $2`, groups, j.UID)
}

// DeleteJob implements store.JobWriter.
func (t *tx) DeleteJob(uid int64) error {
	j, err := t.JobByUID(uid)
	if apierr.Is(err, apierr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	j.State = job.Deleting
	err = t.follow(j)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		`DELETE FROM jobs WHERE uid = $1`,
		`DELETE FROM documents WHERE job_uid = $1`,
	} {
		err = t.c.post(sql, uid)
		if err != nil {
			return err
		}
	}
	for _, sql := range []string{
		`DELETE FROM counts WHERE job_uid = $1 AND part = ANY($2::int[])`,
		`DELETE FROM heads WHERE job_uid = $1 AND part = ANY($2::int[])`,
		`DELETE FROM marks WHERE job_uid = $1 AND part = ANY($2::int[])`,
	} {
		err = t.s.together(t.s.allParts, func(parts []int) error { return t.c.post(sql, uid, parts) })
		if err != nil {
			return err
		}
	}
	return nil
}

// MarkJob implements store.JobWriter.
func (t *tx) MarkJob(uid int64) error { return t.mark(0, uid) }

// mark leaves a mark of a job in a part.
func (t *tx) mark(part int, uid int64) error {
	return t.c.post(`INSERT INTO marks AS x (part, job_uid, seq) VALUES ($1, $2, $3) ON CONFLICT (part, job_uid) DO UPDATE SET seq = greatest(x.seq + 1, excluded.seq)`, part, uid, t.nextSeq())
}

// UnmarkJob implements store.JobWriter.
func (t *tx) UnmarkJob(m store.JobMark) error {
	return t.c.post(`DELETE FROM marks WHERE part = $1 AND job_uid = $2 AND seq = $3`, m.Part, m.JobUID, m.Seq)
}
