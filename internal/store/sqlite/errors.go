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

// passing says what is wrong, by code, where it may be right again later.
var passing = map[int]string{
	lib.SQLITE_FULL:      "The database cannot grow: the disk is full.",
	lib.SQLITE_IOERR:     "The database file cannot be read or written.",
	lib.SQLITE_CANTOPEN:  "The database file cannot be opened.",
	lib.SQLITE_READONLY:  "The database is read-only.",
	lib.SQLITE_BUSY:      "The database is locked by another program.",
	lib.SQLITE_LOCKED:    "The database is locked by another program.",
	lib.SQLITE_PROTOCOL:  "The database is locked by another program.",
	lib.SQLITE_NOMEM:     "The database is out of memory.",
	lib.SQLITE_INTERRUPT: "The database was interrupted.",
	lib.SQLITE_ABORT:     "The database was interrupted.",
}

// check returns an error of SQLite as the caller must see it. It remembers those
// after which SQLite may have rolled the transaction back by itself.
func (c *conn) check(err error) error {
	text, may := passing[code(err)]
	switch {
	case may:
		err = apierr.Wrap(apierr.Unavailable, err, "%s", text)
	case damaged(err):
		if c.hurt != nil {
			c.hurt(err)
		}
		err = fmt.Errorf("sqlite: the database file is damaged: %w", err)
	default:
		return err
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
