package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// insertChunk is how many rows share a transaction, as in a rollout.
	insertChunk = 500
	// insertRows is how many rows one statement inserts: fewer and more are slower.
	insertRows = 32
)

// member is a row to be made: a thing, and the membership that is the cause.
type member struct {
	thing      string
	uid, cause int64
}

// membersOf reads the members of the group of a seeded store, in the order of their uids.
func membersOf(dir string) (ms []member, schema []string, err error) {
	db, err := openRaw(filepath.Join(dir, "muster.db"))
	if err != nil {
		return nil, nil, err
	}
	schema, err = liveSchema(db, "")
	if err == nil {
		err = db.query(`SELECT thing, thing_uid, uid FROM members ORDER BY group_uid, part, thing_uid`, func(row []driver.Value) {
			ms = append(ms, member{text(row[0]), number(row[1]), number(row[2])})
		})
	}
	return ms, schema, errors.Join(err, db.close())
}

// bareInserts is the raw limit of a rollout: the rows that it will make, inserted
// into an empty table with the same columns and index, in durable chunks. An
// operation is a row.
func bareInserts(ctx context.Context, dir string, ms []member, schema []string) (s sample, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, err
	}
	file := filepath.Join(dir, "raw.db")
	db, err := openRaw(file)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.close(), os.RemoveAll(dir)) }()
	for _, query := range schema {
		if _, err := db.exec(query); err != nil {
			return s, err
		}
	}
	var mu sync.Mutex
	log, err := keepLog(file, &mu)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	used, now := ownCPU(), time.Now()
	for rest := ms; len(rest) > 0 && ctx.Err() == nil; {
		n := min(insertChunk, len(rest))
		mu.Lock()
		err := insertAll(db, rest[:n], now.UnixMilli())
		mu.Unlock()
		if err != nil {
			return s, err
		}
		rest = rest[n:]
	}
	return sample{took: time.Since(now), ops: len(ms), cpu: ownCPU() - used}, ctx.Err()
}

var (
	insertTuple = `(?` + strings.Repeat(`, ?`, 15) + `)`
	insertHead  = `INSERT INTO live (part, thing_uid, queued_at, job_uid, number, thing, status, version, started_at, updated_at, deadline, step, forced, cause, armed, details) VALUES `
	insertOne   = insertHead + insertTuple
	insertMany  = insertHead + insertTuple + strings.Repeat(`, `+insertTuple, insertRows-1)
)

func insertAll(db *rawDB, ms []member, now int64) error {
	if _, err := db.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	args := make([]driver.Value, 0, 16*insertRows)
	for len(ms) > 0 {
		n, query := 1, insertOne
		if len(ms) >= insertRows {
			n, query = insertRows, insertMany
		}
		args = args[:0]
		for _, m := range ms[:n] {
			args = append(args, int64(0), m.uid, now, int64(1)<<60, int64(1), m.thing, int64(1), int64(1),
				int64(0), now, int64(0), int64(0), int64(0), m.cause, int64(0), nil)
		}
		if _, err := db.exec(query, args...); err != nil {
			return err
		}
		ms = ms[n:]
	}
	_, err := db.exec(`COMMIT`)
	return err
}
