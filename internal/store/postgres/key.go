package postgres

import (
	"muster/internal/apierr"
	"muster/internal/store"
)

const keyColumns = `id, sealed, name, created_at, disabled_at`

func readKey(r row) (store.AccessKey, error) {
	var k store.AccessKey
	err := r.Scan(&k.ID, &k.Sealed, &k.Name, &k.CreatedAt, &k.DisabledAt)
	return k, err
}

func noKey(id string) error { return apierr.New(apierr.NotFound, "Access key %s not found.", id) }

// Key implements store.KeyReader.
func (r reader) Key(id string) (store.AccessKey, error) {
	return one(r.c, noKey(id), readKey, `SELECT `+keyColumns+` FROM access_keys WHERE id = $1`, id)
}

// Keys implements store.KeyReader.
func (r reader) Keys() ([]store.AccessKey, error) {
	return all(r.c, readKey, `SELECT `+keyColumns+` FROM access_keys ORDER BY created_at, id`)
}

// InsertKey implements store.KeyWriter.
func (t *tx) InsertKey(k store.AccessKey) error {
	n, err := t.c.exec(`INSERT INTO access_keys (`+keyColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING`,
		k.ID, blob(k.Sealed), k.Name, k.CreatedAt, k.DisabledAt)
	if err == nil && n == 0 {
		err = apierr.New(apierr.AlreadyExists, "Access key %s already exists.", k.ID)
	}
	return err
}

// UpdateKey implements store.KeyWriter.
func (t *tx) UpdateKey(k store.AccessKey) error {
	n, err := t.c.exec(`UPDATE access_keys SET name = $2, disabled_at = $3 WHERE id = $1`, k.ID, k.Name, k.DisabledAt)
	if err == nil && n == 0 {
		err = noKey(k.ID)
	}
	return err
}
