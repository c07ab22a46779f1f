// Package transfer moves what one driver has stored into the database of
// another: from SQLite to PostgreSQL.
//
// Rows are streamed from one snapshot into one transaction, so that the target
// holds either nothing or everything, checked. While that lasts, and if it is
// broken off, a mark keeps servers from using the target. The source is only read.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
)

// Options say how to move. The zero value is good.
type Options struct {
	// Parts is the number of parts of a new target; 0 leaves it to the driver.
	Parts int
	// Progress, if not nil, is told how far it is, after every few hundred rows
	// and at each step. It must not block.
	Progress func(Progress)
	// Log is told of the steps of the schema; nil discards.
	Log *slog.Logger
}

// Progress says how far a move is.
type Progress struct {
	// Step is what is being done, in a few words.
	Step string
	// Done and Total count rows.
	Done, Total int64
}

// Table is what was moved of one table.
type Table struct {
	Name string
	// Rows is how many rows the source has, which have all been found in the target.
	Rows int64
	// Sum is a checksum of these rows, in any order. It is the same on both sides.
	Sum string
}

// Move moves the installation in a data folder into the PostgreSQL database at an
// address, which must be empty. No server may run on the folder. If it fails or
// is interrupted, nothing is in the target but a mark that says so, and Move can
// be called again.
func Move(ctx context.Context, dir, url string, o Options) (moved []Table, err error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	from, err := sqlite.OpenDump(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	err = postgres.Migrate(ctx, url, o.Parts, o.Log)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what is not committed by then is not to be
	err = announce(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		m := &mover{ctx: ctx, from: from, tx: tx, tell: o.Progress}
		err := m.all()
		moved = m.moved
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	o.Progress(Progress{Step: "collecting statistics"})
	_, err = conn.Exec(ctx, `ANALYZE `+strings.Join(all(), `, `))
	if err != nil { // the database will come to it
		o.Log.Warn("transfer: no statistics yet", "err", err)
	}
	return moved, nil
}

// locked says what it means that somebody else has locked the mark.
func locked(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "55P03" {
		return errors.New("another move into the target is under way, or has ended just now")
	}
	return err
}

// connect opens a connection that may take its time.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"application_name": "muster migrate", "client_encoding": "UTF8", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "2s",
	} {
		cfg.RuntimeParams[name] = value
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// announce marks an empty target as one that is being moved into, so that no
// server uses it. A mark that is there already is from a move that was broken off.
func announce(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, name := range all() {
			var used bool
			err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+name+`)`).Scan(&used)
			if err != nil {
				return err
			}
			if used {
				return fmt.Errorf("the target is not empty: its table %s has rows: choose another database or schema", name)
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, 0) ON CONFLICT (key) DO NOTHING`, postgres.MoveMark)
		return locked(err)
	})
}
