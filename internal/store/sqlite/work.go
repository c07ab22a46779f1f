package sqlite

import (
	"muster/internal/store"
)

const workColumns = `part, job_uid, kind, seq, target, group_uid, thing_uid`

func workRow(r row) (store.Work, error) {
	return store.Work{
		Part: int(r.int(0)), JobUID: r.int(1), Kind: store.WorkKind(r.int(2)), Seq: r.int(3),
		Cursor: store.Cursor{Target: int(r.int(4)), GroupUID: r.int(5), ThingUID: r.int(6)},
	}, nil
}

// Work implements store.WorkReader.
func (r reader) Work(part, limit int) ([]store.Work, error) {
	return all(r.c, workRow, `SELECT `+workColumns+` FROM work WHERE part = ? ORDER BY seq, job_uid LIMIT ? + 0`, part, limit)
}

// JobWork implements store.WorkReader.
func (r reader) JobWork(jobUID int64) ([]store.Work, error) {
	return all(r.c, workRow, `SELECT `+workColumns+` FROM work WHERE job_uid = ? ORDER BY part`, jobUID)
}

// StartWork implements store.WorkWriter.
func (t *tx) StartWork(jobUID int64, kind store.WorkKind, at store.Cursor, seq int64, parts []int) error {
	err := t.stores(seq)
	if err != nil {
		return err
	}
	if parts == nil {
		for p := range t.s.parts {
			parts = append(parts, p)
		}
	}
	for _, p := range parts {
		_, err := t.c.exec(`INSERT INTO work (`+workColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`+
			` ON CONFLICT (part, job_uid) DO UPDATE SET kind = excluded.kind, seq = excluded.seq, target = excluded.target, group_uid = excluded.group_uid, thing_uid = excluded.thing_uid`,
			p, jobUID, int64(kind), seq, at.Target, at.GroupUID, at.ThingUID)
		if err != nil {
			return err
		}
	}
	return nil
}

// SaveWork implements store.WorkWriter.
func (t *tx) SaveWork(w store.Work) (bool, error) {
	n, err := t.c.exec(`UPDATE work SET target = ?, group_uid = ?, thing_uid = ? WHERE part = ? AND job_uid = ? AND seq = ?`,
		w.Cursor.Target, w.Cursor.GroupUID, w.Cursor.ThingUID, w.Part, w.JobUID, w.Seq)
	return n == 1, err
}

// FinishWork implements store.WorkWriter.
func (t *tx) FinishWork(w store.Work) error {
	n, err := t.c.exec(`DELETE FROM work WHERE part = ? AND job_uid = ? AND seq = ?`, w.Part, w.JobUID, w.Seq)
	if err != nil || n == 0 {
		return err
	}
	return t.MarkJob(w.JobUID)
}
