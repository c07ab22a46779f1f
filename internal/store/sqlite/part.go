package sqlite

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
	busy := make([]store.Busy, 0, len(parts))
	for _, part := range parts {
		b := store.Busy{Part: part}
		err := r.c.query(`SELECT EXISTS (SELECT 1 FROM changes WHERE part = ?), EXISTS (SELECT 1 FROM work WHERE part = ?),`+
			` EXISTS (SELECT 1 FROM dirty WHERE part = ?), ifnull((SELECT due FROM deadlines WHERE part = ? ORDER BY due LIMIT 1), 0)`, func(r row) error {
			b.Changes, b.Work, b.Dirty, b.Due = r.bool(0), r.bool(1), r.bool(2), r.int(3)
			return nil
		}, part, part, part, part)
		if err != nil {
			return nil, err
		}
		busy = append(busy, b)
	}
	return busy, nil
}
