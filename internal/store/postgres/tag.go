package postgres

import (
	"muster/internal/store"
)

// Tags implements store.TagReader.
func (r reader) Tags(resource string) ([]store.Tag, error) {
	return all(r.c, func(r row) (store.Tag, error) {
		var g store.Tag
		err := r.Scan(&g.Key, &g.Value)
		return g, err
	}, `SELECT key, value FROM tags WHERE resource = $1 AND key <> '' ORDER BY key`, resource)
}

// PutTags implements store.TagWriter. How many tags a resource may have is
// decided by those it has. So whoever adds some also writes a row that is no tag
// (no key is empty), and of two who do so at a time one runs again.
func (t *tx) PutTags(resource string, tags []store.Tag) error {
	keys, values := []string{""}, []string{""}
	for _, g := range tags {
		keys, values = append(keys, g.Key), append(values, g.Value)
	}
	return t.c.post(`INSERT INTO tags (resource, key, value) SELECT $1, k.key, k.value FROM unnest($2::text[], $3::text[]) AS k(key, value)
		ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value`, resource, keys, values)
}

// DeleteTags implements store.TagWriter.
func (t *tx) DeleteTags(resource string, keys []string) error {
	if keys == nil {
		return t.c.post(`DELETE FROM tags WHERE resource = $1`, resource)
	}
	return t.c.post(`DELETE FROM tags WHERE resource = $1 AND key = ANY($2::text[])`, resource, keys)
}
