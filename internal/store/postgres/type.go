package postgres

import (
	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const typeColumns = `uid, name, id, description, searchable, propagating, created_at, deprecated_at`

func readType(r row) (thing.Type, error) {
	var t thing.Type
	var searchable, propagating *string
	err := r.Scan(&t.UID, &t.Name, &t.ID, &t.Description, &searchable, &propagating, &t.CreatedAt, &t.DeprecatedAt)
	if err == nil {
		err = decode(searchable, &t.Searchable)
	}
	if err == nil {
		err = decode(propagating, &t.Propagating)
	}
	return t, err
}

func noType(name string) error { return apierr.New(apierr.NotFound, "Thing type %s not found.", name) }

// TypeByName implements store.TypeReader.
func (r reader) TypeByName(name string) (thing.Type, error) {
	return one(r.c, noType(name), readType, `SELECT `+typeColumns+` FROM types WHERE name = $1`, name)
}

// Types implements store.TypeReader.
func (r reader) Types(p store.Page[string]) (ts []thing.Type, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readType, `SELECT `+typeColumns+` FROM types WHERE name > $1 ORDER BY name`, p.After)
	ts, more = cut(found, p.Limit)
	return ts, more, err
}

// TypeUsed implements store.TypeReader.
func (r reader) TypeUsed(name string) (bool, error) {
	n, err := r.c.count(1, `SELECT 1 FROM things WHERE type = $1 AND type <> '' ORDER BY name`, name)
	return n == 1, err
}

// InsertType implements store.TypeWriter.
func (t *tx) InsertType(x thing.Type) error {
	searchable, propagating, err := encodeType(x)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO types (`+typeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING`,
		x.UID, x.Name, x.ID, x.Description, searchable, propagating, x.CreatedAt, x.DeprecatedAt)
	if err == nil && n == 0 {
		err = apierr.New(apierr.AlreadyExists, "Thing type %s already exists.", x.Name)
	}
	return err
}

func encodeType(x thing.Type) (searchable, propagating *string, err error) {
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
	n, err := t.c.exec(`UPDATE types SET description = $2, searchable = $3, propagating = $4, created_at = $5, deprecated_at = $6 WHERE uid = $1`,
		x.UID, x.Description, searchable, propagating, x.CreatedAt, x.DeprecatedAt)
	if err == nil && n == 0 {
		err = noType(x.Name)
	}
	return err
}

// DeleteType implements store.TypeWriter.
func (t *tx) DeleteType(uid int64) error {
	return t.c.post(`DELETE FROM types WHERE uid = $1`, uid)
}
