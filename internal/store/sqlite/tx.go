package sqlite

import (
	"muster/internal/job"
)

// tx is a transaction that writes. It implements store.Tx.
type tx struct {
	reader
	w     *writer
	floor int64 // as stored by this transaction
}

// nextSeq returns a number that orders marks and dirty rows.
func (t *tx) nextSeq() int64 {
	t.w.seq++
	return t.w.seq
}

// floorStep is how far ahead of the uids that are stored the floor is raised, so
// that few transactions have to: a minute of uids.
const floorStep = 60_000 << 20

// stores says that uid is about to be stored, so that neither Floor nor Newest is
// ever below it.
func (t *tx) stores(uid int64) error {
	t.w.newest = max(t.w.newest, uid)
	if uid <= t.floor {
		return nil
	}
	_, err := t.c.exec(`UPDATE meta SET value = ? WHERE key = 'floor'`, uid+floorStep)
	if err == nil {
		t.floor = uid + floorStep
	}
	return err
}

// Queues implements store.ExecutionWriter.
func (t *tx) Queues(refs []job.Ref, fn func(*job.Queue) error) error {
	qs := newQueues(t.c, t.s.parts)
	err := qs.load(refs)
	if err != nil {
		return err
	}
	failed, err := qs.run(refs, fn)
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return qs.flush(t.nextSeq)
}

// Queue implements store.ExecutionReader.
func (r reader) Queue(ref job.Ref) (*job.Queue, error) {
	qs := newQueues(r.c, r.s.parts)
	e, err := qs.ready(ref)
	if err != nil {
		return nil, err
	}
	return e.q, nil
}
