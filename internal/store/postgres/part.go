package postgres

import "hash/fnv"

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
