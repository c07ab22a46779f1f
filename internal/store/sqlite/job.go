package sqlite

import (
	"encoding/json"
	"math"
	"slices"

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

func jobRow(r row) (job.Job, error) {
	j := job.Job{
		Brief: briefRow(r), Selection: job.Selection(r.int(7)), UpdatedAt: r.int(8), CompletedAt: r.int(9),
		ReasonCode: r.text(10), Comment: r.text(11), Description: r.text(12),
	}
	var ts []target
	err := decode(r.text(13), &ts)
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
	return one(r.c, apierr.New(apierr.NotFound, "Job %s not found.", id), jobRow, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id)
}

// JobByUID implements store.JobReader.
func (r reader) JobByUID(uid int64) (job.Job, error) {
	return one(r.c, noJob(), jobRow, `SELECT `+jobColumns+` FROM jobs WHERE uid = ?`, uid)
}

func noJob() error { return apierr.New(apierr.NotFound, "Job not found.") }

// Document implements store.JobReader.
func (r reader) Document(uid int64) (string, error) {
	return one(r.c, noJob(), readText, `SELECT body FROM documents WHERE job_uid = ?`, uid)
}

// Counts implements store.JobReader.
func (r reader) Counts(uid int64) (job.Counts, error) {
	var n job.Counts
	err := r.c.query(`SELECT status, n FROM counts WHERE job_uid = ?`, func(r row) error {
		if s := r.int(0); s >= 0 && s < int64(len(n)) {
			n[s] += r.int(1)
		}
		return nil
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

// listJobs returns up to limit jobs after a key, of one state or of all.
func (r reader) listJobs(only job.State, after store.JobKey, limit int) ([]job.Job, error) {
	first, last := max(job.Active, after.State), job.Scheduled
	if only != 0 {
		first, last = max(only, after.State), only
	}
	var jobs []job.Job
	for s := first; s <= last; s++ {
		created := int64(math.MaxInt64)
		if s == after.State {
			created = after.CreatedAt
			js, err := all(r.c, jobRow, `SELECT `+jobColumns+` FROM jobs WHERE state = ? AND created_at = ? AND uid > ? ORDER BY uid LIMIT ? + 0`,
				int64(s), created, after.UID, limit-len(jobs))
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, js...)
		}
		js, err := all(r.c, jobRow, `SELECT `+jobColumns+` FROM jobs WHERE state = ? AND created_at < ? ORDER BY created_at DESC, uid LIMIT ? + 0`,
			int64(s), created, limit-len(jobs))
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, js...)
	}
	return jobs, nil
}

// ContinuousJobs implements store.JobReader.
func (r reader) ContinuousJobs(groups []int64) ([]int64, error) {
	uids, err := all(r.c, readInt, `SELECT job_uid FROM json_each(?) k CROSS JOIN following ON group_uid = k.value`, list(groups))
	slices.Sort(uids)
	return slices.Compact(uids), err
}

// CountJobs implements store.JobReader.
func (r reader) CountJobs(s job.State, limit int) (int, error) {
	n, err := r.c.int(`SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = ? LIMIT ? + 0)`, int64(s), limit)
	return int(n), err
}

// MarkedJobs implements store.JobReader.
func (r reader) MarkedJobs(limit int) ([]store.JobMark, error) {
	return all(r.c, func(r row) (store.JobMark, error) {
		return store.JobMark{JobUID: r.int(0), Seq: r.int(1)}, nil
	}, `SELECT job_uid, seq FROM marks WHERE seq > 0 ORDER BY seq LIMIT ? + 0`, limit)
}

// InsertJob implements store.JobWriter.
func (t *tx) InsertJob(j job.Job, document string) error {
	err := t.stores(j.UID)
	if err != nil {
		return err
	}
	targets, err := encodeTargets(j.Targets)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO jobs (`+jobColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		j.UID, j.ID, j.Namespace, j.CreatedAt, int64(j.State), j.Forced, j.TimeoutMinutes,
		int64(j.Selection), j.UpdatedAt, j.CompletedAt, j.ReasonCode, j.Comment, j.Description, targets)
	if err != nil {
		return err
	}
	if n == 0 {
		return apierr.New(apierr.AlreadyExists, "Job %s already exists.", j.ID)
	}
	_, err = t.c.exec(`INSERT INTO documents (job_uid, body) VALUES (?, ?)`, j.UID, document)
	if err != nil {
		return err
	}
	return t.follow(j)
}

// UpdateJob implements store.JobWriter.
func (t *tx) UpdateJob(j job.Job) error {
	targets, err := encodeTargets(j.Targets)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE jobs SET state = ?, forced = ?, timeout_minutes = ?, updated_at = ?, completed_at = ?, reason_code = ?, comment = ?, description = ?, targets = ?`+
		` WHERE uid = ?`, int64(j.State), j.Forced, j.TimeoutMinutes, j.UpdatedAt, j.CompletedAt, j.ReasonCode, j.Comment, j.Description, targets, j.UID)
	if err != nil {
		return err
	}
	if n == 0 {
		return apierr.New(apierr.NotFound, "Job %s not found.", j.ID)
	}
	return t.follow(j)
}

// follow lists an active continuous job under its groups, and no other job.
func (t *tx) follow(j job.Job) error {
	query := `DELETE FROM following WHERE group_uid = ? AND job_uid = ?`
	if j.State == job.Active && j.Selection == job.Continuous {
		query = `INSERT INTO following (group_uid, job_uid) VALUES (?, ?) ON CONFLICT DO NOTHING`
	}
	for _, g := range j.Targets {
		if g.Kind != job.GroupTarget {
			continue
		}
		_, err := t.c.exec(query, g.UID, j.UID)
		if err != nil {
			return err
		}
	}
	return nil
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
	for _, query := range []string{
		`DELETE FROM jobs WHERE uid = ?`,
		`DELETE FROM documents WHERE job_uid = ?`,
		`DELETE FROM counts WHERE job_uid = ?`,
		`DELETE FROM heads WHERE job_uid = ?`,
		`DELETE FROM marks WHERE job_uid = ?`,
	} {
		_, err = t.c.exec(query, uid)
		if err != nil {
			return err
		}
	}
	return nil
}

// MarkJob implements store.JobWriter.
func (t *tx) MarkJob(uid int64) error { return t.c.markJob(uid, t.nextSeq()) }

// UnmarkJob implements store.JobWriter.
func (t *tx) UnmarkJob(m store.JobMark) error {
	_, err := t.c.exec(`DELETE FROM marks WHERE job_uid = ? AND seq = ?`, m.JobUID, m.Seq)
	return err
}
