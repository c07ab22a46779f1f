package postgres

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// distributed are the tables with parts. The first one says how they are spread.
var distributed = []string{
	"parts", "live", "finished", "heads", "deadlines", "dirty", "work", "things", "members", "changes", "counts", "marks",
}

// Distribute spreads the tables with parts over the workers of Citus, all parts
// of a number together, and keeps the jobs, which statements on those tables
// read, on each worker. Other tables stay where they are. It reports whether the
// database has Citus; without it, it does nothing. It may be called again.
//
// No test has run this: there is no Citus where our tests run.
func Distribute(ctx context.Context, url string, log *slog.Logger) (bool, error) {
	conn, _, err := connect(ctx, Config{URL: url})
	if err != nil {
		return false, err
	}
	defer hangUp(conn)
	var citus bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citus')`).Scan(&citus)
	if err != nil || !citus {
		return false, err
	}
	for i, table := range distributed {
		with := distributed[0]
		if i == 0 {
			with = "none"
		}
		err = distribute(ctx, conn, log, table, `SELECT create_distributed_table($1::text::regclass, 'part', colocate_with => $2)`, table, with)
		if err != nil {
			return true, err
		}
	}
	return true, distribute(ctx, conn, log, "jobs", `SELECT create_reference_table($1::text::regclass)`, "jobs")
}

// distribute runs a statement that distributes a table, unless it is distributed already.
func distribute(ctx context.Context, conn *pgx.Conn, log *slog.Logger, table, sql string, args ...any) error {
	var done bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = $1::text::regclass)`, table).Scan(&done)
	if err == nil && !done {
		_, err = conn.Exec(ctx, sql, args...)
		log.Info("postgres: distributed", "table", table, "err", err)
	}
	if err != nil {
		return fmt.Errorf("postgres: distribute table %s: %w", table, err)
	}
	return nil
}
