package postgres

import (
	"hash/fnv"

	"muster/internal/store"
)

// PartOf returns the part of a thing among parts: FNV-1a of the name, modulo
// parts. It is fixed for ever, because rows are stored under it.
func PartOf(thing string, parts int) int {
	if parts <= 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(thing)) // cannot fail
	return int(h.Sum32() % uint32(parts))
}

// Busy implements store.PartReader.
func (r reader) Busy(parts []int) ([]store.Busy, error) {
	var busy []store.Busy
	err := r.s.together(parts, func(parts []int) error {
		// Ordered, or the planner takes it for cheap to come across a row by reading all.
		found, err := all(r.c, readBusy, `SELECT k.part, (SELECT x.seq FROM changes x WHERE x.part = k.part ORDER BY x.seq LIMIT 1) IS NOT NULL,
				(SELECT x.seq FROM work x WHERE x.part = k.part ORDER BY x.seq LIMIT 1) IS NOT NULL,
				(SELECT x.since FROM dirty x WHERE x.part = k.part ORDER BY x.since LIMIT 1) IS NOT NULL,
				coalesce((SELECT x.due FROM deadlines x WHERE x.part = k.part ORDER BY x.due LIMIT 1), 0)
			FROM unnest($1::int[]) WITH ORDINALITY AS k(part, i) ORDER BY k.i`, parts)
		busy = append(busy, found...)
		return err
	})
	return busy, err
}

func readBusy(r row) (store.Busy, error) {
	var b store.Busy
	err := r.Scan(&b.Part, &b.Changes, &b.Work, &b.Dirty, &b.Due)
	return b, err
}
