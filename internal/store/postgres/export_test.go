package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Statements collects the statements that stores opened with the Config use. It
// is a tracer of pgx.
type Statements struct {
	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

// Watch makes cfg's store report to s.
func (s *Statements) Watch(cfg *Config) { cfg.tracer = s }

func (s *Statements) see(sql string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	s.seen[sql] = true
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.see(d.SQL)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s *Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements pgx.BatchTracer.
func (s *Statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		s.see(q.SQL)
	}
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (s *Statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (s *Statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// All returns the statements seen, in order.
func (s *Statements) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.seen))
}

// Impatient makes cfg's store try calls again for d only.
func Impatient(cfg Config, d time.Duration) Config {
	cfg.patience = d
	return cfg
}

// Split makes cfg's store send the statements that it sends to Citus.
func Split(cfg Config) Config {
	cfg.split = true
	return cfg
}

// Waiting returns how many calls on queues wait for a lane.
func (s *Store) Waiting() int {
	n := 0
	for _, l := range s.lanes {
		n += len(l.calls)
	}
	return n
}

// URL returns the address of the database.
func (s *Store) URL() string { return s.cfg.URL }

// ServerFault says why a server that says this of itself cannot be used.
func ServerFault(version int, release, encoding, schema string) error {
	return server{version: version, release: release, encoding: encoding, schema: schema}.fault()
}

// Remedy is what to do about an error of the server.
var Remedy = remedy

// Refused reports whether err is the server's refusal to commit.
var Refused = refused

// Take reads a row of the queues' statement.
func Take(row [][]byte) error { return new(result).take(&rowOf{row: row}) }

// rowOf is one row.
type rowOf struct {
	pgx.Rows
	row  [][]byte
	read bool
}

func (r *rowOf) Next() bool {
	first := !r.read
	r.read = true
	return first
}

func (r *rowOf) RawValues() [][]byte { return r.row }
func (r *rowOf) Err() error          { return nil }

// Settings are what connections run under.
var Settings = settings
