package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are never changed once released.
//
// Nodes of the version before may still run while a step is taken, and for as
// long as the new ones have not all been started. So a step only expands: new
// tables, new columns with a default, new indexes. What nobody of the version
// before reads or writes any more may be taken away by a step of the version
// after (contract).
type migration struct {
	version int
	name    string
	text    string
}

// migrations returns the steps in order. Their numbers start at 1 and have no gaps.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // in lexical order
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for i, name := range names {
		digits, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.Atoi(digits)
		if err != nil || v != i+1 {
			return nil, fmt.Errorf("postgres: migration %s should have number %d", name, i+1)
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{v, name, string(text)})
	}
	return all, nil
}

// Migrate brings the schema of a database up to date. A new one gets the given
// number of parts; 0 is 64. It may run on several nodes at once.
func Migrate(ctx context.Context, url string, parts int, log *slog.Logger) error {
	return prepare(ctx, Config{URL: url, Parts: parts}, log)
}

// Status returns the version of a database's schema, 0 for an empty one, and the
// version that this program works with.
func Status(ctx context.Context, url string) (have, want int, err error) {
	steps, err := migrations()
	if err != nil {
		return 0, 0, err
	}
	conn, _, err := connect(ctx, Config{URL: url})
	if err != nil {
		return 0, 0, err
	}
	defer hangUp(conn)
	have, err = schemaVersion(ctx, conn)
	return have, len(steps), err
}

// prepare checks the schema and, unless it is not to, brings it up to date.
func prepare(ctx context.Context, cfg Config, log *slog.Logger) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	conn, s, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	s.warn(log)
	for tries := 1; ; tries++ {
		have, err := schemaVersion(ctx, conn)
		switch {
		case err != nil:
			return fmt.Errorf("postgres: %w", denied(conn, s, err))
		case have == len(steps):
			return nil
		case have > len(steps):
			return fmt.Errorf("postgres: the database has schema version %d, but this Muster knows versions up to %d: use the newer Muster that wrote it, or a backup", have, len(steps))
		case cfg.NoMigrate:
			return fmt.Errorf("postgres: the database has schema version %d, and this Muster needs %d: run muster migrate", have, len(steps))
		}
		err = steps[have].apply(ctx, conn, cfg.Parts)
		switch {
		case err == nil:
			log.Info("postgres: migrated", "step", steps[have].name)
			tries = 0
			continue
		case occupied(err) && tries > maxRaces:
			return fmt.Errorf("postgres: the schema holds something that is not Muster's: choose an empty one (search_path): %w", err)
		case !raced(err):
			return fmt.Errorf("postgres: migration %s: %w", steps[have].name, denied(conn, s, err))
		}
		select { // another node is at it
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10*time.Millisecond + rand.N(50*time.Millisecond)):
		}
	}
}

// maxRaces is how often a step may find something in its place. Another node
// that takes it has done so, or has failed, by the second time.
const maxRaces = 10

// occupied reports whether a step has failed because something of that name is there.
func occupied(err error) bool {
	switch code(err) {
	case "42P07", "42710", "42P06":
		return true
	}
	return false
}

// raced reports whether a step has failed because another node takes it, too.
func raced(err error) bool {
	switch code(err) {
	case "23505", "42P07", "42710", "42P06", serializationFailure, deadlockDetected:
		return true
	}
	return errors.Is(err, errStepTaken)
}

// connect opens a connection outside the pool, for the schema: a step may take
// longer than any statement of a store. It fails if the server is none that a
// store can work with.
func connect(ctx context.Context, cfg Config) (*pgx.Conn, server, error) {
	pc, err := poolConfig(cfg)
	if err != nil {
		return nil, server{}, err
	}
	for _, name := range []string{"statement_timeout", "lock_timeout"} {
		delete(pc.ConnConfig.RuntimeParams, name)
	}
	conn, err := pgx.ConnectConfig(ctx, pc.ConnConfig)
	if err != nil {
		return nil, server{}, fmt.Errorf("postgres: %w", explained(pc.ConnConfig, err))
	}
	s, err := survey(ctx, conn)
	if err == nil {
		err = s.fault()
	}
	if err != nil {
		hangUp(conn)
		return nil, server{}, err
	}
	return conn, s, nil
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
	defer cancel()
	_ = conn.Close(ctx) // nothing is under way
}

// schemaVersion returns the version of the schema, 0 for an empty database.
func schemaVersion(ctx context.Context, conn *pgx.Conn) (int, error) {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'meta')`).Scan(&exists)
	if err != nil {
		return 0, err
	}
	if !exists {
		other, err := hidden(ctx, conn)
		if err == nil && other != "" {
			err = fmt.Errorf("there is an installation in schema %s, and another schema comes before it: set search_path to the one that is meant", other)
		}
		return 0, err
	}
	var v int
	err = conn.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'version'`).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) || code(err) == "42703" { // no such column
		return 0, errors.New("the schema has a table called meta that is not Muster's: choose another schema (search_path)")
	}
	return v, err
}

// denied adds to an error what to do if the role may not do what it must.
func denied(conn *pgx.Conn, s server, err error) error {
	if code(err) != "42501" {
		return err
	}
	user := pgx.Identifier{conn.Config().User}.Sanitize()
	return fmt.Errorf("%w: the role must own the tables, or be able to make them: GRANT USAGE, CREATE ON SCHEMA %s TO %s",
		err, pgx.Identifier{s.schema}.Sanitize(), user)
}

// errStepTaken says that another node has taken a step in the meantime.
var errStepTaken = errors.New("postgres: another node has migrated")

// apply takes a step in a transaction, in which the row of the version is locked:
// of the nodes that start at the same moment, one takes it and the others wait.
func (m migration) apply(ctx context.Context, conn *pgx.Conn, parts int) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if m.version == 1 {
			_, err := tx.Exec(ctx, `CREATE TABLE meta (key text PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 50)`)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('version', 0), ('probe', 0), ('counted', 0)`)
			if err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, `UPDATE meta SET value = $1 WHERE key = 'version' AND value = $1 - 1`, m.version)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return errStepTaken
		}
		_, err = tx.Exec(ctx, m.text)
		if err != nil || m.version != 1 {
			return err
		}
		return makeParts(ctx, tx, parts)
	})
}

// makeParts makes the row of each part. How many there are is fixed from then on.
func makeParts(ctx context.Context, tx pgx.Tx, parts int) error {
	if parts <= 0 {
		parts = 64
	}
	for p := range parts {
		_, err := tx.Exec(ctx, `INSERT INTO parts (part, node, fence) VALUES ($1, '', 0)`, p)
		if err != nil {
			return err
		}
	}
	return nil
}
