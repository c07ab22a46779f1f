package sqlite

import (
	"muster/internal/apierr"
	"muster/internal/store"
)

const keyColumns = `id, sealed, name, created_at, disabled_at`

func keyRow(r row) (store.AccessKey, error) {
	return store.AccessKey{ID: r.text(0), Sealed: r.blob(1), Name: r.text(2), CreatedAt: r.int(3), DisabledAt: r.int(4)}, nil
}

func noKey(id string) error { return apierr.New(apierr.NotFound, "Access key %s not found.", id) }

// Key implements store.KeyReader.
func (r reader) Key(id string) (store.AccessKey, error) {
	return one(r.c, noKey(id), keyRow, `SELECT `+keyColumns+` FROM access_keys WHERE id = ?`, id)
}

// Keys implements store.KeyReader.
func (r reader) Keys() ([]store.AccessKey, error) {
	return all(r.c, keyRow, `SELECT `+keyColumns+` FROM access_keys ORDER BY created_at, id`)
}

// InsertKey implements store.KeyWriter.
func (t *tx) InsertKey(k store.AccessKey) error {
	sealed := k.Sealed
	if sealed == nil {
		sealed = []byte{}
	}
	n, err := t.c.exec(`INSERT INTO access_keys (`+keyColumns+`) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		k.ID, sealed, k.Name, k.CreatedAt, k.DisabledAt)
	if err == nil && n == 0 {
		err = apierr.New(apierr.AlreadyExists, "Access key %s already exists.", k.ID)
	}
	return err
}

// UpdateKey implements store.KeyWriter.
func (t *tx) UpdateKey(k store.AccessKey) error {
	n, err := t.c.exec(`UPDATE access_keys SET name = ?, disabled_at = ? WHERE id = ?`, k.Name, k.DisabledAt, k.ID)
	if err == nil && n == 0 {
		err = noKey(k.ID)
	}
	return err
}
