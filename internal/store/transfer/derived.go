package transfer

import (
	"cmp"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"muster/internal/store"
)

// work moves the background work. What is left to do of a job in a part there is
// left to do in every part here, from where the part that is furthest behind has
// come to: a step that is repeated changes nothing.
func (m *mover) work() error {
	var left []store.Work
	err := m.from.Rows(`SELECT job_uid, kind, seq, target, group_uid, thing_uid FROM work ORDER BY job_uid`, func(row []any) error {
		w := store.Work{
			JobUID: integer(row[0]), Kind: store.WorkKind(integer(row[1])), Seq: integer(row[2]),
			Cursor: store.Cursor{Target: int(integer(row[3])), GroupUID: integer(row[4]), ThingUID: integer(row[5])},
		}
		if n := len(left); n > 0 && left[n-1].JobUID == w.JobUID {
			left[n-1] = merge(left[n-1], w)
			return nil
		}
		left = append(left, w)
		return nil
	})
	if err != nil {
		return err
	}
	var read sum
	var rows [][]any
	for _, w := range left {
		for part := range m.parts {
			row := []any{w.JobUID, int64(w.Kind), w.Seq, int64(w.Cursor.Target), w.Cursor.GroupUID, w.Cursor.ThingUID}
			read.add(true, part, row)
			rows = append(rows, append(row, part))
		}
	}
	columns := []string{"job_uid", "kind", "seq", "target", "group_uid", "thing_uid", "part"}
	_, err = m.tx.CopyFrom(m.ctx, pgx.Identifier{"work"}, columns, pgx.CopyFromRows(rows))
	if err != nil {
		return err
	}
	exprs := []string{number("part")}
	for _, c := range columns[:len(columns)-1] {
		exprs = append(exprs, number(c))
	}
	return m.check("work", "work", exprs, &read)
}

// merge returns the work that covers what two parts have left to do for a job. Of
// different kinds the one that came later holds.
func merge(a, b store.Work) store.Work {
	if a.Seq < b.Seq {
		a, b = b, a
	}
	a.Cursor = slices.MinFunc([]store.Cursor{a.Cursor, b.Cursor}, func(x, y store.Cursor) int {
		return cmp.Or(cmp.Compare(x.Target, y.Target), cmp.Compare(x.GroupUID, y.GroupUID), cmp.Compare(within(x), within(y)))
	})
	return a
}

// within returns how far a cursor is in its group. The engine writes a negative
// uid for the end.
func within(c store.Cursor) int64 {
	if c.ThingUID < 0 {
		return math.MaxInt64
	}
	return c.ThingUID
}

// counts counts the executions by part, which the source has not done, and holds
// the sums to those of the source.
func (m *mover) counts() error {
	_, err := m.tx.Exec(m.ctx, `INSERT INTO counts (job_uid, part, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		SELECT job_uid, part, count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2), count(*) FILTER (WHERE status = 3),
			count(*) FILTER (WHERE status = 4), count(*) FILTER (WHERE status = 5), count(*) FILTER (WHERE status = 6),
			count(*) FILTER (WHERE status = 7), count(*) FILTER (WHERE status = 8)
		FROM (SELECT job_uid, part, status FROM live UNION ALL SELECT job_uid, part, status FROM finished) AS x
		GROUP BY job_uid, part`)
	if err != nil {
		return err
	}
	var read sum
	err = m.from.Rows(`SELECT job_uid, status, sum(n) FROM counts GROUP BY job_uid, status HAVING sum(n) <> 0`, func(row []any) error {
		read.add(false, 0, row)
		return nil
	})
	if err != nil {
		return err
	}
	m.step("checking counts")
	return m.check("counts", `(SELECT c.job_uid, v.status, sum(v.n) AS n
		FROM counts c CROSS JOIN LATERAL (VALUES (1, c.queued), (2, c.in_progress), (3, c.succeeded), (4, c.failed),
			(5, c.timed_out), (6, c.rejected), (7, c.removed), (8, c.canceled)) AS v(status, n)
		GROUP BY c.job_uid, v.status HAVING sum(v.n) <> 0) AS x`, []string{number("job_uid"), number("status"), number("n")}, &read)
}
