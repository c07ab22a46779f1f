// Package postgres keeps everything in a PostgreSQL database, for many servers
// at once. It implements store.Store.
//
// Devices' calls on queues wait in a few lanes. Each lane serves those that wait
// together in one batch: one statement reads, the functions run one after
// another in memory, a few set-based statements write, one commit. While a batch
// commits, the next one collects. Nothing is locked while it runs: every write
// carries a guard on what was read, and a batch whose guard misses is run again.
//
// # Gates
//
// A batch and a loop that owns a part must not overlap with a change that takes
// the ground from under them: a job that is canceled, a thing that is deleted.
// Before they read, they lock the row of some part for sharing, and the change
// locks those rows for itself (lockGates). So once CancelJob is
// answered, no batch that has read the job before can commit any more.
//
// # Discipline
//
// The statements are valid on a stock PostgreSQL, and those on tables with parts
// also where these are distributed by part, as on Citus: each names the part. No
// triggers, sequences, foreign keys, advisory locks, LISTEN or MERGE; times and
// identities come from here.
package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/internal/apierr"
)

// Config says where and how to open a store. Only URL is needed.
type Config struct {
	// URL is the address of the database, as libpq spells it. Its tables live in
	// the first schema of the connection's search_path. What it says of the pool
	// (pool_…) and which kind of server it asks for (target_session_attrs) has no
	// effect.
	URL string
	// Parts is the number of parts of a new database; 0 is 64. An existing one
	// keeps its own.
	Parts int
	// MaxConns is the most connections that are used; 0 is 16.
	MaxConns int
	// Lanes is how many batches of calls on queues are under way at a time; 0 is
	// one for each processor, from 2 to 8: fewer make larger batches, which cost
	// less, more are faster where the database is far away or large.
	Lanes int
	// NoMigrate leaves the schema alone. Open then fails if it is not up to date.
	NoMigrate bool
	// Log is told of faults; nil discards.
	Log *slog.Logger
	// OnCommit, if not nil, is called after each transaction with the number of
	// calls in it, how long it took and why it failed, also if it is then tried
	// again. It must not block.
	OnCommit func(calls int, took time.Duration, err error)

	tracer   pgx.QueryTracer // for tests
	split    bool            // for tests: as if there were Citus
	patience time.Duration   // for tests; 0 is maxPatience
}

// Every wait is bounded. What the server does not end in time is given up with
// its connection.
const (
	// acquireTime is the longest wait for a connection.
	acquireTime = 3 * time.Second
	// connectTime is how long making one may take.
	connectTime = 3 * time.Second
	// txTime is how long a transaction may take, commitTime its commit.
	txTime     = 10 * time.Second
	commitTime = 10 * time.Second
	// rollbackTime is how long a connection may take to end a transaction before it is closed.
	rollbackTime = 2 * time.Second
)

// Store is an open PostgreSQL database. It implements store.Store.
type Store struct {
	cfg      Config
	log      *slog.Logger
	pool     *pgxpool.Pool
	parts    int
	allParts []int
	split    bool // on Citus: statements on queues are about one part each
	seqs     seqs
	health   health
	lanes    []*lane
	patience time.Duration // how long a call is tried again

	loops   sync.WaitGroup
	closing chan struct{}

	mu     sync.Mutex
	closed bool           // guarded by mu
	calls  sync.WaitGroup // Add is guarded by mu
}

// Open connects to a database, making its tables or bringing them up to date
// where needed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s := &Store{
		cfg: cfg, log: cfg.Log, closing: make(chan struct{}), health: health{sick: make(chan struct{}, 1)},
		patience: cmp.Or(cfg.patience, maxPatience),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	pc, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	err = prepare(ctx, cfg, s.log)
	if err != nil {
		return nil, err
	}
	s.pool, err = pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	err = s.load(ctx)
	if err == nil {
		err = s.checkPooler(ctx)
	}
	if err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("postgres: %w", explained(pc.ConnConfig, err))
	}
	s.lanes = s.newLanes(cfg.Lanes)
	for _, l := range s.lanes {
		s.loops.Go(l.run)
	}
	s.loops.Go(s.probe)
	return s, nil
}

// load reads what is fixed.
func (s *Store) load(ctx context.Context) error {
	var parts int
	var now int64
	var citus, moving bool
	at := time.Now()
	err := s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM parts), (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
		EXISTS (SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus'), EXISTS (SELECT 1 FROM meta WHERE key = $1)`, MoveMark).
		Scan(&parts, &now, &citus, &moving)
	if err != nil {
		return err
	}
	if moving {
		return errMoving
	}
	if parts < 1 {
		return fmt.Errorf("the database has %d parts", parts)
	}
	s.parts, s.split = parts, citus || s.cfg.split
	for p := range parts {
		s.allParts = append(s.allParts, p)
	}
	s.seqs.set(at, now)
	return nil
}

// Parts implements store.Store.
func (s *Store) Parts() int { return s.parts }

// PartOf implements store.Store.
func (s *Store) PartOf(thing string) int { return PartOf(thing, s.parts) }

// acquire returns a connection that the caller must release.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	within, cancel := context.WithTimeout(ctx, acquireTime)
	defer cancel()
	conn, err := s.pool.Acquire(within)
	if err != nil {
		err = explained(s.pool.Config().ConnConfig, err)
		return nil, apierr.Wrap(apierr.Unavailable, fmt.Errorf("%w: %w", errNoConnection, err), "No connection to the database.")
	}
	return conn, nil
}

// unserved returns the error of an attempt that has got no connection: a caller
// who has left in the meantime is no fault.
func unserved(ctx context.Context, err error) (failed, fault error) {
	if ctx.Err() != nil {
		return ctx.Err(), nil
	}
	return nil, err
}

// release ends the transaction of a connection, if one is open, and hands it back.
func (s *Store) release(conn *pgxpool.Conn) {
	defer conn.Release() // closes one that is still in a transaction
	pc := conn.Conn().PgConn()
	if pc.IsClosed() || pc.IsBusy() {
		return
	}
	s.health.met.Store(time.Now().UnixMilli())
	if pc.TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
	defer cancel()
	_, err := conn.Exec(ctx, `ROLLBACK`)
	if err != nil {
		s.log.Debug("postgres: connection given up", "err", err)
	}
}

// enter notes a call under way. It fails once the store is closed.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return apierr.New(apierr.Unavailable, "The store is closed.")
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.calls.Wait()
	close(s.closing)
	for _, l := range s.lanes {
		close(l.calls)
	}
	s.loops.Wait()
	s.pool.Close()
	return nil
}
