package postgres

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

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

// Sent implements store.OutboxWriter. What is sent waits for the rest of the
// page, for the end of the transaction at most.
func (t *tx) Sent(d store.Dirty, is job.Told) error {
	k := sentKey{d.ThingUID, d.Namespace}
	if t.sent[k] != nil { // twice: one after the other
		err := t.settle()
		if err != nil {
			return err
		}
	}
	if t.sent == nil {
		t.sent = make(map[sentKey]*sent)
	}
	t.sent[k] = &sent{int32(d.Part), d.Seq, is.Encode()}
	return t.c.ready()
}

// sentKey is a row of dirty, sent what is known of it when it has been sent.
type sentKey struct {
	thingUID  int64
	namespace string
}

type sent struct {
	part int32
	seq  int64
	told []byte
}

const (
	deleteSent = `DELETE FROM dirty x
		USING unnest($1::int[], $2::bigint[], $3::text[], $4::bigint[]) AS k(part, thing_uid, namespace, seq)
		WHERE x.part = k.part AND x.thing_uid = k.thing_uid AND x.namespace = k.namespace AND x.seq = k.seq`

	updateSent = `UPDATE dirty x SET told = k.told
		FROM unnest($1::int[], $2::bigint[], $3::text[], $4::bytea[]) AS k(part, thing_uid, namespace, told)
		WHERE x.part = k.part AND x.thing_uid = k.thing_uid AND x.namespace = k.namespace`
)

// settle posts what Sent has been told of. Where the first statement removes the
// row, the second finds none, so nobody has to wait for the first. Rows are taken
// in the order in which batches write them.
func (t *tx) settle() error {
	if len(t.sent) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(t.sent), func(a, b sentKey) int {
		return cmp.Or(cmp.Compare(t.sent[a].part, t.sent[b].part), cmp.Compare(a.thingUID, b.thingUID), cmp.Compare(a.namespace, b.namespace))
	})
	var parts []int32
	var things, seqs []int64
	var namespaces []string
	var told [][]byte
	for _, k := range keys {
		x := t.sent[k]
		parts, things, namespaces = append(parts, x.part), append(things, k.thingUID), append(namespaces, k.namespace)
		seqs, told = append(seqs, x.seq), append(told, x.told)
	}
	t.sent = nil
	w := &writes{split: t.s.split}
	w.add(deleteSent, parts, things, namespaces, seqs)
	w.add(updateSent, parts, things, namespaces, told)
	return t.c.postAll(&w.Batch)
}

// Dirty implements store.OutboxReader after what this transaction has sent.
func (t *tx) Dirty(part int, p store.Page[int64]) ([]store.Dirty, error) {
	err := t.settle()
	if err != nil {
		return nil, err
	}
	return t.reader.Dirty(part, p)
}
