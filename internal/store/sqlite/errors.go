package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"muster/internal/apierr"
)

// code returns SQLite's primary result code of an error, or 0 if it is not from SQLite.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// check remembers an error after which SQLite may have rolled the transaction
// back by itself, and returns it as the caller must see it.
func (c *conn) check(err error) error {
	if err == nil {
		return nil
	}
	passing := true
	text := ""
	switch code(err) {
	case lib.SQLITE_FULL:
		text = "The database cannot grow: the disk is full."
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		text = "The database file cannot be read or written."
	case lib.SQLITE_READONLY:
		text = "The database is read-only."
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		text = "The database is locked by another program."
	case lib.SQLITE_NOMEM:
		text = "The database is out of memory."
	case lib.SQLITE_INTERRUPT, lib.SQLITE_ABORT:
		text = "The database was interrupted."
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		passing = false
	default:
		return err
	}
	if passing {
		err = apierr.Wrap(apierr.Unavailable, err, "%s", text)
	} else {
		err = fmt.Errorf("sqlite: the database file is damaged: %w", err)
	}
	if c.broken == nil {
		c.broken = err
	}
	return err
}

// damaged reports whether err says that the file is not a sound database.
func damaged(err error) bool {
	c := code(err)
	return c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB
}

// lost reports whether a connection that has met err should be opened anew: its
// view of the file may no longer be true.
func lost(err error) bool {
	switch code(err) {
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	}
	return false
}
