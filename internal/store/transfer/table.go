package transfer

import (
	"fmt"
	"slices"
	"strings"
)

// table is a table that both databases have. Columns of the same name hold the same.
type table struct {
	name string
	// place is the column that says in which part of the target a row belongs: the
	// name of a thing, or its uid. Empty is the first part, or a table without parts.
	place string
	// uid is the column with the uid of the thing that place names.
	uid string
	// adds are columns that the target has and the source has not.
	adds []added
	// drops are columns that the source has and the target has not.
	drops []string
}

type added struct {
	column string
	value  int64
}

// tables are all tables whose rows are moved one by one. Things that may tell
// the place of others come first.
var tables = []table{
	{name: "things", place: "name", uid: "uid"},
	{name: "live", place: "thing", uid: "thing_uid", adds: []added{{"turn", 1}}},
	{name: "finished", place: "thing", uid: "thing_uid", drops: []string{"armed"}},
	{name: "heads", place: "thing_uid"},
	{name: "deadlines", place: "thing"},
	{name: "dirty", place: "thing"},
	{name: "members", place: "thing"},
	{name: "changes", place: "thing"},
	{name: "marks"},
	{name: "jobs"},
	{name: "documents"},
	{name: "following"},
	{name: "types"},
	{name: "groups"},
	{name: "subtrees"},
	{name: "dead_groups"},
	{name: "tags"},
	{name: "access_keys"},
	{name: "sessions"},
	{name: "session_messages"},
	{name: "retained"},
}

// all returns the names of all tables that are empty in a new target.
func all() []string {
	names := []string{"work", "counts", "nodes"}
	for _, t := range tables {
		names = append(names, t.name)
	}
	return names
}

// layout is how the rows of a table are read and written.
type layout struct {
	table
	columns []string // in both, as they are read
	types   []string // in PostgreSQL
	part    bool     // the target has a part
}

// layout compares the columns of a table on both sides.
func (m *mover) layout(t table) (*layout, error) {
	var has []string
	err := m.from.Rows(`SELECT name FROM pragma_table_info('`+t.name+`')`, func(row []any) error {
		name, _ := row[0].(string)
		has = append(has, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	l := &layout{table: t}
	rows, err := m.tx.Query(m.ctx, `SELECT column_name::text, data_type::text FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`, t.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		err = rows.Scan(&name, &kind)
		if err != nil {
			return nil, err
		}
		switch {
		case name == "part":
			l.part = true
		case slices.Contains(has, name):
			l.columns, l.types = append(l.columns, name), append(l.types, kind)
		case !slices.ContainsFunc(t.adds, func(a added) bool { return a.column == name }):
			return nil, fmt.Errorf("the source has no column %s", name)
		}
	}
	for _, name := range has {
		if name != "part" && !slices.Contains(l.columns, name) && !slices.Contains(t.drops, name) {
			return nil, fmt.Errorf("the target has no column %s", name)
		}
	}
	return l, rows.Err()
}

// at returns the index of a column, or -1.
func (l *layout) at(column string) int { return slices.Index(l.columns, column) }

// query returns the statement that reads the rows.
func (l *layout) query() string { return `SELECT ` + strings.Join(l.columns, `, `) + ` FROM ` + l.name }

// names returns the columns that are written.
func (l *layout) names() []string {
	names := slices.Clone(l.columns)
	for _, a := range l.adds {
		names = append(names, a.column)
	}
	if l.part {
		names = append(names, "part")
	}
	return names
}

// row returns what is written of a row, but for its part.
func (l *layout) row(row []any) []any {
	out := make([]any, len(row), len(row)+len(l.adds)+1)
	for i, v := range row {
		if l.types[i] == "boolean" && v != nil {
			v = integer(v) != 0
		}
		out[i] = v
	}
	for _, a := range l.adds {
		out = append(out, a.value)
	}
	return out
}

// exprs returns expressions that make the rows in PostgreSQL what sum adds.
func (l *layout) exprs() []string {
	var exprs []string
	if l.part {
		exprs = append(exprs, number("part"))
	}
	for i, c := range l.columns {
		switch l.types[i] {
		case "boolean":
			c = number(c + `::int`)
		case "bytea":
			c = `coalesce('=' || encode(` + c + `, 'hex'), '~')`
		case "text":
			c = `coalesce('=' || ` + c + `, '~')`
		default:
			c = number(c)
		}
		exprs = append(exprs, c)
	}
	return exprs
}

// number returns an expression for a number as sum adds it.
func number(expr string) string { return `coalesce(` + expr + `::text, '~')` }
