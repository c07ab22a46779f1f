package sqlite

import (
	"strings"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const thingColumns = `name, uid, id, type, version, created_at, attributes`

func thingRow(r row) (thing.Thing, error) {
	t := thing.Thing{Name: r.text(0), UID: r.int(1), ID: r.text(2), Type: r.text(3), Version: r.int(4), CreatedAt: r.int(5)}
	err := decode(r.text(6), &t.Attributes)
	return t, err
}

func noThing(name string) error { return apierr.New(apierr.NotFound, "Thing %s not found.", name) }

// ThingByName implements store.ThingReader.
func (r reader) ThingByName(name string) (thing.Thing, error) {
	return one(r.c, noThing(name), thingRow, `SELECT `+thingColumns+` FROM things WHERE part = ? AND name = ?`, r.s.PartOf(name), name)
}

// Things implements store.ThingReader.
func (r reader) Things(f store.ThingFilter, p store.Page[string]) (ts []thing.Thing, next string, more bool, err error) {
	look := lookAt(p.Limit, f.Attribute != "")
	var found []thing.Thing
	if f.Type == "" {
		found, err = all(r.c, thingRow, `SELECT `+thingColumns+` FROM things WHERE name > ? ORDER BY name LIMIT ? + 0`, p.After, look+1)
	} else {
		found, err = all(r.c, thingRow, `SELECT `+thingColumns+` FROM things WHERE type = ? AND type <> '' AND name > ? ORDER BY name LIMIT ? + 0`, f.Type, p.After, look+1)
	}
	ts, next, more = pageOf(found, look, p.Limit, func(t thing.Thing) string { return t.Name }, func(t thing.Thing) bool { return matchThing(f, t) })
	return ts, next, more, err
}

func matchThing(f store.ThingFilter, t thing.Thing) bool {
	if f.Attribute == "" {
		return true
	}
	v, ok := t.Attributes[f.Attribute]
	return ok && (v == f.Value || f.Prefix && strings.HasPrefix(v, f.Value))
}

// InsertThing implements store.ThingWriter.
func (t *tx) InsertThing(x thing.Thing) error {
	err := t.stores(x.UID)
	if err != nil {
		return err
	}
	attributes, err := encode(x.Attributes, len(x.Attributes) == 0)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO things (part, `+thingColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (part, name) DO NOTHING`,
		t.s.PartOf(x.Name), x.Name, x.UID, x.ID, x.Type, x.Version, x.CreatedAt, attributes)
	if err == nil && n == 0 {
		err = apierr.New(apierr.AlreadyExists, "Thing %s already exists.", x.Name)
	}
	return err
}

// UpdateThing implements store.ThingWriter.
func (t *tx) UpdateThing(x thing.Thing) error {
	attributes, err := encode(x.Attributes, len(x.Attributes) == 0)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE things SET type = ?, version = ?, attributes = ? WHERE part = ? AND name = ? AND uid = ?`,
		x.Type, x.Version, attributes, t.s.PartOf(x.Name), x.Name, x.UID)
	if err == nil && n == 0 {
		err = noThing(x.Name)
	}
	return err
}

// DeleteThing implements store.ThingWriter.
func (t *tx) DeleteThing(x thing.Thing) error {
	part := t.s.PartOf(x.Name)
	_, err := t.c.exec(`DELETE FROM things WHERE part = ? AND name = ? AND uid = ?`, part, x.Name, x.UID)
	if err != nil {
		return err
	}
	_, err = t.c.exec(`DELETE FROM members WHERE part = ? AND thing_uid = ?`, part, x.UID)
	return err
}
