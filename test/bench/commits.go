package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

// maxBatch is how many changes share a commit, here as in the store.
const maxBatch = 256

// bareCommits is the second raw limit of updates: one writer that takes the
// changes that wait together, up to maxBatch, reads and writes one row for each,
// adds to one counter, and commits. The table is that of the live executions,
// filled with the same rows.
type bareCommits struct {
	db     *rawDB
	log    *rawLog
	mu     sync.Mutex // held during a transaction
	rows   []rowKey
	change chan *change
	done   chan struct{}
}

// rowKey is what of a row's key is not the same in all.
type rowKey struct{ thing, queued, job int64 }

// change is one worker's change, waiting for the writer.
type change struct {
	row    rowKey
	n      int
	answer chan error
}

// copyLive makes a database in dir whose table live is that of the store in
// another folder, indexes and all.
func copyLive(from, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := openRaw(filepath.Join(dir, "raw.db"))
	if err != nil {
		return err
	}
	return errors.Join(fillLive(db, filepath.Join(from, "muster.db")), db.close())
}

func fillLive(db *rawDB, from string) error {
	_, err := db.exec(`ATTACH ? AS seed`, from)
	if err != nil {
		return err
	}
	schema, err := liveSchema(db, "seed.")
	if err != nil {
		return err
	}
	for _, query := range append(schema,
		`INSERT INTO live SELECT * FROM seed.live ORDER BY part, thing_uid, queued_at, job_uid, number`,
		`CREATE TABLE counts (job_uid INTEGER, status INTEGER, n INTEGER, PRIMARY KEY (job_uid, status)) WITHOUT ROWID`) {
		if _, err := db.exec(query); err != nil {
			return err
		}
	}
	_, err = db.exec(`DETACH seed`)
	return err
}

// liveSchema returns the statements that make the table live of a store and its indexes.
func liveSchema(db *rawDB, prefix string) ([]string, error) {
	var schema []string
	err := db.query(`SELECT sql FROM `+prefix+`sqlite_master WHERE tbl_name = 'live' AND sql IS NOT NULL ORDER BY type DESC`, func(row []driver.Value) {
		schema = append(schema, text(row[0]))
	})
	if err == nil && len(schema) < 2 {
		err = fmt.Errorf("the store has no table live with an index: %d statements", len(schema))
	}
	return schema, err
}

// openCommits opens what copyLive has made and starts the writer.
func openCommits(dir string) (*bareCommits, error) {
	file := filepath.Join(dir, "raw.db")
	db, err := openRaw(file)
	if err != nil {
		return nil, err
	}
	b := &bareCommits{db: db, change: make(chan *change, 4*maxBatch), done: make(chan struct{})}
	err = db.query(`SELECT thing_uid, queued_at, job_uid FROM live`, func(row []driver.Value) {
		b.rows = append(b.rows, rowKey{number(row[0]), number(row[1]), number(row[2])})
	})
	if err == nil {
		b.log, err = keepLog(file, &b.mu)
	}
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	go b.write()
	return b, nil
}

func (b *bareCommits) close() error {
	close(b.change)
	<-b.done
	return errors.Join(b.log.close(), b.db.close())
}

// measure runs workers that change random rows.
func (b *bareCommits) measure(ctx context.Context, workers int, in interval) (sample, error) {
	return closedLoop(ctx, workers, in, ownCPU, func(int) (func() error, error) {
		c := &change{answer: make(chan error, 1)}
		return func() error {
			c.row, c.n = b.rows[rand.IntN(len(b.rows))], rand.IntN(90)
			b.change <- c
			return <-c.answer
		}, nil
	})
}

func (b *bareCommits) write() {
	defer close(b.done)
	for first := range b.change {
		batch := []*change{first}
		for len(batch) < maxBatch && len(b.change) > 0 {
			batch = append(batch, <-b.change)
		}
		err := b.commit(batch)
		for _, c := range batch {
			c.answer <- err
		}
	}
}

func (b *bareCommits) commit(batch []*change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.db.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for _, c := range batch {
		if err := b.apply(c); err != nil {
			return err
		}
	}
	if _, err := b.db.exec(`INSERT INTO counts (job_uid, status, n) VALUES (?, 2, ?) ON CONFLICT (job_uid, status) DO UPDATE SET n = n + excluded.n`,
		batch[0].row.job, int64(len(batch))); err != nil {
		return err
	}
	_, err := b.db.exec(`COMMIT`)
	return err
}

const (
	whereRow  = ` WHERE part = 0 AND thing_uid = ? AND queued_at = ? AND job_uid = ? AND number = 1`
	selectRow = `SELECT status, version, updated_at, details FROM live` + whereRow
	updateRow = `UPDATE live SET status = ?, version = ?, updated_at = ?, details = ?` + whereRow + ` AND version = ?`
)

func (b *bareCommits) apply(c *change) error {
	var version, updated int64
	err := b.db.query(selectRow, func(row []driver.Value) { version, updated = number(row[1]), number(row[2]) },
		c.row.thing, c.row.queued, c.row.job)
	if err != nil {
		return err
	}
	n, err := b.db.exec(updateRow, int64(2), version+1, updated+1, storedDetails[c.n], c.row.thing, c.row.queued, c.row.job, version)
	if err == nil && n != 1 {
		err = errors.New("a row was not there to be changed")
	}
	return err
}

// storedDetails are the details of the progress that devices report, as they are stored.
var storedDetails = func() (out [90]string) {
	for i := range out {
		out[i] = fmt.Sprintf(`{"progress":"%d","step":"download"}`, 10+i)
	}
	return out
}()
