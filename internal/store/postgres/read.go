package postgres

// one reads the first row of a query, or returns missing if there is none.
func one[T any](c *session, missing error, read func(row) (T, error), sql string, args ...any) (T, error) {
	var v T
	found := false
	err := c.query(sql, func(r row) error {
		if found {
			return nil
		}
		var err error
		v, err = read(r)
		found = true
		return err
	}, args...)
	if err == nil && !found {
		err = missing
	}
	return v, err
}

// all reads every row of a query.
func all[T any](c *session, read func(row) (T, error), sql string, args ...any) ([]T, error) {
	var vs []T
	err := c.query(sql, func(r row) error {
		v, err := read(r)
		vs = append(vs, v)
		return err
	}, args...)
	return vs, err
}

// int returns the only value of the first row, or 0 if there is none.
func (c *session) int(sql string, args ...any) (int64, error) {
	return one(c, nil, readInt, sql, args...)
}

func readInt(r row) (int64, error) {
	var n int64
	err := r.Scan(&n)
	return n, err
}

func readText(r row) (string, error) {
	var s string
	err := r.Scan(&s)
	return s, err
}

// scanned is how many rows a filtered list looks at for one page, at least.
const scanned = 500

// lookAt returns how many rows a list looks at for a page.
func lookAt(limit int, filtered bool) int {
	if filtered {
		return max(limit, scanned)
	}
	return limit
}

// pageOf makes a page of the first look rows found: those that match, limit at
// most. next is the key of the last row looked at, and more says that there is
// at least one behind it. The caller has tried to find look+1 rows.
func pageOf[T, K any](found []T, look, limit int, key func(T) K, match func(T) bool) (page []T, next K, more bool) {
	for i, v := range found {
		if i == look || len(page) == limit {
			return page, next, true
		}
		next = key(v)
		if match(v) {
			page = append(page, v)
		}
	}
	return page, next, false
}

// beyond returns a string that is greater than every string with the prefix.
func beyond(prefix string) string { return prefix + "\U0010FFFF" }

// cut makes a page of limit rows of the limit+1 that the caller has tried to
// find, and says whether there are more.
func cut[T any](found []T, limit int) ([]T, bool) {
	if len(found) > limit {
		return found[:limit], true
	}
	return found, false
}
