package engine

import (
	"sync"

	"muster/internal/store"
)

// documentBytes bounds the cache of job documents.
const documentBytes = 16 << 20

// documents caches job documents by job uid. They never change, and a job made
// again under an old id has another uid. The zero value is ready.
type documents struct {
	mu    sync.Mutex
	byUID map[int64]string // guarded by mu
	bytes int              // guarded by mu
}

func (d *documents) get(uid int64) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.byUID[uid]
	return s, ok
}

// put adds a document. A full cache starts anew: few jobs are hot at a time.
func (d *documents) put(uid int64, s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byUID == nil || d.bytes+len(s) > documentBytes {
		d.byUID, d.bytes = make(map[int64]string), 0
	}
	d.byUID[uid] = s
	d.bytes += len(s)
}

// document returns a job's document, from the cache or from r.
func (e *Engine) document(r store.JobReader, uid int64) (string, error) {
	if s, ok := e.documents.get(uid); ok {
		return s, nil
	}
	s, err := r.Document(uid)
	if err == nil {
		e.documents.put(uid, s)
	}
	return s, err
}
