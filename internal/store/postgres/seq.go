package postgres

import (
	"math/rand/v2"
	"sync"
	"time"
)

// seqs makes numbers that order marks and dirty rows, by the clock of the
// database. A row that is made again after it was removed must not get the number
// that it had, whichever node makes it: the low bits are random.
type seqs struct {
	mu    sync.Mutex
	epoch time.Time // when the clock of the database was read; guarded by mu
	ms    int64     // what it said, in milliseconds since the epoch; guarded by mu
	last  int64     // guarded by mu
}

const seqBits = 20

// set tells what the clock of the database says at a time of ours.
func (q *seqs) set(at time.Time, ms int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.epoch, q.ms = at, ms
}

func (q *seqs) next() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.ms + time.Since(q.epoch).Milliseconds()
	q.last = max(now<<seqBits, q.last) + 1 + rand.Int64N(1<<seqBits)
	return q.last
}
