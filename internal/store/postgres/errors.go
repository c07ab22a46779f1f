package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"muster/internal/apierr"
)

// code returns the SQLSTATE of an error that the server has sent, or "".
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Codes that the driver acts on.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	divisionByZero       = "22012" // how a guard says that it has missed
	readOnly             = "25006"
	idleInTransaction    = "25P03"
	uniqueViolation      = "23505" // in a key that nobody may choose
	completionUnknown    = "40003"
	statementThere       = "42P05"
)

// errMissed says that a guard has missed: what was read is no longer so.
var errMissed = errors.New("postgres: a row is not as it was read")

// beaten reports whether an attempt has failed because of others, so that it is
// worth another.
func beaten(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected, divisionByZero, uniqueViolation:
		return true
	}
	return errors.Is(err, errMissed)
}

// passing says what is wrong, by code or class, where it may be right again later.
var passing = map[string]string{
	"08":    "The connection to the database is lost.",
	"53":    "The database is short of resources.",
	"57":    "The database does not work at the moment.",
	"58":    "The database cannot reach its files.",
	"25006": "The database is read-only.",
	"25P03": "The database has ended a transaction that took too long.",
	"55P03": "The database waits for a lock that another node holds.",
	"40001": "The database is too busy with conflicting changes.",
	"40P01": "The database is too busy with conflicting changes.",
	"22012": "The database is too busy with conflicting changes.",
	"40003": "The connection to the database is lost.",
	// Of another connection's statements: see checkPooler.
	"26000": "The pooler in front of the database does not keep prepared statements.",
	"42P05": "The pooler in front of the database does not keep prepared statements.",
}

// public returns an error of the database as the caller must see it.
func public(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*apierr.Error](err); ok {
		return err
	}
	c := code(err)
	text, may := passing[c]
	if !may && len(c) == 5 {
		text, may = passing[c[:2]]
	}
	switch {
	case may:
		return apierr.Wrap(apierr.Unavailable, err, "%s", text)
	case errors.Is(err, errMissed):
		return apierr.Wrap(apierr.Unavailable, err, "%s", passing[serializationFailure])
	case lost(err):
		return apierr.Wrap(apierr.Unavailable, err, "The connection to the database is lost.")
	}
	return err
}

// lost reports whether the connection that has met err is no longer good: the
// server, or something on the way to it, has gone.
func lost(err error) bool {
	if severed(err) {
		return true
	}
	c := code(err)
	return len(c) == 5 && (c[:2] == "08" || c[:3] == "57P" || c == readOnly || c == idleInTransaction)
}

// severed reports whether err comes from the connection itself.
func severed(err error) bool {
	if err == nil {
		return false
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err) // also the end of a context's time
	return refused || network || pgconn.SafeToRetry(err) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// errUnknown is in the error of a transaction whose connection was lost while it
// was committed: it is stored or not, so it must not be tried again.
var errUnknown = errors.New("postgres: the outcome of the commit is unknown")

// uncertain marks an error after which a transaction may be committed.
func uncertain(err error, unknown bool) error {
	if err != nil && unknown {
		return apierr.Wrap(apierr.Unavailable, fmt.Errorf("%w: %w", errUnknown, err), "The connection to the database is lost.")
	}
	return err
}

// answered reports whether err is what the server has said to a statement: then
// nothing that follows it has run.
func answered(err error) bool {
	_, ok := errors.AsType[*pgconn.PgError](err)
	return ok || pgconn.SafeToRetry(err)
}

// refused reports whether err is the server's refusal to commit. That it goes
// away at this moment is none, but that it had waited too long for the commit is.
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (cmp.Or(e.SeverityUnlocalized, e.Severity) == "ERROR" && e.Code != completionUnknown || e.Code == idleInTransaction) || pgconn.SafeToRetry(err)
}
