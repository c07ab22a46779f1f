package sqlite

import (
	"cmp"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

const groupColumns = `uid, name, id, parent_uid, path, version, created_at, description, attributes`

func groupRow(r row) (thing.Group, error) {
	g := thing.Group{UID: r.int(0), Name: r.text(1), ID: r.text(2), Version: r.int(5), CreatedAt: r.int(6), Description: r.text(7)}
	err := decode(r.text(4), &g.Path)
	if err == nil {
		err = decode(r.text(8), &g.Attributes)
	}
	return g, err
}

func noGroup(name string) error {
	return apierr.New(apierr.NotFound, "Thing group %s not found.", name)
}

// GroupByName implements store.GroupReader.
func (r reader) GroupByName(name string) (thing.Group, error) {
	return one(r.c, noGroup(name), groupRow, `SELECT `+groupColumns+` FROM groups WHERE name = ?`, name)
}

// GroupByUID implements store.GroupReader.
func (r reader) GroupByUID(uid int64) (thing.Group, error) {
	return one(r.c, apierr.New(apierr.NotFound, "Thing group not found."), groupRow, `SELECT `+groupColumns+` FROM groups WHERE uid = ?`, uid)
}

// GroupByID implements store.GroupReader.
func (r reader) GroupByID(id string) (thing.Group, error) {
	return one(r.c, noGroup(id), groupRow, `SELECT `+groupColumns+` FROM groups WHERE id = ?`, id)
}

// Groups implements store.GroupReader.
func (r reader) Groups(f store.GroupFilter, p store.Page[string]) (gs []thing.Group, next string, more bool, err error) {
	if f.Roots && f.ParentUID != 0 {
		return nil, "", false, nil
	}
	var found []thing.Group
	// Names with the prefix are a range of every order by name.
	from, to, look := max(p.After, f.Prefix), beyond(f.Prefix), p.Limit+1
	op := ` > ?`
	if from != p.After {
		op = ` >= ?`
	}
	switch {
	case f.Recursive && f.ParentUID != 0:
		found, err = all(r.c, groupRow, `SELECT g.uid, g.name, g.id, g.parent_uid, g.path, g.version, g.created_at, g.description, g.attributes`+
			` FROM subtrees s CROSS JOIN groups g ON g.uid = s.group_uid`+
			` WHERE s.ancestor_uid = ? AND s.name`+op+` AND s.name < ? AND s.group_uid <> s.ancestor_uid ORDER BY s.name LIMIT ? + 0`, f.ParentUID, from, to, look)
	case f.Roots || f.ParentUID != 0:
		found, err = all(r.c, groupRow, `SELECT `+groupColumns+` FROM groups WHERE parent_uid = ? AND name`+op+` AND name < ? ORDER BY name LIMIT ? + 0`, f.ParentUID, from, to, look)
	default:
		found, err = all(r.c, groupRow, `SELECT `+groupColumns+` FROM groups WHERE name`+op+` AND name < ? ORDER BY name LIMIT ? + 0`, from, to, look)
	}
	gs, more = cut(found, p.Limit)
	if len(gs) > 0 {
		next = gs[len(gs)-1].Name
	}
	return gs, next, more, err
}

// Children implements store.GroupReader.
func (r reader) Children(uid int64, limit int) (int, error) {
	n, err := r.c.int(`SELECT count(*) FROM (SELECT 1 FROM groups WHERE parent_uid = ? LIMIT ? + 0)`, uid, limit)
	return int(n), err
}

// Subtree implements store.GroupReader.
func (r reader) Subtree(uid, after int64, limit int) ([]int64, error) {
	return all(r.c, readInt, `SELECT group_uid FROM subtrees WHERE ancestor_uid = ? AND group_uid > ? ORDER BY group_uid LIMIT ? + 0`, uid, after, limit)
}

// DeadGroups implements store.GroupReader.
func (r reader) DeadGroups(limit int) ([]int64, error) {
	return all(r.c, readInt, `SELECT uid FROM dead_groups WHERE uid > 0 ORDER BY uid LIMIT ? + 0`, limit)
}

// InsertGroup implements store.GroupWriter.
func (t *tx) InsertGroup(g thing.Group) error {
	err := t.stores(g.UID)
	if err != nil {
		return err
	}
	attributes, err := encode(g.Attributes, len(g.Attributes) == 0)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`INSERT INTO groups (`+groupColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
		g.UID, g.Name, g.ID, g.Parent(), list(g.Path), g.Version, g.CreatedAt, g.Description, attributes)
	if err != nil {
		return err
	}
	if n == 0 {
		return apierr.New(apierr.AlreadyExists, "Thing group %s already exists.", g.Name)
	}
	for _, ancestor := range g.Path {
		_, err = t.c.exec(`INSERT INTO subtrees (ancestor_uid, group_uid, name) VALUES (?, ?, ?)`, ancestor, g.UID, g.Name)
		if err != nil {
			return err
		}
	}
	return nil
}

// UpdateGroup implements store.GroupWriter.
func (t *tx) UpdateGroup(g thing.Group) error {
	attributes, err := encode(g.Attributes, len(g.Attributes) == 0)
	if err != nil {
		return err
	}
	n, err := t.c.exec(`UPDATE groups SET version = ?, description = ?, attributes = ? WHERE uid = ?`, g.Version, g.Description, attributes, g.UID)
	if err == nil && n == 0 {
		err = noGroup(g.Name)
	}
	return err
}

// DeleteGroup implements store.GroupWriter.
func (t *tx) DeleteGroup(g thing.Group) error {
	n, err := t.c.exec(`DELETE FROM groups WHERE uid = ?`, g.UID)
	if err != nil || n == 0 {
		return err
	}
	for _, ancestor := range g.Path {
		_, err = t.c.exec(`DELETE FROM subtrees WHERE ancestor_uid = ? AND group_uid = ?`, ancestor, g.UID)
		if err != nil {
			return err
		}
	}
	_, err = t.c.exec(`INSERT INTO dead_groups (uid, path) VALUES (?, ?)`, g.UID, list(g.Path))
	return err
}

// ForgetGroup implements store.GroupWriter.
func (t *tx) ForgetGroup(uid int64) error {
	_, err := t.c.exec(`DELETE FROM dead_groups WHERE uid = ?`, uid)
	return err
}

// DeadPath implements store.GroupWriter.
func (t *tx) DeadPath(uid int64) ([]int64, error) {
	return one(t.c, apierr.New(apierr.NotFound, "Thing group not found."), func(r row) ([]int64, error) {
		var path []int64
		err := decode(r.text(0), &path)
		return path, err
	}, `SELECT path FROM dead_groups WHERE uid = ?`, uid)
}

const memberColumns = `group_uid, thing_uid, uid, thing`

func memberRow(r row) (thing.Member, error) {
	return thing.Member{GroupUID: r.int(0), ThingUID: r.int(1), UID: r.int(2), Thing: r.text(3)}, nil
}

// Members implements store.GroupReader.
func (r reader) Members(part int, groupUID, after int64, limit int) ([]thing.Member, error) {
	return all(r.c, memberRow, `SELECT `+memberColumns+` FROM members WHERE group_uid = ? AND part = ? AND thing_uid > ? ORDER BY thing_uid LIMIT ? + 0`,
		groupUID, part, after, limit)
}

// MembersByName implements store.GroupReader.
func (r reader) MembersByName(groupUID int64, p store.Page[string]) (ms []thing.Member, more bool, err error) {
	found, err := all(r.c, memberRow, `SELECT `+memberColumns+` FROM members WHERE group_uid = ? AND thing > ? ORDER BY thing LIMIT ? + 0`,
		groupUID, p.After, p.Limit+1)
	ms, more = cut(found, p.Limit)
	return ms, more, err
}

// Memberships implements store.GroupReader.
func (r reader) Memberships(name string, thingUID int64) ([]thing.Member, error) {
	return all(r.c, memberRow, `SELECT `+memberColumns+` FROM members WHERE part = ? AND thing_uid = ? ORDER BY group_uid`, r.s.PartOf(name), thingUID)
}

// InsertMember implements store.GroupWriter.
func (t *tx) InsertMember(m thing.Member) error {
	err := t.stores(m.UID)
	if err != nil {
		return err
	}
	_, err = t.c.exec(`INSERT INTO members (group_uid, part, thing_uid, uid, thing) VALUES (?, ?, ?, ?, ?)`,
		m.GroupUID, t.s.PartOf(m.Thing), m.ThingUID, m.UID, m.Thing)
	return err
}

// DeleteMember implements store.GroupWriter.
func (t *tx) DeleteMember(m thing.Member) error {
	_, err := t.c.exec(`DELETE FROM members WHERE group_uid = ? AND part = ? AND thing_uid = ?`, m.GroupUID, t.s.PartOf(m.Thing), m.ThingUID)
	return err
}

// Changes implements store.ChangeReader.
func (r reader) Changes(part, limit int) ([]thing.Change, error) {
	return all(r.c, func(r row) (thing.Change, error) {
		c := thing.Change{Seq: r.int(0), Kind: thing.ChangeKind(r.int(1)), Thing: r.text(2), ThingUID: r.int(3)}
		err := decode(r.text(4), &c.GroupPath)
		return c, err
	}, `SELECT seq, kind, thing, thing_uid, group_path FROM changes WHERE part = ? ORDER BY seq LIMIT ? + 0`, part, limit)
}

// Pending implements store.ChangeReader.
func (r reader) Pending(part int, seqs []int64) ([]int64, error) {
	return all(r.c, readInt, `SELECT seq FROM json_each(?) k CROSS JOIN changes ON part = ? AND seq = k.value`, list(seqs), part)
}

// Newest implements store.ChangeWriter. There is one writer, so it remembers.
func (t *tx) Newest(...int) (int64, error) { return t.w.newest, nil }

// AddChange implements store.ChangeWriter.
func (t *tx) AddChange(c thing.Change) error {
	err := t.stores(cmp.Or(c.Seq, c.ThingUID))
	if err != nil {
		return err
	}
	path, err := encode(c.GroupPath, len(c.GroupPath) == 0)
	if err != nil {
		return err
	}
	_, err = t.c.exec(`INSERT INTO changes (part, seq, kind, thing, thing_uid, group_path) VALUES (?, ?, ?, ?, ?, ?)`,
		t.s.PartOf(c.Thing), c.Seq, int64(c.Kind), c.Thing, c.ThingUID, path)
	return err
}

// DeleteChange implements store.ChangeWriter.
func (t *tx) DeleteChange(c thing.Change) error {
	_, err := t.c.exec(`DELETE FROM changes WHERE part = ? AND seq = ?`, t.s.PartOf(c.Thing), c.Seq)
	return err
}
