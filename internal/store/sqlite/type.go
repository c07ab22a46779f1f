package sqlite

import (
	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const typeColumns = `uid, name, id, description, searchable, propagating, created_at, deprecated_at`

func typeRow(r row) (thing.Type, error) {
	t := thing.Type{UID: r.int(0), Name: r.text(1), ID: r.text(2), Description: r.text(3), CreatedAt: r.int(6), DeprecatedAt: r.int(7)}
	err := decode(r.text(4), &t.Searchable)
	if err == nil {
		err = decode(r.text(5), &t.Propagating)
	}
	return t, err
}

func noType(name string) error { return apierr.New(apierr.NotFound, "Thing type %s not found.", name) }

// TypeByName implements store.TypeReader.
func (r reader) TypeByName(name string) (thing.Type, error) {
	return one(r.c, noType(name), typeRow, `SELECT `+typeColumns+` FROM types WHERE name = ?`, name)
}

// Types implements store.TypeReader.
func (r reader) Types(p store.Page[string]) (ts []thing.Type, more bool, err error) {
	found, err := all(r.c, typeRow, `SELECT `+typeColumns+` FROM types WHERE name > ? ORDER BY name LIMIT ? + 0`, p.After, p.Limit+1)
	ts, more = cut(found, p.Limit)
	return ts, more, err
}

// TypeUsed implements store.TypeReader.
func (r reader) TypeUsed(name string) (bool, error) {
	n, err := r.c.int(`SELECT 1 FROM things WHERE type = ? AND type <> '' LIMIT 1`, name)
	return n == 1, err
}

// InsertType implements store.TypeWriter.
func (t *tx) InsertType(x thing.Type) error {
	err := t.stores(x.UID)
	if err != nil {
		return err
	}
	searchable, propagating, err := encodeType(x)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO types (`+typeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
		x.UID, x.Name, x.ID, x.Description, searchable, propagating, x.CreatedAt, x.DeprecatedAt)
	if err == nil && n == 0 {
		err = apierr.New(apierr.AlreadyExists, "Thing type %s already exists.", x.Name)
	}
	return err
}

func encodeType(x thing.Type) (searchable, propagating any, err error) {
	searchable, err = encode(x.Searchable, len(x.Searchable) == 0)
	if err != nil {
		return nil, nil, err
	}
	propagating, err = encode(x.Propagating, len(x.Propagating) == 0)
	return searchable, propagating, err
}

// UpdateType implements store.TypeWriter.
func (t *tx) UpdateType(x thing.Type) error {
	searchable, propagating, err := encodeType(x)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE types SET description = ?, searchable = ?, propagating = ?, created_at = ?, deprecated_at = ? WHERE uid = ?`,
		x.Description, searchable, propagating, x.CreatedAt, x.DeprecatedAt, x.UID)
	if err == nil && n == 0 {
		err = noType(x.Name)
	}
	return err
}

// DeleteType implements store.TypeWriter.
func (t *tx) DeleteType(uid int64) error {
	_, err := t.c.exec(`DELETE FROM types WHERE uid = ?`, uid)
	return err
}
