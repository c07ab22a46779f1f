package postgres

// gate waits for the work on queues in some parts that is under way, and keeps
// more of it from beginning until the transaction ends. Whatever has read a
// queue before can then no longer commit.
func (t *tx) gate(parts ...int) error {
	var open []int
	for _, p := range parts {
		if !t.gates[p] {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return nil
	}
	err := t.s.together(open, func(parts []int) error {
		_, err := t.c.exec(`SELECT part FROM parts WHERE part = ANY($1::int[]) ORDER BY part FOR UPDATE`, parts)
		return err
	})
	if err != nil {
		return err
	}
	if t.gates == nil {
		t.gates = make(map[int]bool, len(open))
	}
	for _, p := range open {
		t.gates[p] = true
	}
	return nil
}

// together calls fn with parts that one statement may name: with all of them, or,
// on Citus, with one after another.
func (s *Store) together(parts []int, fn func([]int) error) error {
	if !s.split {
		return fn(parts)
	}
	for i := range parts {
		err := fn(parts[i : i+1])
		if err != nil {
			return err
		}
	}
	return nil
}
