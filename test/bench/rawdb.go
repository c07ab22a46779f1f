package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// rawDB is a connection to a SQLite database with as little around it as can
// be: the driver's own interfaces and prepared statements. It stands for what
// the engine below Muster's store can do.
type rawDB struct {
	conn  driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// openRaw opens a database with the settings that durable commits need.
func openRaw(file string) (*rawDB, error) {
	q := url.Values{"_pragma": {`busy_timeout(5000)`, `journal_mode(WAL)`, `synchronous(FULL)`, `wal_autocheckpoint(0)`,
		`temp_store(MEMORY)`, `cache_size(-65536)`}}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(file)}).EscapedPath(), RawQuery: q.Encode()}
	conn, err := new(sqlite.Driver).Open(u.String())
	if err != nil {
		return nil, err
	}
	return &rawDB{conn: conn, stmts: make(map[string]driver.Stmt)}, nil
}

func (d *rawDB) close() error {
	var errs []error
	for _, s := range d.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, d.conn.Close())...)
}

func (d *rawDB) prepare(query string, args []driver.Value) (driver.Stmt, error) {
	s := d.stmts[query]
	if s == nil {
		var err error
		s, err = d.conn.Prepare(query)
		if err != nil {
			return nil, err
		}
		d.stmts[query] = s
	}
	d.args = d.args[:0]
	for i, a := range args {
		d.args = append(d.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (d *rawDB) exec(query string, args ...driver.Value) (int64, error) {
	s, err := d.prepare(query, args)
	if err != nil {
		return 0, err
	}
	x, ok := s.(driver.StmtExecContext)
	if !ok {
		return 0, errors.New("the driver's statements take no context")
	}
	r, err := x.ExecContext(context.Background(), d.args)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return r.RowsAffected()
}

// query calls each for every row, which is valid during the call only.
func (d *rawDB) query(query string, each func([]driver.Value), args ...driver.Value) error {
	s, err := d.prepare(query, args)
	if err != nil {
		return err
	}
	x, ok := s.(driver.StmtQueryContext)
	if !ok {
		return errors.New("the driver's statements take no context")
	}
	rows, err := x.QueryContext(context.Background(), d.args)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		err = rows.Next(row)
		if err != nil {
			break
		}
		each(row)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

// text returns a value as text; "" if it is something else.
func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// number returns a value as a number; 0 if it is something else.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}
