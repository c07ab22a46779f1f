package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// settings are what every connection runs under. A node that hangs in a
// transaction must not hold up the others: the server ends it, and its locks go.
var settings = map[string]string{
	"application_name":                    "muster",
	"statement_timeout":                   "10s",
	"lock_timeout":                        "8s",
	"idle_in_transaction_session_timeout": "5s",
	"plan_cache_mode":                     "force_generic_plan", // every statement is made for any number of rows
	// A plan is kept for as long as the connection: one that was made while a table
	// was small must be good when it has grown.
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	"jit":              "off", // costs more than any statement
}

// poolConfig reads the address and says how connections are used.
func poolConfig(cfg Config) (*pgxpool.Config, error) {
	if cfg.URL == "" {
		return nil, errors.New("postgres: no address given")
	}
	if misread(cfg.URL) {
		return nil, errSpelling
	}
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", unreadable(err))
	}
	pc.MaxConns = 16
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(min(cfg.MaxConns, 10_000))
	}
	pc.MaxConnLifetime, pc.MaxConnLifetimeJitter = time.Hour, 10*time.Minute
	pc.MaxConnIdleTime = 5 * time.Minute
	// A connection that has died is found by the statement that meets it first,
	// which is tried again: asking before every use would cost a round trip.
	pc.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	cc := pc.ConnConfig
	err = checkMode(cc)
	if err != nil {
		return nil, err
	}
	cc.ConnectTimeout = connectTime
	cc.Tracer = cfg.tracer
	for name, value := range settings {
		if cc.RuntimeParams[name] == "" {
			cc.RuntimeParams[name] = value
		}
	}
	// We speak UTF-8, whatever is the default of the database or of the role.
	cc.RuntimeParams["client_encoding"] = "UTF8"
	// Of several servers we need the one that can be written to, also after another
	// one has become it, and whatever target_session_attrs says.
	cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	return pc, nil
}

// checkMode refuses the ways of running statements that do not work: results must
// be binary, so the types must have been asked for. One of those that are left
// keeps statements prepared on the server, and the others only ask for their
// types: they work behind a pooler that does not keep prepared statements.
func checkMode(cc *pgx.ConnConfig) error {
	const instead = "leave it out, or use default_query_exec_mode=cache_describe behind a pooler that does not keep prepared statements"
	switch mode := cc.DefaultQueryExecMode; {
	case mode == pgx.QueryExecModeExec:
		return errors.New("postgres: default_query_exec_mode=exec in the address would make wrong answers: " + instead)
	case mode == pgx.QueryExecModeSimpleProtocol:
		return errors.New("postgres: default_query_exec_mode=simple_protocol in the address would make wrong answers: " + instead)
	case mode == pgx.QueryExecModeCacheStatement && cc.StatementCacheCapacity <= 0:
		return errors.New("postgres: statement_cache_capacity=0 in the address would keep any statement from running: " + instead)
	case mode == pgx.QueryExecModeCacheDescribe && cc.DescriptionCacheCapacity <= 0:
		return errors.New("postgres: description_cache_capacity=0 in the address would keep any statement from running: leave it out")
	}
	return nil
}

// errSpelling stands for everything that is wrong with an address where its text
// cannot be shown, since a password may be anywhere in it.
var errSpelling = errors.New("postgres: the address cannot be read: it must be like postgres://user:password@host:5432/database, " +
	"with other characters than letters, digits, - and _ of user and password as in %40 for @")

// misread reports whether a part of a URL that ends with an @ has characters that
// end it before: most likely it is a password, of which some would be taken for a
// host or a database, and be shown.
func misread(address string) bool {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		return false
	}
	before, query, _ := strings.Cut(rest, "?")
	user, _, ok := cutLast(before, "@")
	if !ok {
		return strings.Contains(query, "@") && strings.Contains(before, ":")
	}
	return strings.ContainsAny(user, "/#@[] ")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// unreadable returns what is wrong with an address, without the address.
func unreadable(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); !ok {
		return err
	}
	_, why, ok := cutLast(err.Error(), "`: ")
	if !ok || strings.HasPrefix(why, "failed to parse") || strings.HasPrefix(why, "invalid port") {
		return errSpelling
	}
	return fmt.Errorf("the address cannot be used: %s", strings.TrimPrefix(why, "failed to "))
}

// place says where a connection goes: servers, database, user.
func place(cc *pgx.ConnConfig) string {
	at := []string{hostPort(cc.Host, cc.Port)}
	for _, f := range cc.Fallbacks { // also the same server without TLS
		if a := hostPort(f.Host, f.Port); !slices.Contains(at, a) {
			at = append(at, a)
		}
	}
	return fmt.Sprintf("%s, database %q, user %q", strings.Join(at, ", "), cc.Database, cc.User)
}

func hostPort(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		_, file := pgconn.NetworkAddress(host, port)
		return file
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
