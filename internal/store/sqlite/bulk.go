package sqlite

import (
	"strings"
)

// bulkRows is how many rows a bulk statement inserts at once.
const bulkRows = 50

// bulk is a statement that inserts rows, in the form for one and for bulkRows.
type bulk struct {
	one, many string
	width     int
}

// newBulk returns the statement that begins with head and has a tuple for each row.
func newBulk(head, tuple, tail string) bulk {
	return bulk{
		one:   head + ` VALUES ` + tuple + tail,
		many:  head + ` VALUES ` + tuple + strings.Repeat(`, `+tuple, bulkRows-1) + tail,
		width: strings.Count(tuple, `?`),
	}
}

// rowBuffer collects rows for a bulk statement.
type rowBuffer struct {
	bulk
	c    *conn
	args []any
}

func (b bulk) buffer(c *conn) *rowBuffer { return &rowBuffer{bulk: b, c: c} }

// add adds a row, which is stored now or at the end.
func (b *rowBuffer) add(values ...any) error {
	b.args = append(b.args, values...)
	if len(b.args) < b.width*bulkRows {
		return nil
	}
	_, err := b.c.exec(b.many, b.args...)
	b.args = b.args[:0]
	return err
}

// end stores the rows that are left.
func (b *rowBuffer) end() error {
	for i := 0; i < len(b.args); i += b.width {
		_, err := b.c.exec(b.one, b.args[i:i+b.width]...)
		if err != nil {
			return err
		}
	}
	return nil
}
