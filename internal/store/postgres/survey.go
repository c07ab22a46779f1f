package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// oldest is the oldest major version of PostgreSQL that has all that the
// statements use: AS MATERIALIZED and plan_cache_mode came with it.
const oldest = 12

// server is what has to be known of a database before it is used.
type server struct {
	version  int    // such as 150006
	release  string // such as 15.6
	encoding string // of the database
	schema   string // where tables are made; empty if there is none
	path     string // search_path
	commit   string // synchronous_commit
}

// survey asks for it.
func survey(ctx context.Context, conn *pgx.Conn) (s server, err error) {
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), coalesce(current_schema(), ''), current_setting('search_path'), current_setting('synchronous_commit')`).
		Scan(&s.version, &s.release, &s.encoding, &s.schema, &s.path, &s.commit)
	if err != nil {
		return s, fmt.Errorf("postgres: %w", err)
	}
	return s, nil
}

// fault returns why the database cannot be used, or nil.
func (s server) fault() error {
	switch {
	case s.version/10_000 < oldest:
		return fmt.Errorf("postgres: the server is version %s: Muster needs PostgreSQL %d or newer", s.release, oldest)
	case s.encoding != "UTF8":
		return fmt.Errorf("postgres: the database has encoding %s: Muster needs UTF8: create one with createdb --encoding=UTF8 --template=template0", s.encoding)
	case s.schema == "":
		return fmt.Errorf("postgres: search_path (%s) names no schema that is there and that the role may use: "+
			"CREATE SCHEMA, GRANT USAGE, or correct search_path in the address or of the role", s.path)
	}
	return nil
}

// warn says what is allowed but not what was promised.
func (s server) warn(log *slog.Logger) {
	if s.commit == "off" {
		log.Warn("postgres: synchronous_commit is off: what was answered may be lost if the database crashes")
	}
}

// hidden returns another schema of search_path that holds an installation, which
// a new one in the first schema would hide.
func hidden(ctx context.Context, conn *pgx.Conn) (schema string, err error) {
	err = conn.QueryRow(ctx, `SELECT coalesce(max(x.schemaname), '') FROM (
			SELECT schemaname FROM pg_catalog.pg_tables
			WHERE schemaname = ANY(current_schemas(false)) AND schemaname <> current_schema() AND tablename IN ('meta', 'parts', 'live')
			GROUP BY schemaname HAVING count(*) = 3) AS x`).Scan(&schema)
	return schema, err
}

// probeName is a statement that two connections prepare.
const probeName = "muster_probe"

// checkPooler returns an error if something between us and the server gives our
// connections to others, with the statements that are prepared there.
func (s *Store) checkPooler(ctx context.Context) error {
	if s.pool.Config().ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement || s.pool.Config().MaxConns < 2 {
		return nil
	}
	for range 2 {
		conn, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		defer s.release(conn)
		_, err = conn.Conn().Prepare(ctx, probeName, `SELECT 1`)
		switch {
		case code(err) == statementThere:
			return errForgetful
		case err != nil:
			return err
		}
		defer conn.Conn().Deallocate(ctx, probeName) //nolint:errcheck // or it stays there, in nobody's way
	}
	return nil
}

var errForgetful = errors.New("the pooler in front of the server does not keep prepared statements: " +
	"add default_query_exec_mode=cache_describe to the address, or use its mode session, or PgBouncer 1.21 with max_prepared_statements")
