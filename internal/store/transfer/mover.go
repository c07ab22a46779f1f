package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"muster/internal/store/postgres"
	"muster/internal/store/sqlite"
)

// mover is one move under way.
type mover struct {
	ctx   context.Context
	from  *sqlite.Dump
	tx    pgx.Tx
	tell  func(Progress)
	parts int
	// homes are the parts of things by uid, of those that heads are kept of: a head
	// does not know the name that its part follows from.
	homes map[int64]int
	done  Progress
	moved []Table
}

// all moves and checks everything.
func (m *mover) all() error {
	err := m.begin()
	if err != nil {
		return err
	}
	for _, t := range tables {
		err = m.copy(t)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	for _, step := range []struct {
		name string
		move func() error
	}{{"work", m.work}, {"counts", m.counts}} {
		m.step("copying " + step.name)
		err = step.move()
		if err != nil {
			return fmt.Errorf("table %s: %w", step.name, err)
		}
	}
	return m.end()
}

// begin locks the mark, so that nobody else moves into the target, and looks at
// what there is to move.
func (m *mover) begin() error {
	_, err := m.tx.Exec(m.ctx, `UPDATE meta SET value = value + 1 WHERE key = $1`, postgres.MoveMark)
	if err != nil {
		return locked(err)
	}
	var encoding string
	err = m.tx.QueryRow(m.ctx, `SELECT current_setting('server_encoding'), (SELECT count(*) FROM parts)`).Scan(&encoding, &m.parts)
	if err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the target has the encoding %s: make a database with UTF8", encoding)
	}
	for _, t := range tables {
		n, err := m.int(`SELECT count(*) FROM ` + t.name)
		if err != nil {
			return err
		}
		m.done.Total += n
	}
	m.homes = make(map[int64]int)
	return m.from.Rows(`SELECT DISTINCT thing_uid FROM heads`, func(row []any) error {
		m.homes[integer(row[0])] = 0
		return nil
	})
}

// int returns the only value of the only row of a query of the source.
func (m *mover) int(query string) (n int64, err error) {
	err = m.from.Rows(query, func(row []any) error {
		n = integer(row[0])
		return nil
	})
	return n, err
}

func (m *mover) step(name string) {
	m.done.Step = name
	m.tell(m.done)
}

// end takes the mark away: from the commit on the target is an installation.
func (m *mover) end() error {
	_, err := m.tx.Exec(m.ctx, `DELETE FROM meta WHERE key = $1`, postgres.MoveMark)
	return err
}

// copy moves a table, row by row as it is read.
func (m *mover) copy(t table) error {
	m.step("copying " + t.name)
	l, err := m.layout(t)
	if err != nil {
		return err
	}
	var read sum
	next, stop := iter.Pull2(m.rows(l.query()))
	defer stop()
	_, err = m.tx.CopyFrom(m.ctx, pgx.Identifier{t.name}, l.names(), pgx.CopyFromFunc(func() ([]any, error) {
		row, err, ok := next()
		if !ok || err != nil {
			return nil, err
		}
		out := l.row(row)
		part := m.place(t, l, row)
		if l.part {
			out = append(out, part)
		}
		read.add(l.part, part, row)
		m.done.Done++
		if m.done.Done%500 == 0 {
			m.tell(m.done)
		}
		return out, nil
	}))
	if err != nil {
		return err
	}
	m.step("checking " + t.name)
	return m.check(t.name, t.name, l.exprs(), &read)
}

// errDone ends the reading of rows that nobody wants any more.
var errDone = errors.New("done")

// rows are the rows of a query of the source, or an error that ends them.
func (m *mover) rows(query string) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		err := m.from.Rows(query, func(row []any) error {
			if !yield(row, nil) {
				return errDone
			}
			return nil
		})
		if err != nil && !errors.Is(err, errDone) {
			yield(nil, err)
		}
	}
}

// place returns the part that a row belongs to in the target.
func (m *mover) place(t table, l *layout, row []any) int {
	switch t.place {
	case "":
		return 0
	case "thing_uid":
		return m.homes[integer(row[l.at(t.place)])] // a thing that has left no name: nobody asks for it again
	}
	name, _ := row[l.at(t.place)].(string)
	part := postgres.PartOf(name, m.parts)
	if i := l.at(t.uid); i >= 0 {
		uid := integer(row[i])
		if _, wanted := m.homes[uid]; wanted {
			m.homes[uid] = part
		}
	}
	return part
}

// check compares what was read with what is stored now. from is a table or
// another thing to select from, and exprs make its rows what sum has added.
func (m *mover) check(name, from string, exprs []string, read *sum) error {
	var rows int64
	var stored string
	err := m.tx.QueryRow(m.ctx, sumQuery(from, exprs)).Scan(&rows, &stored)
	if err != nil {
		return err
	}
	if rows != read.rows {
		return fmt.Errorf("%d rows are stored of the %d that were read", rows, read.rows)
	}
	if stored != read.String() {
		return fmt.Errorf("what is stored is not what was read: the checksums of %d rows are %s and %s", rows, stored, read)
	}
	m.moved = append(m.moved, Table{Name: name, Rows: rows, Sum: stored})
	return nil
}

func integer(v any) int64 {
	n, _ := v.(int64)
	return n
}
