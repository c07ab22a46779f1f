package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/internal/pgtest"
	"muster/internal/store/postgres"
)

// small are the tables that do not grow with the fleet or with its history.
var small = []string{"meta", "nodes", "parts", "types", "access_keys", "marks", "dead_groups", "pg_extension", "pg_tables", "pg_class", "pg_namespace"}

// checkPlans reads the plans of the statements that the suite has brought about,
// on a large database, and on one that is empty or small, because a plan is kept
// for as long as the connection on which it was made.
func checkPlans(t *testing.T, statements []string) {
	url := pgtest.URL(t)
	s := open(t, postgres.Config{URL: url})
	t.Run("empty", func(t *testing.T) { checkPlansAs(t, dialAs(t, s), statements) })
	grow(t, url, 100, 20)
	t.Run("small", func(t *testing.T) { checkPlansAs(t, dialAs(t, s), statements) })
	grow(t, url, 1_000_000, 50_000)
	t.Run("large", func(t *testing.T) { checkPlansAs(t, dialAs(t, s), statements) })
	t.Run("large, and free to choose", func(t *testing.T) { checkPlansAs(t, dial(t, s), statements) })
}

// dialAs connects with the settings of the store.
func dialAs(t *testing.T, s *postgres.Store) *pgx.Conn {
	t.Helper()
	c := dial(t, s)
	for name, value := range postgres.Settings {
		if _, err := c.Exec(t.Context(), `SET `+name+` = '`+value+`'`); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func checkPlansAs(t *testing.T, c *pgx.Conn, statements []string) {
	if _, err := c.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, sql := range statements {
		verb, _, _ := strings.Cut(strings.TrimLeft(sql, "("), " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}, verb) {
			continue
		}
		n++
		p, err := explain(t.Context(), c, fmt.Sprint("p", n), sql)
		if err != nil {
			t.Errorf("%s\n\t%v", sql, err)
			continue
		}
		for _, f := range p.faults() {
			t.Errorf("%s\n\t%s", sql, f)
		}
	}
	if n < 90 {
		t.Errorf("%d statements seen, want all", n)
	}
}

// plan is a step of what PostgreSQL says that it will do.
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Cond     string  `json:"Index Cond"`
	Rows     float64 `json:"Plan Rows"`
	Plans    []plan  `json:"Plans"`
}

// explain returns the plan of a statement for any parameters.
func explain(ctx context.Context, c *pgx.Conn, name, sql string) (plan, error) {
	d, err := c.Prepare(ctx, name, sql)
	if err != nil {
		return plan{}, err
	}
	execute := `EXPLAIN (FORMAT JSON) EXECUTE ` + name
	if n := len(d.ParamOIDs); n > 0 {
		execute += `(NULL` + strings.Repeat(`, NULL`, n-1) + `)`
	}
	var text []byte
	err = c.QueryRow(ctx, execute, pgx.QueryExecModeSimpleProtocol).Scan(&text)
	if err != nil {
		return plan{}, err
	}
	var ps []struct{ Plan plan }
	err = json.Unmarshal(text, &ps)
	return ps[0].Plan, err
}

// faults returns what is wrong with a plan: it reads a growing table from end to
// end, or sorts what it has not been given.
func (p plan) faults() []string {
	var fs []string
	if p.Node == "Seq Scan" && !slices.Contains(small, p.Relation) {
		fs = append(fs, "reads all of "+p.Relation)
	}
	// Which is what becomes of a scan of the table where that is discouraged.
	if strings.Contains(p.Node, "Index") && p.Cond == "" && !slices.ContainsFunc(small, func(table string) bool {
		return p.Relation == table || strings.HasPrefix(p.Index, table+"_") // a bitmap names the index alone
	}) {
		fs = append(fs, "reads all of index "+p.Index)
	}
	if p.Node == "Sort" && p.Rows > 5000 {
		fs = append(fs, fmt.Sprintf("sorts %.0f rows", p.Rows))
	}
	if p.Node == "Hash" && p.Rows > 5000 {
		fs = append(fs, fmt.Sprintf("hashes %.0f rows", p.Rows))
	}
	for _, q := range p.Plans {
		fs = append(fs, q.faults()...)
	}
	return fs
}

// grow fills the tables that grow anew, with so many executions and so much of the rest.
func grow(t *testing.T, url string, live, rest int) {
	t.Helper()
	run(t, url, `TRUNCATE jobs, documents, following, counts, live, finished, heads, deadlines, dirty, work, things, groups,
		subtrees, members, changes, tags, sessions, session_messages, retained`)
	for _, q := range []struct {
		n   int
		sql string
	}{
		{rest, `INSERT INTO jobs SELECT i, 'job' || i, '', i, i % 5 + 1, false, 0, 1, i, 0, '', '', '', '[]' FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO documents SELECT i, 'x' FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO following SELECT i % 5000, i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO counts SELECT i / 64, i % 64, 5, 5, 5, 5, 5, 5, 5, 5 FROM generate_series(1, $1::int) i`},
		{live, `INSERT INTO live SELECT i % 64, i / 2, i % 2, i % 5000, 1, 1, false, 1, 0, 0, 0, 0, 0, 0, 1, 'thing' || i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO finished SELECT i % 64, i / 2, i % 2, i % 5000, 1, 3, false, 1, 0, 0, 0, 0, 0, 'thing' || i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO heads SELECT i % 5000, i % 64, i, 1, 0 FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO deadlines SELECT i % 64, i, i, 1, 1, 'thing' || i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO dirty SELECT i % 64, i, '', 'thing' || i, i, i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO work SELECT i % 64, i / 64, 1, i, 0, 0, 0 FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO things SELECT i % 64, 'thing' || i, i, i, CASE WHEN i % 3 = 0 THEN 'type' || i % 10 ELSE '' END, 1, 0 FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO groups SELECT i, 'group' || i, i, i / 10, '[]', 1, 0, '' FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO subtrees SELECT i / 10, i, 'group' || i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO members SELECT i % 100, i % 64, i, i, 'thing' || i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO changes SELECT i % 64, i, 1, 'thing' || i, i FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO tags SELECT 'job/' || i / 5, i, 'x' FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO sessions SELECT decode(md5(i::text), 'hex'), i, 5, 0, 0, NULL, 'node' || i % 5, 1 FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO session_messages SELECT decode(md5((i / 5)::text), 'hex'), i, false, 0, 'x' FROM generate_series(1, $1::int) i`},
		{rest, `INSERT INTO retained SELECT 'topic/' || i, i, 0, 'x' FROM generate_series(1, $1::int) i`},
	} {
		run(t, url, strings.ReplaceAll(q.sql, "$1", fmt.Sprint(q.n)))
	}
	run(t, url, `ANALYZE`)
}
