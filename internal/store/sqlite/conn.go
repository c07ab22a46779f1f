package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	"modernc.org/sqlite"
)

// conn is one connection to the database, used by one goroutine at a time.
//
// It stands on the driver interfaces of database/sql rather than on sql.DB: the
// store owns each connection (one that writes, one that checkpoints, some that
// read), never wants a statement to be tried again on another one behind its
// back, and saves the locks and the reflection of a pool on every row.
type conn struct {
	dc    driver.Conn
	ctx   context.Context // of a View: no statement starts after it has ended
	stmts map[string]*stmt
	args  []driver.NamedValue
	seen  func(query string) // told each statement once, for tests
	hurt  func(error)        // told of damage; nil tells nobody

	// broken is set when an error may have ended the transaction under us. No
	// statement runs from then on until rollback: SQLite would run it, and keep
	// it, outside any transaction.
	broken error

	// fault is the first write that has failed since it was last set to nil.
	fault error
}

// stmt is a prepared statement.
type stmt struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	dest  []driver.Value
	busy  bool // its rows are being read
}

// connect opens a connection with the pragmas given, in order.
func connect(path string, pragmas ...string) (*conn, error) {
	return connectTo(path, url.Values{"_pragma": pragmas})
}

// connectTo opens a connection with parameters as SQLite's addresses spell them.
func connectTo(path string, q url.Values) (*conn, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	dc, err := new(sqlite.Driver).Open(u.String())
	if err != nil {
		return nil, err
	}
	return &conn{dc: dc, ctx: context.Background(), stmts: make(map[string]*stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// script runs several statements without arguments.
func (c *conn) script(text string) error {
	x, ok := c.dc.(driver.ExecerContext)
	if !ok {
		return errors.New("sqlite: driver cannot run scripts")
	}
	_, err := x.ExecContext(context.Background(), text, nil)
	return c.check(err)
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	r, err := s.exec.ExecContext(context.Background(), c.args)
	if err != nil {
		err = c.check(err)
		c.fault = cmp.Or(c.fault, err)
		return 0, err
	}
	return r.RowsAffected()
}

// rollback ends a transaction, however broken.
func (c *conn) rollback() error {
	c.broken = nil
	_, err := c.exec(`ROLLBACK`)
	c.broken = nil
	return err
}

// query calls each for every row. The row is valid during the call only.
func (c *conn) query(query string, each func(row) error, args ...any) error {
	s, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	rows, err := s.query.QueryContext(context.Background(), c.args)
	if err != nil {
		return c.check(err)
	}
	s.busy = true
	err = c.rows(s, rows, each)
	s.busy = false
	closed := rows.Close()
	if err == nil {
		err = c.check(closed)
	}
	return err
}

func (c *conn) rows(s *stmt, rows driver.Rows, each func(row) error) error {
	if s.dest == nil {
		s.dest = make([]driver.Value, len(rows.Columns()))
	}
	for {
		err := rows.Next(s.dest)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.check(err)
		}
		err = each(row(s.dest))
		if err != nil {
			return err
		}
	}
}

// int returns the only value of the only row, or 0 if there is none.
func (c *conn) int(query string, args ...any) (int64, error) {
	var n int64
	err := c.query(query, func(r row) error { n = r.int(0); return nil }, args...)
	return n, err
}

// prepare returns the statement for a query and leaves its arguments in c.args.
func (c *conn) prepare(query string, args []any) (*stmt, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	err := c.ctx.Err()
	if err != nil {
		return nil, err
	}
	s := c.stmts[query]
	if s == nil {
		s, err = c.compile(query)
		if err != nil {
			return nil, err
		}
		c.stmts[query] = s
	}
	if s.busy {
		return nil, fmt.Errorf("sqlite: run while its rows are read: %s", query)
	}
	return s, c.bind(args)
}

func (c *conn) compile(query string) (*stmt, error) {
	p, ok := c.dc.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("sqlite: driver cannot prepare")
	}
	ds, err := p.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, c.check(err)
	}
	if c.seen != nil {
		c.seen(query)
	}
	s := &stmt{Stmt: ds}
	s.exec, ok = ds.(driver.StmtExecContext)
	if ok {
		s.query, ok = ds.(driver.StmtQueryContext)
	}
	if !ok {
		return nil, errors.New("sqlite: driver has no statements with context")
	}
	return s, nil
}

func (c *conn) bind(args []any) error {
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return nil
}

// value returns an argument as one of the types that the driver binds.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte:
		return v, nil
	case int:
		return int64(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	default:
		return nil, fmt.Errorf("sqlite: cannot bind a %T", a)
	}
}

// row is one row of a result. A column of another type reads as the zero value:
// the tables are STRICT.
type row []driver.Value

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) bool(i int) bool { return r.int(i) != 0 }

func (r row) text(i int) string {
	v, _ := r[i].(string)
	return v
}

func (r row) blob(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}
