package postgres

import (
	"strings"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const thingColumns = `name, uid, id, type, version, created_at, attributes`

func readThing(r row) (thing.Thing, error) {
	var t thing.Thing
	var attributes *string
	err := r.Scan(&t.Name, &t.UID, &t.ID, &t.Type, &t.Version, &t.CreatedAt, &attributes)
	if err == nil {
		err = decode(attributes, &t.Attributes)
	}
	return t, err
}

func noThing(name string) error { return apierr.New(apierr.NotFound, "Thing %s not found.", name) }

// ThingByName implements store.ThingReader.
func (r reader) ThingByName(name string) (thing.Thing, error) {
	return one(r.c, noThing(name), readThing, `SELECT `+thingColumns+` FROM things WHERE part = $1 AND name = $2`, r.s.PartOf(name), name)
}

// Things implements store.ThingReader.
func (r reader) Things(f store.ThingFilter, p store.Page[string]) (ts []thing.Thing, next string, more bool, err error) {
	look := lookAt(p.Limit, f.Attribute != "")
	var found []thing.Thing
	if f.Type == "" {
		found, err = some(r.c, look+1, readThing, `SELECT `+thingColumns+` FROM things WHERE name > $1 ORDER BY name`, p.After)
	} else {
		found, err = some(r.c, look+1, readThing, `SELECT `+thingColumns+` FROM things WHERE type = $1 AND type <> '' AND name > $2 ORDER BY name`, f.Type, p.After)
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
	attributes, err := encode(x.Attributes, len(x.Attributes) == 0)
	if err != nil {
		return err
	}
	err = t.useType(x.Type)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO things (part, `+thingColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (part, name) DO NOTHING`,
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
	err = t.useType(x.Type)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE things SET type = $4, version = $5, attributes = $6 WHERE part = $1 AND name = $2 AND uid = $3`,
		t.s.PartOf(x.Name), x.Name, x.UID, x.Type, x.Version, attributes)
	if err == nil && n == 0 {
		err = noThing(x.Name)
	}
	return err
}

// useType keeps a type as it was read until the transaction ends. Who deprecates
// it waits, so that nobody finds it unused while a thing is being given it.
func (t *tx) useType(name string) error {
	if name == "" {
		return nil
	}
	return t.c.post(`SELECT 1 FROM types WHERE name = $1 FOR SHARE`, name)
}

// DeleteThing implements store.ThingWriter.
func (t *tx) DeleteThing(x thing.Thing) error {
	part := t.s.PartOf(x.Name)
	err := t.gate(part)
	if err != nil {
		return err
	}
	err = t.c.post(`DELETE FROM things WHERE part = $1 AND name = $2 AND uid = $3`, part, x.Name, x.UID)
	if err != nil {
		return err
	}
	return t.c.post(`DELETE FROM members WHERE part = $1 AND thing_uid = $2`, part, x.UID)
}

// touchThing makes whoever else decides anything about a thing at the same time
// run again, as if the thing had been changed.
func (t *tx) touchThing(name string, uid int64) error {
	return t.c.post(`UPDATE things SET version = version WHERE part = $1 AND name = $2 AND uid = $3`, t.s.PartOf(name), name, uid)
}
