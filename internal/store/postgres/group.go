package postgres

import (
	"encoding/json"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const groupColumns = `g.uid, g.name, g.id, g.path, g.version, g.created_at, g.description, g.attributes`

func readGroup(r row) (thing.Group, error) {
	var g thing.Group
	var path, attributes *string
	err := r.Scan(&g.UID, &g.Name, &g.ID, &path, &g.Version, &g.CreatedAt, &g.Description, &attributes)
	if err == nil {
		err = decode(path, &g.Path)
	}
	if err == nil {
		err = decode(attributes, &g.Attributes)
	}
	return g, err
}

func noGroup(name string) error {
	return apierr.New(apierr.NotFound, "Thing group %s not found.", name)
}

// GroupByName implements store.GroupReader.
func (r reader) GroupByName(name string) (thing.Group, error) {
	return one(r.c, noGroup(name), readGroup, `SELECT `+groupColumns+` FROM groups g WHERE name = $1`, name)
}

// GroupByUID implements store.GroupReader.
func (r reader) GroupByUID(uid int64) (thing.Group, error) {
	return one(r.c, apierr.New(apierr.NotFound, "Thing group not found."), readGroup, `SELECT `+groupColumns+` FROM groups g WHERE uid = $1`, uid)
}

// GroupByID implements store.GroupReader.
func (r reader) GroupByID(id string) (thing.Group, error) {
	return one(r.c, noGroup(id), readGroup, `SELECT `+groupColumns+` FROM groups g WHERE id = $1`, id)
}

// Groups implements store.GroupReader.
func (r reader) Groups(f store.GroupFilter, p store.Page[string]) (gs []thing.Group, next string, more bool, err error) {
	if f.Roots && f.ParentUID != 0 {
		return nil, "", false, nil
	}
	var found []thing.Group
	// Names with the prefix are a range of every order by name.
	from, to, look := max(p.After, f.Prefix), beyond(f.Prefix), p.Limit+1
	op := ` > `
	if from != p.After {
		op = ` >= `
	}
	switch {
	case f.Recursive && f.ParentUID != 0:
		found, err = some(r.c, look, readGroup, `SELECT `+groupColumns+` FROM subtrees s JOIN groups g ON g.uid = s.group_uid`+
			` WHERE s.ancestor_uid = $1 AND s.name`+op+`$2 AND s.name < $3 AND s.group_uid <> $1 ORDER BY s.name`, f.ParentUID, from, to)
	case f.Roots || f.ParentUID != 0:
		found, err = some(r.c, look, readGroup, `SELECT `+groupColumns+` FROM groups g WHERE parent_uid = $1 AND name`+op+`$2 AND name < $3 ORDER BY name`, f.ParentUID, from, to)
	default:
		found, err = some(r.c, look, readGroup, `SELECT `+groupColumns+` FROM groups g WHERE name`+op+`$1 AND name < $2 ORDER BY name`, from, to)
	}
	gs, more = cut(found, p.Limit)
	if len(gs) > 0 {
		next = gs[len(gs)-1].Name
	}
	return gs, next, more, err
}

// Children implements store.GroupReader.
func (r reader) Children(uid int64, most int) (int, error) {
	return r.c.count(most, `SELECT 1 FROM groups WHERE parent_uid = $1`, uid)
}

// Subtree implements store.GroupReader.
func (r reader) Subtree(uid, after int64, most int) ([]int64, error) {
	return some(r.c, most, readInt, `SELECT group_uid FROM subtrees WHERE ancestor_uid = $1 AND group_uid > $2 ORDER BY group_uid`, uid, after)
}

// DeadGroups implements store.GroupReader.
func (r reader) DeadGroups(most int) ([]int64, error) {
	return some(r.c, most, readInt, `SELECT uid FROM dead_groups WHERE uid > 0 ORDER BY uid`)
}

// InsertGroup implements store.GroupWriter. It touches the parent, so that of two
// who count its children at a time, or count none and delete it, one runs again.
func (t *tx) InsertGroup(g thing.Group) error {
	attributes, err := encode(g.Attributes, len(g.Attributes) == 0)
	if err != nil {
		return err
	}
	path, err := json.Marshal(g.Path)
	if err != nil {
		return err
	}
	if g.Parent() != 0 {
		err = t.c.post(`UPDATE groups SET version = version WHERE uid = $1`, g.Parent())
		if err != nil {
			return err
		}
	}
	n, err := t.c.exec(`INSERT INTO groups (uid, name, id, parent_uid, path, version, created_at, description, attributes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING`,
		g.UID, g.Name, g.ID, g.Parent(), string(path), g.Version, g.CreatedAt, g.Description, attributes)
	if err != nil {
		return err
	}
	if n == 0 {
		return apierr.New(apierr.AlreadyExists, "Thing group %s already exists.", g.Name)
	}
	return t.c.post(`INSERT INTO subtrees (ancestor_uid, group_uid, name) SELECT k.uid, $2, $3 FROM unnest($1::bigint[]) AS k(uid)`, g.Path, g.UID, g.Name)
}

// UpdateGroup implements store.GroupWriter.
func (t *tx) UpdateGroup(g thing.Group) error {
	attributes, err := encode(g.Attributes, len(g.Attributes) == 0)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE groups SET version = $2, description = $3, attributes = $4 WHERE uid = $1`, g.UID, g.Version, g.Description, attributes)
	if err == nil && n == 0 {
		err = noGroup(g.Name)
	}
	return err
}

// DeleteGroup implements store.GroupWriter.
func (t *tx) DeleteGroup(g thing.Group) error {
	n, err := t.c.exec(`DELETE FROM groups WHERE uid = $1`, g.UID)
	if err != nil || n == 0 {
		return err
	}
	path, err := json.Marshal(g.Path)
	if err != nil {
		return err
	}
	err = t.c.post(`DELETE FROM subtrees WHERE ancestor_uid = ANY($1::bigint[]) AND group_uid = $2`, g.Path, g.UID)
	if err != nil {
		return err
	}
	return t.c.post(`INSERT INTO dead_groups (uid, path) VALUES ($1, $2)`, g.UID, string(path))
}

// ForgetGroup implements store.GroupWriter.
func (t *tx) ForgetGroup(uid int64) error {
	return t.c.post(`DELETE FROM dead_groups WHERE uid = $1`, uid)
}

// DeadPath implements store.GroupWriter.
func (t *tx) DeadPath(uid int64) ([]int64, error) {
	return one(t.c, apierr.New(apierr.NotFound, "Thing group not found."), func(r row) ([]int64, error) {
		var text string
		var path []int64
		err := r.Scan(&text)
		if err == nil {
			err = decode(&text, &path)
		}
		return path, err
	}, `SELECT path FROM dead_groups WHERE uid = $1`, uid)
}

const memberColumns = `group_uid, thing_uid, uid, thing`

func readMember(r row) (thing.Member, error) {
	var m thing.Member
	err := r.Scan(&m.GroupUID, &m.ThingUID, &m.UID, &m.Thing)
	return m, err
}

// Members implements store.GroupReader.
func (r reader) Members(part int, groupUID, after int64, most int) ([]thing.Member, error) {
	return some(r.c, most, readMember, `SELECT `+memberColumns+` FROM members WHERE group_uid = $1 AND part = $2 AND thing_uid > $3 ORDER BY thing_uid`,
		groupUID, part, after)
}

// MembersByName implements store.GroupReader.
func (r reader) MembersByName(groupUID int64, p store.Page[string]) (ms []thing.Member, more bool, err error) {
	found, err := some(r.c, p.Limit+1, readMember, `SELECT `+memberColumns+` FROM members WHERE group_uid = $1 AND thing > $2 ORDER BY thing`, groupUID, p.After)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

// Memberships implements store.GroupReader.
func (r reader) Memberships(name string, thingUID int64) ([]thing.Member, error) {
	return all(r.c, readMember, `SELECT `+memberColumns+` FROM members WHERE part = $1 AND thing_uid = $2 ORDER BY group_uid`, r.s.PartOf(name), thingUID)
}

// InsertMember implements store.GroupWriter. It touches the thing, so that of two
// who count its groups at a time one runs again, and keeps the group: whoever
// deletes it waits, and its sweep then finds the member.
func (t *tx) InsertMember(m thing.Member) error {
	err := t.touchThing(m.Thing, m.ThingUID)
	if err != nil {
		return err
	}
	err = t.c.post(`SELECT 1 FROM groups WHERE uid = $1 FOR KEY SHARE`, m.GroupUID)
	if err != nil {
		return err
	}
	return t.c.post(`INSERT INTO members (part, group_uid, thing_uid, uid, thing) VALUES ($1, $2, $3, $4, $5)`,
		t.s.PartOf(m.Thing), m.GroupUID, m.ThingUID, m.UID, m.Thing)
}

// DeleteMember implements store.GroupWriter. No rollout may be at work on the
// thing for the group's sake meanwhile.
func (t *tx) DeleteMember(m thing.Member) error {
	part := t.s.PartOf(m.Thing)
	err := t.gate(part)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`DELETE FROM members WHERE part = $1 AND group_uid = $2 AND thing_uid = $3`, part, m.GroupUID, m.ThingUID)
	if err == nil && n == 0 && t.owner {
		err = t.c.fail(errMissed) // another has removed it since it was read
	}
	return err
}

// Changes implements store.ChangeReader.
func (r reader) Changes(part, most int) ([]thing.Change, error) {
	return some(r.c, most, func(r row) (thing.Change, error) {
		var c thing.Change
		var path *string
		err := r.Scan(&c.Seq, &c.Kind, &c.Thing, &c.ThingUID, &path)
		if err == nil {
			err = decode(path, &c.GroupPath)
		}
		return c, err
	}, `SELECT seq, kind, thing, thing_uid, group_path FROM changes WHERE part = $1 ORDER BY seq`, part)
}

// Pending implements store.ChangeReader.
func (r reader) Pending(part int, seqs []int64) ([]int64, error) {
	return all(r.c, readInt, `SELECT seq FROM changes WHERE part = $1 AND seq = ANY($2::bigint[])`, part, seqs)
}

// Newest implements store.ChangeWriter. It looks at the end of an index of each table.
func (t *tx) Newest(parts ...int) (int64, error) {
	return t.c.int(`SELECT greatest(0, (SELECT max(uid) FROM jobs), (SELECT max(uid) FROM members),
			max((SELECT max(seq) FROM changes x WHERE x.part = k.part)))
		FROM unnest($1::int[]) AS k(part)`, parts)
}

// AddChange implements store.ChangeWriter.
func (t *tx) AddChange(c thing.Change) error {
	path, err := encode(c.GroupPath, len(c.GroupPath) == 0)
	if err != nil {
		return err
	}
	return t.c.post(`INSERT INTO changes (part, seq, kind, thing, thing_uid, group_path) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.s.PartOf(c.Thing), c.Seq, int(c.Kind), c.Thing, c.ThingUID, path)
}

// DeleteChange implements store.ChangeWriter.
func (t *tx) DeleteChange(c thing.Change) error {
	return t.c.post(`DELETE FROM changes WHERE part = $1 AND seq = $2`, t.s.PartOf(c.Thing), c.Seq)
}
