package postgres

import (
	"fmt"

	"muster/internal/job"
	"muster/internal/store"
)

// Dirty implements store.OutboxReader.
func (r reader) Dirty(part int, p store.Page[int64]) ([]store.Dirty, error) {
	return some(r.c, p.Limit, readDirty, `SELECT part, thing_uid, namespace, thing, since, seq, told FROM dirty WHERE part = $1 AND since > $2 ORDER BY since`,
		part, p.After)
}

func readDirty(r row) (store.Dirty, error) {
	var d store.Dirty
	var told []byte
	err := r.Scan(&d.Part, &d.ThingUID, &d.Namespace, &d.Thing, &d.Since, &d.Seq, &told)
	if err != nil {
		return d, err
	}
	var ok bool
	d.Told, ok = job.DecodeTold(told)
	if !ok {
		return d, fmt.Errorf("postgres: what thing %s was told cannot be read", d.Thing)
	}
	return d, nil
}

// Sent implements store.OutboxWriter. If the first statement removes the row, the
// second finds none, so nobody has to wait for the first.
func (t *tx) Sent(d store.Dirty, is job.Told) error {
	err := t.c.post(`DELETE FROM dirty WHERE part = $1 AND thing_uid = $2 AND namespace = $3 AND seq = $4`, d.Part, d.ThingUID, d.Namespace, d.Seq)
	if err != nil {
		return err
	}
	return t.c.post(`UPDATE dirty SET told = $4 WHERE part = $1 AND thing_uid = $2 AND namespace = $3`, d.Part, d.ThingUID, d.Namespace, is.Encode())
}
