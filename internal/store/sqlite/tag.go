package sqlite

import (
	"muster/internal/store"
)

// Tags implements store.TagReader.
func (r reader) Tags(resource string) ([]store.Tag, error) {
	return all(r.c, func(r row) (store.Tag, error) {
		return store.Tag{Key: r.text(0), Value: r.text(1)}, nil
	}, `SELECT key, value FROM tags WHERE resource = ? ORDER BY key`, resource)
}

// PutTags implements store.TagWriter.
func (t *tx) PutTags(resource string, tags []store.Tag) error {
	for _, g := range tags {
		_, err := t.c.exec(`INSERT INTO tags (resource, key, value) VALUES (?, ?, ?) ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value`,
			resource, g.Key, g.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteTags implements store.TagWriter.
func (t *tx) DeleteTags(resource string, keys []string) error {
	if keys == nil {
		_, err := t.c.exec(`DELETE FROM tags WHERE resource = ?`, resource)
		return err
	}
	for _, k := range keys {
		_, err := t.c.exec(`DELETE FROM tags WHERE resource = ? AND key = ?`, resource, k)
		if err != nil {
			return err
		}
	}
	return nil
}
