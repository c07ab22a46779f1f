package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier runs statements on one connection.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// row is one row of a result. It is valid until the next one is read.
type row interface {
	Scan(dest ...any) error
}

// session runs the statements of one transaction, used by one goroutine at a time.
type session struct {
	// caller is whom the transaction is for: no statement starts after it has
	// ended. ctx is what statements run under, which only time ends: a statement
	// that is given up costs the connection.
	caller, ctx context.Context
	q           querier

	// broken is the first error of the database. The transaction is lost then,
	// whatever the closure makes of it.
	broken error
}

// exec runs a statement and returns how many rows it changed.
func (c *session) exec(sql string, args ...any) (int64, error) {
	err := c.ready()
	if err != nil {
		return 0, err
	}
	tag, err := c.q.Exec(c.ctx, sql, args...)
	if err != nil {
		return 0, c.fail(err)
	}
	return tag.RowsAffected(), nil
}

// query calls each for every row. The row is valid during the call only.
func (c *session) query(sql string, each func(row) error, args ...any) error {
	err := c.ready()
	if err != nil {
		return err
	}
	rows, err := c.q.Query(c.ctx, sql, args...)
	if err != nil {
		return c.fail(err)
	}
	for err == nil && rows.Next() {
		err = each(rows)
	}
	rows.Close()
	if rows.Err() != nil {
		return c.fail(rows.Err())
	}
	return err
}

func (c *session) ready() error {
	if c.broken != nil {
		return c.broken
	}
	return c.caller.Err()
}

func (c *session) fail(err error) error {
	if c.broken == nil {
		c.broken = err
	}
	return public(err)
}

// opening runs statements on a connection of the pool, the first of them in one
// round trip with the statement that begins the transaction.
type opening struct {
	conn  *pgxpool.Conn
	begin string // empty once it has run
}

// Exec implements querier.
func (o *opening) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if o.begin == "" {
		return o.conn.Exec(ctx, sql, args...)
	}
	r, err := o.first(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := r.Exec()
	return tag, errors.Join(err, r.Close())
}

// Query implements querier.
func (o *opening) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if o.begin == "" {
		return o.conn.Query(ctx, sql, args...)
	}
	r, err := o.first(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := r.Query()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &openingRows{Rows: rows, results: r}, nil
}

// SendBatch implements querier.
func (o *opening) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if o.begin == "" {
		return o.conn.SendBatch(ctx, b)
	}
	first := &pgx.Batch{}
	first.Queue(o.begin)
	first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
	o.begin = ""
	r := o.conn.SendBatch(ctx, first)
	_, _ = r.Exec() // if it has failed, so does what follows
	return r
}

// first begins the transaction and sends a statement with it, whose results are next.
func (o *opening) first(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	b := &pgx.Batch{}
	b.Queue(o.begin)
	b.Queue(sql, args...)
	o.begin = ""
	r := o.conn.SendBatch(ctx, b)
	_, err := r.Exec()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// openingRows are rows whose end is the end of a batch.
type openingRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error
}

// Close implements pgx.Rows.
func (r *openingRows) Close() {
	r.Rows.Close()
	err := r.results.Close()
	if r.err == nil {
		r.err = err
	}
}

// Err implements pgx.Rows.
func (r *openingRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// timed returns a context that ends after d, and not with its parent.
func timed(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(parent), d)
}
