package main

import (
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// The write-ahead log of the raw limits is kept as the store keeps its own,
// since a log without bound is fast for as long as the disk lasts.
const (
	rawCheckpoint = 500 * time.Millisecond
	rawMaxLog     = 64 << 20
)

// rawLog copies the write-ahead log of a database into its file, off the path
// of the commits.
type rawLog struct {
	db   *rawDB
	mu   *sync.Mutex // held by transactions
	quit chan struct{}
	done chan error
}

// keepLog starts a rawLog for file. Transactions must hold mu.
func keepLog(file string, mu *sync.Mutex) (*rawLog, error) {
	db, err := openRaw(file)
	if err != nil {
		return nil, err
	}
	l := &rawLog{db: db, mu: mu, quit: make(chan struct{}), done: make(chan error, 1)}
	go func() { l.done <- l.run() }()
	return l, nil
}

func (l *rawLog) close() error {
	close(l.quit)
	return errors.Join(<-l.done, l.db.close())
}

func (l *rawLog) run() error {
	t := time.NewTicker(rawCheckpoint)
	defer t.Stop()
	for {
		select {
		case <-l.quit:
			return nil
		case <-t.C:
		}
		size, err := l.checkpoint(`PRAGMA wal_checkpoint(PASSIVE)`)
		if err == nil && size > rawMaxLog {
			err = l.restart()
		}
		if err != nil {
			return err
		}
	}
}

// restart copies what has come meanwhile and then the rest with the writer at rest.
func (l *rawLog) restart() error {
	_, err := l.checkpoint(`PRAGMA wal_checkpoint(PASSIVE)`)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.checkpoint(`PRAGMA wal_checkpoint(RESTART)`)
	return err
}

// checkpoint returns the size of the log in bytes.
func (l *rawLog) checkpoint(pragma string) (int64, error) {
	var frames int64
	err := l.db.query(pragma, func(row []driver.Value) { frames = number(row[1]) })
	return frames * 4096, err
}
