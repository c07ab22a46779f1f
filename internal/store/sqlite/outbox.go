package sqlite

import (
	"fmt"

	"muster/internal/job"
	"muster/internal/store"
)

// Dirty implements store.OutboxReader.
func (r reader) Dirty(part int, p store.Page[int64]) ([]store.Dirty, error) {
	return all(r.c, dirtyRow, `SELECT part, thing_uid, namespace, thing, seq, told, since FROM dirty WHERE part = ? AND since > ? ORDER BY since LIMIT ? + 0`,
		part, p.After, p.Limit)
}

func dirtyRow(r row) (store.Dirty, error) {
	d := store.Dirty{Part: int(r.int(0)), ThingUID: r.int(1), Namespace: r.text(2), Thing: r.text(3), Seq: r.int(4), Since: r.int(6)}
	var ok bool
	d.Told, ok = job.DecodeTold(r.blob(5))
	if !ok {
		return d, fmt.Errorf("sqlite: what thing %s was told cannot be read", d.Thing)
	}
	return d, nil
}

// Sent implements store.OutboxWriter.
func (t *tx) Sent(d store.Dirty, is job.Told) error {
	n, err := t.c.exec(`DELETE FROM dirty WHERE part = ? AND thing_uid = ? AND namespace = ? AND seq = ?`, d.Part, d.ThingUID, d.Namespace, d.Seq)
	if err != nil || n == 1 {
		return err
	}
	_, err = t.c.exec(`UPDATE dirty SET told = ? WHERE part = ? AND thing_uid = ? AND namespace = ?`, is.Encode(), d.Part, d.ThingUID, d.Namespace)
	return err
}
