package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier runs statements on one connection.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Post(sql string, args ...any)
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
	return c.rows(sql, func(rows pgx.Rows) error {
		for rows.Next() {
			err := each(rows)
			if err != nil {
				return err
			}
		}
		return nil
	}, args...)
}

// rows lets take read the rows of a query.
func (c *session) rows(sql string, take func(pgx.Rows) error, args ...any) error {
	err := c.ready()
	if err != nil {
		return err
	}
	rows, err := c.q.Query(c.ctx, sql, args...)
	if err != nil {
		return c.fail(err)
	}
	defer rows.Close() // also if take panics
	err = take(rows)
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

// post queues a statement whose outcome matters only to the transaction: it goes
// along with the next one, or with the commit, and costs no round trip.
func (c *session) post(sql string, args ...any) error {
	err := c.ready()
	if err == nil {
		c.q.Post(sql, args...)
	}
	return err
}

// postAll posts all statements of a batch.
func (c *session) postAll(b *pgx.Batch) error {
	err := c.ready()
	if err != nil {
		return err
	}
	for _, q := range b.QueuedQueries {
		c.q.Post(q.SQL, q.Arguments...)
	}
	return nil
}

// pipe runs the statements of a transaction on a connection of the pool. What was
// posted, such as what begins it, is sent in one round trip with what comes next.
type pipe struct {
	conn   *pgxpool.Conn
	posted *pgx.Batch
	used   bool // whether there is more than the beginning
}

func newPipe(conn *pgxpool.Conn, begin string) *pipe {
	p := &pipe{conn: conn, posted: &pgx.Batch{}}
	p.posted.Queue(begin)
	return p
}

// Post implements querier.
func (p *pipe) Post(sql string, args ...any) {
	p.used = true
	p.posted.Queue(sql, args...)
}

// Exec implements querier.
func (p *pipe) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if p.posted.Len() == 0 {
		return p.conn.Exec(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	r := p.SendBatch(ctx, b)
	tag, err := r.Exec()
	return tag, errors.Join(err, r.Close())
}

// Query implements querier.
func (p *pipe) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if p.posted.Len() == 0 {
		return p.conn.Query(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	r := p.SendBatch(ctx, b)
	rows, err := r.Query()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &pipeRows{Rows: rows, results: r}, nil
}

// SendBatch implements querier. The results are those of b alone, unless
// something that was posted has failed: then so have they.
func (p *pipe) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	p.used = true
	n := p.posted.Len()
	if n == 0 {
		return p.conn.SendBatch(ctx, b)
	}
	all := &pgx.Batch{QueuedQueries: slices.Concat(p.posted.QueuedQueries, b.QueuedQueries)}
	p.posted = &pgx.Batch{}
	r := p.conn.SendBatch(ctx, all)
	for range n {
		_, err := r.Exec()
		if err != nil {
			break
		}
	}
	return r
}

// commit ends the transaction with some last statements. All goes in one round
// trip: if one fails, those behind it do not run.
func (p *pipe) commit(ctx context.Context, last *pgx.Batch) error {
	all := &pgx.Batch{QueuedQueries: slices.Concat(p.posted.QueuedQueries, last.QueuedQueries)}
	all.Queue(`COMMIT`)
	r := p.conn.SendBatch(ctx, all)
	defer r.Close() //nolint:errcheck // by then it is committed, or it is not
	for range all.Len() - 1 {
		_, err := r.Exec()
		if err != nil {
			return uncertain(err, !answered(err))
		}
	}
	tag, err := r.Exec()
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("postgres: %s instead of a commit", tag)
	}
	return uncertain(err, !refused(err))
}

// pipeRows are rows whose end is the end of a batch.
type pipeRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error
}

// Close implements pgx.Rows.
func (r *pipeRows) Close() {
	r.Rows.Close()
	err := r.results.Close()
	if r.err == nil {
		r.err = err
	}
}

// Err implements pgx.Rows.
func (r *pipeRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// timed returns a context that ends after txTime, and not with its parent.
func timed(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(parent), txTime)
}
