package postgres

import "strconv"

// some reads the first rows of a query, n at most. The bound stands in the
// statement: a parameter would be planned for as a tenth of the table, which is
// cheaper to read from end to end and sort than by any index. So that there are
// few statements, there are few bounds.
func some[T any](c *session, n int, read func(row) (T, error), sql string, args ...any) ([]T, error) {
	if n <= 0 {
		return nil, nil
	}
	vs, err := all(c, read, sql+limit(n), args...)
	return vs[:min(n, len(vs))], err
}

// limit returns a clause for at least n rows. Lists look one row further than
// they are asked for, which is why the bounds are odd.
func limit(n int) string {
	for _, bound := range []int{1, 11, 51, 101, 251, 501} {
		if n <= bound {
			return ` LIMIT ` + strconv.Itoa(bound)
		}
	}
	return ` LIMIT ` + strconv.Itoa(n)
}

// count returns how many rows a query has, counting no further than most.
func (c *session) count(most int, sql string, args ...any) (int, error) {
	if most <= 0 {
		return 0, nil
	}
	n, err := c.int(`SELECT count(*) FROM (`+sql+limit(most)+`) AS x`, args...)
	return min(most, int(n)), err
}
