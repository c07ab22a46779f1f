package postgres

import (
	"muster/internal/store"
)

const workColumns = `part, job_uid, kind, seq, target, group_uid, thing_uid`

func readWork(r row) (store.Work, error) {
	var w store.Work
	err := r.Scan(&w.Part, &w.JobUID, &w.Kind, &w.Seq, &w.Cursor.Target, &w.Cursor.GroupUID, &w.Cursor.ThingUID)
	return w, err
}

// Work implements store.WorkReader.
func (r reader) Work(part, limit int) ([]store.Work, error) {
	return some(r.c, limit, readWork, `SELECT `+workColumns+` FROM work WHERE part = $1 ORDER BY seq, job_uid`, part)
}

// JobWork implements store.WorkReader.
func (r reader) JobWork(jobUID int64) ([]store.Work, error) {
	return all(r.c, readWork, `SELECT `+workColumns+` FROM work WHERE job_uid = $1 ORDER BY part`, jobUID)
}

// StartWork implements store.WorkWriter.
func (t *tx) StartWork(jobUID int64, kind store.WorkKind, at store.Cursor, seq int64, parts []int) error {
	if parts == nil {
		parts = t.s.allParts
	}
	return t.s.together(parts, func(parts []int) error {
		return t.c.post(`INSERT INTO work (`+workColumns+`) SELECT k.part, $2, $3, $4, $5, $6, $7 FROM unnest($1::int[]) AS k(part)
			ON CONFLICT (part, job_uid) DO UPDATE SET kind = excluded.kind, seq = excluded.seq, target = excluded.target, group_uid = excluded.group_uid, thing_uid = excluded.thing_uid`,
			parts, jobUID, int(kind), seq, at.Target, at.GroupUID, at.ThingUID)
	})
}

// SaveWork implements store.WorkWriter.
func (t *tx) SaveWork(w store.Work) (bool, error) {
	n, err := t.c.exec(`UPDATE work SET target = $4, group_uid = $5, thing_uid = $6 WHERE part = $1 AND job_uid = $2 AND seq = $3`,
		w.Part, w.JobUID, w.Seq, w.Cursor.Target, w.Cursor.GroupUID, w.Cursor.ThingUID)
	return n == 1, err
}

// FinishWork implements store.WorkWriter.
func (t *tx) FinishWork(w store.Work) error {
	n, err := t.c.exec(`DELETE FROM work WHERE part = $1 AND job_uid = $2 AND seq = $3`, w.Part, w.JobUID, w.Seq)
	if err != nil || n == 0 {
		return err
	}
	return t.mark(w.Part, w.JobUID)
}
