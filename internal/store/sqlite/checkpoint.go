package sqlite

import (
	"time"
)

const (
	// checkpointEvery is how long changes stay in the write-ahead log before
	// they are copied to the database file, off the path of any commit.
	checkpointEvery = 500 * time.Millisecond
	// maxLog is the size of the log, in bytes, at which commits wait for it to
	// be emptied. The bulk is copied before they have to.
	maxLog = 64 << 20
	// restLog is how much of the log may be left to copy while commits wait.
	restLog = 1 << 20
)

// checkpoints is the loop that empties the write-ahead log from a connection of
// its own. It sleeps while nothing is written.
type checkpoints struct {
	s     *Store
	c     *conn
	woken chan struct{} // holds one token if something was written
	quit  chan struct{}
}

func (k *checkpoints) wake() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

func (k *checkpoints) run() {
	for k.wait(k.woken) && k.pause(checkpointEvery) {
		if k.s.health.failing() && k.pause(probeEvery-checkpointEvery) {
			k.s.probe() // its commit wakes us again
		}
		start := time.Now()
		log, err := k.once()
		if err != nil {
			k.s.log.Warn("sqlite: checkpoint", "err", err)
		}
		if k.s.cfg.OnCheckpoint != nil {
			k.s.cfg.OnCheckpoint(log, time.Since(start), err)
		}
	}
}

func (k *checkpoints) wait(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-k.quit:
		return false
	}
}

func (k *checkpoints) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-k.quit:
		return false
	}
}

// once copies what it can while others read and write. If the log has grown
// past its bound, it goes on until what is written meanwhile is little, and
// copies that with the writer at rest, so that the log starts anew. It returns
// the size of the log in bytes, as found.
func (k *checkpoints) once() (int64, error) {
	log, done, err := k.checkpoint(`PRAGMA wal_checkpoint(PASSIVE)`)
	if err != nil || log < k.s.maxLog {
		if !done {
			k.wake()
		}
		return log, err
	}
	for at, tries := log, 0; tries < 5; tries++ {
		now, _, err := k.checkpoint(`PRAGMA wal_checkpoint(PASSIVE)`)
		if err != nil {
			return log, err
		}
		if now-at < restLog {
			break
		}
		at = now
	}
	k.s.w.idle.Lock()
	defer k.s.w.idle.Unlock()
	// Readers that still need the log make it give up at once; the next turn tries again.
	_, done, err = k.checkpoint(`PRAGMA wal_checkpoint(RESTART)`)
	if !done {
		k.wake()
	}
	return log, err
}

// checkpoint returns the size of the log and whether all of it is copied.
func (k *checkpoints) checkpoint(pragma string) (log int64, done bool, err error) {
	if k.c == nil {
		k.c, err = k.s.openCheckpointer()
		if err != nil {
			k.c = nil
			return 0, false, err
		}
	}
	var busy bool
	var frames, copied int64
	err = k.c.query(pragma, func(r row) error {
		busy, frames, copied = r.bool(0), r.int(1), r.int(2)
		return nil
	})
	k.c.broken = nil // no transaction of ours could be lost
	if lost(err) {
		_ = k.c.close() // it has failed before
		k.c = nil
	}
	return frames * k.s.pageSize, err == nil && !busy && frames == copied, err
}
