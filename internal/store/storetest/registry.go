package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/store"
	"muster/internal/thing"
)

func testThings(t *testing.T, open Open) {
	t.Run("a thing is stored, updated and deleted", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x := b.newThing("Lamp_1:a-b")
		x.Type, x.Attributes = "lamp", map[string]string{"room": "7", "": "empty"}
		b.update(func(tx store.Tx) error { return tx.InsertThing(x) })
		same(t, "thing", read(b, func(r store.Reader) (thing.Thing, error) { return r.ThingByName(x.Name) }), x)
		kind(t, b.fails(func(tx store.Tx) error { return tx.InsertThing(b.newThing(x.Name)) }), apierr.AlreadyExists)

		x.Type, x.Attributes, x.Version = "", nil, 2
		b.update(func(tx store.Tx) error { return tx.UpdateThing(x) })
		same(t, "updated", read(b, func(r store.Reader) (thing.Thing, error) { return r.ThingByName(x.Name) }), x)

		b.update(func(tx store.Tx) error { return tx.DeleteThing(x) })
		kind(t, b.s.View(t.Context(), func(r store.Reader) error { _, err := r.ThingByName(x.Name); return err }), apierr.NotFound)
		kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateThing(x) }), apierr.NotFound)
	})
	t.Run("another thing of the same name is another", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		old := b.things("t", 1)[0]
		again := b.newThing(old.Name)
		b.update(func(tx store.Tx) error {
			check(t, tx.DeleteThing(old))
			return tx.InsertThing(again)
		})
		kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateThing(old) }), apierr.NotFound)
		b.update(func(tx store.Tx) error { return tx.DeleteThing(old) })
		same(t, "thing", read(b, func(r store.Reader) (thing.Thing, error) { return r.ThingByName(old.Name) }), again)
	})
	t.Run("names are told apart by case and ordered by bytes", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		want := []string{"-", "0", "A", "B", "_", "a", "a-", "a1", "aB", "ab"}
		b.update(func(tx store.Tx) error {
			for i := range want {
				check(t, tx.InsertThing(b.newThing(want[(i*7)%len(want)])))
			}
			return nil
		})
		var got []string
		for _, x := range pages(b, 3, func(r store.Reader, p store.Page[string]) ([]thing.Thing, string, bool, error) {
			return r.Things(store.ThingFilter{}, p)
		}) {
			got = append(got, x.Name)
		}
		same(t, "names", got, want)
	})
	t.Run("things are found by type and attribute", testThingFilters(open))
}

func testThingFilters(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var all []thing.Thing
		for i := range 120 {
			x := b.newThing(fmt.Sprintf("t%03d", i))
			x.Attributes = map[string]string{"n": fmt.Sprint(i), "half": fmt.Sprint(i % 2)}
			if i%10 == 0 {
				x.Type = "ten"
			}
			all = append(all, x)
		}
		b.update(func(tx store.Tx) error {
			for _, x := range all {
				check(t, tx.InsertThing(x))
			}
			return nil
		})
		for _, c := range []struct {
			name  string
			f     store.ThingFilter
			match func(i int, x thing.Thing) bool
		}{
			{"all", store.ThingFilter{}, func(int, thing.Thing) bool { return true }},
			{"type", store.ThingFilter{Type: "ten"}, func(i int, _ thing.Thing) bool { return i%10 == 0 }},
			{"no such type", store.ThingFilter{Type: "twenty"}, func(int, thing.Thing) bool { return false }},
			{"value", store.ThingFilter{Attribute: "half", Value: "1"}, func(i int, _ thing.Thing) bool { return i%2 == 1 }},
			{"prefix", store.ThingFilter{Attribute: "n", Value: "1", Prefix: true}, func(_ int, x thing.Thing) bool { return strings.HasPrefix(x.Attributes["n"], "1") }},
			{"no such attribute", store.ThingFilter{Attribute: "m", Prefix: true}, func(int, thing.Thing) bool { return false }},
			{"type and value", store.ThingFilter{Type: "ten", Attribute: "n", Value: "50"}, func(i int, _ thing.Thing) bool { return i == 50 }},
		} {
			var want []thing.Thing
			for i, x := range all {
				if c.match(i, x) {
					want = append(want, x)
				}
			}
			for _, limit := range []int{1, 7, 200} {
				got := pages(b, limit, func(r store.Reader, p store.Page[string]) ([]thing.Thing, string, bool, error) {
					return r.Things(c.f, p)
				})
				same(t, fmt.Sprintf("%s by %d", c.name, limit), got, want)
			}
		}
	}
}

func testTypes(t *testing.T, open Open) {
	b := setup(t, open)
	x := thing.Type{
		UID: b.next(), Name: "lamp", ID: "id", Description: "d", Searchable: []string{"a", "b"},
		Propagating: []thing.Propagation{{UserPropertyKey: "k", ThingAttribute: "a"}}, CreatedAt: t0,
	}
	plain := thing.Type{UID: b.next(), Name: "Plain", ID: "id2", CreatedAt: t0}
	b.update(func(tx store.Tx) error {
		check(t, tx.InsertType(x))
		return tx.InsertType(plain)
	})
	taken := x
	taken.UID = b.next()
	kind(t, b.fails(func(tx store.Tx) error { return tx.InsertType(taken) }), apierr.AlreadyExists)
	x.Description, x.Searchable, x.Propagating, x.DeprecatedAt = "e", nil, nil, t0+1
	b.update(func(tx store.Tx) error { return tx.UpdateType(x) })
	same(t, "type", read(b, func(r store.Reader) (thing.Type, error) { return r.TypeByName("lamp") }), x)
	list := named(func(r store.Reader, p store.Page[string]) ([]thing.Type, bool, error) { return r.Types(p) }, func(x thing.Type) string { return x.Name })
	for _, limit := range []int{1, 2, 3} {
		same(t, "list", pages(b, limit, list), []thing.Type{plain, x})
	}

	used := func(name string) bool {
		return read(b, func(r store.Reader) (bool, error) { return r.TypeUsed(name) })
	}
	lamp := b.newThing("t")
	lamp.Type = "lamp"
	b.update(func(tx store.Tx) error { return tx.InsertThing(lamp) })
	same(t, "used", []bool{used("lamp"), used("Plain"), used("")}, []bool{true, false, false})
	b.update(func(tx store.Tx) error {
		check(t, tx.DeleteThing(lamp))
		return tx.DeleteType(x.UID)
	})
	same(t, "used", used("lamp"), false)
	kind(t, b.s.View(t.Context(), func(r store.Reader) error { _, err := r.TypeByName("lamp"); return err }), apierr.NotFound)
	kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateType(x) }), apierr.NotFound)
}

// group stores a group below parent, which may be empty.
func (b *bundle) group(name string, parent thing.Group) thing.Group {
	b.Helper()
	uid := b.next()
	g := thing.Group{UID: uid, Name: name, ID: "id-" + name, Path: append(slices.Clone(parent.Path), uid), Version: 1, CreatedAt: t0}
	b.update(func(tx store.Tx) error { return tx.InsertGroup(g) })
	return g
}

func testGroups(t *testing.T, open Open) {
	t.Run("a group is stored and updated", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		g := b.group("g", b.group("root", thing.Group{}))
		kind(t, b.fails(func(tx store.Tx) error {
			return tx.InsertGroup(thing.Group{UID: b.uid.Load() + 1, Name: "g", ID: "x", Path: []int64{b.uid.Load() + 1}})
		}), apierr.AlreadyExists)
		g.Description, g.Attributes, g.Version = "d", map[string]string{"a": "b"}, 2
		b.update(func(tx store.Tx) error { return tx.UpdateGroup(g) })
		b.view(func(r store.Reader) error {
			for _, find := range []func() (thing.Group, error){
				func() (thing.Group, error) { return r.GroupByName("g") },
				func() (thing.Group, error) { return r.GroupByUID(g.UID) },
				func() (thing.Group, error) { return r.GroupByID(g.ID) },
			} {
				got, err := find()
				check(t, err)
				same(t, "group", got, g)
			}
			_, err := r.GroupByName("h")
			kind(t, err, apierr.NotFound)
			_, err = r.GroupByUID(1)
			kind(t, err, apierr.NotFound)
			_, err = r.GroupByID("h")
			kind(t, err, apierr.NotFound)
			return nil
		})
		g.UID = 1
		kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateGroup(g) }), apierr.NotFound)
	})
	t.Run("groups are found by place and prefix", testGroupTree(open))
	t.Run("a deleted group is gone at once and listed as dead", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		root := b.group("root", thing.Group{})
		g := b.group("g", root)
		x := b.things("t", 1)[0]
		m := thing.Member{UID: b.next(), GroupUID: g.UID, ThingUID: x.UID, Thing: x.Name}
		b.update(func(tx store.Tx) error {
			check(t, tx.InsertMember(m))
			return tx.DeleteGroup(g)
		})
		again := b.group("g", root)
		b.view(func(r store.Reader) error {
			_, err := r.GroupByUID(g.UID)
			kind(t, err, apierr.NotFound)
			dead, err := r.DeadGroups(10)
			check(t, err)
			same(t, "dead", dead, []int64{g.UID})
			tree, err := r.Subtree(root.UID, 0, 10)
			check(t, err)
			same(t, "tree", tree, []int64{root.UID, again.UID})
			ms, err := r.Members(b.s.PartOf(x.Name), g.UID, 0, 10)
			check(t, err)
			same(t, "members", ms, []thing.Member{m})
			return nil
		})
		b.update(func(tx store.Tx) error {
			path, err := tx.DeadPath(g.UID)
			check(t, err)
			same(t, "path", path, g.Path)
			_, err = tx.DeadPath(again.UID)
			kind(t, err, apierr.NotFound)
			check(t, tx.DeleteMember(m))
			return tx.ForgetGroup(g.UID)
		})
		same(t, "dead", read(b, func(r store.Reader) ([]int64, error) { return r.DeadGroups(10) }), nil)
	})
}

func testGroupTree(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		at := map[string]thing.Group{}
		// In the order of names, each below the one named.
		for _, g := range [][2]string{
			{"a", ""}, {"aa", "a"}, {"ab", "a"}, {"aba", "ab"}, {"abb", "ab"}, {"b", ""}, {"ba", "aba"}, {"c", ""}, {"ca", "a"},
		} {
			at[g[0]] = b.group(g[0], at[g[1]])
		}
		for _, c := range []struct {
			name string
			f    store.GroupFilter
			want string
		}{
			{"all", store.GroupFilter{}, "a aa ab aba abb b ba c ca"},
			{"prefix", store.GroupFilter{Prefix: "ab"}, "ab aba abb"},
			{"no such prefix", store.GroupFilter{Prefix: "abc"}, ""},
			{"roots", store.GroupFilter{Roots: true}, "a b c"},
			{"roots by prefix", store.GroupFilter{Roots: true, Prefix: "c"}, "c"},
			{"children", store.GroupFilter{ParentUID: at["a"].UID}, "aa ab ca"},
			{"children by prefix", store.GroupFilter{ParentUID: at["a"].UID, Prefix: "a"}, "aa ab"},
			{"descendants", store.GroupFilter{ParentUID: at["a"].UID, Recursive: true}, "aa ab aba abb ba ca"},
			{"descendants by prefix", store.GroupFilter{ParentUID: at["a"].UID, Recursive: true, Prefix: "ab"}, "ab aba abb"},
			{"descendants of a leaf", store.GroupFilter{ParentUID: at["b"].UID, Recursive: true}, ""},
		} {
			for _, limit := range []int{1, 2, 100} {
				var got []string
				for _, g := range pages(b, limit, func(r store.Reader, p store.Page[string]) ([]thing.Group, string, bool, error) {
					return r.Groups(c.f, p)
				}) {
					same(t, "group", g, at[g.Name])
					got = append(got, g.Name)
				}
				same(t, fmt.Sprintf("%s by %d", c.name, limit), got, strings.Fields(c.want))
			}
		}
		b.view(func(r store.Reader) error {
			for limit, want := range map[int]int{2: 2, 3: 3, 9: 3} {
				n, err := r.Children(at["a"].UID, limit)
				check(t, err)
				same(t, "children", n, want)
			}
			tree, err := r.Subtree(at["ab"].UID, 0, 2)
			check(t, err)
			same(t, "tree", tree, []int64{at["ab"].UID, at["aba"].UID})
			tree, err = r.Subtree(at["ab"].UID, at["aba"].UID, 9)
			check(t, err)
			same(t, "rest of the tree", tree, []int64{at["abb"].UID, at["ba"].UID})
			return nil
		})
	}
}

func testMembers(t *testing.T, open Open) {
	b := setup(t, open)
	g, h := b.group("g", thing.Group{}), b.group("h", thing.Group{})
	ts := b.things("t", 30)
	of := map[string][]thing.Member{}
	byPart := map[int][]thing.Member{}
	b.update(func(tx store.Tx) error {
		for i, x := range ts {
			m := thing.Member{UID: b.next(), GroupUID: g.UID, ThingUID: x.UID, Thing: x.Name}
			check(t, tx.InsertMember(m))
			of[x.Name] = append(of[x.Name], m)
			byPart[b.s.PartOf(x.Name)] = append(byPart[b.s.PartOf(x.Name)], m)
			if i%3 == 0 {
				m.UID, m.GroupUID = b.next(), h.UID
				check(t, tx.InsertMember(m))
				of[x.Name] = append(of[x.Name], m)
			}
		}
		return nil
	})
	for part, want := range byPart {
		var got []thing.Member
		for after := int64(0); ; {
			ms := read(b, func(r store.Reader) ([]thing.Member, error) { return r.Members(part, g.UID, after, 3) })
			got = append(got, ms...)
			if len(ms) < 3 {
				break
			}
			after = ms[len(ms)-1].ThingUID
		}
		same(t, fmt.Sprint("members in part ", part), got, want)
	}
	list := named(func(r store.Reader, p store.Page[string]) ([]thing.Member, bool, error) {
		return r.MembersByName(h.UID, p)
	},
		func(m thing.Member) string { return m.Thing })
	var want []thing.Member
	for i := 0; i < len(ts); i += 3 {
		want = append(want, of[ts[i].Name][1])
	}
	same(t, "members by name", pages(b, 4, list), want)

	x := ts[3]
	memberships := func() []thing.Member {
		return read(b, func(r store.Reader) ([]thing.Member, error) { return r.Memberships(x.Name, x.UID) })
	}
	same(t, "memberships", memberships(), of[x.Name])
	b.update(func(tx store.Tx) error { return tx.DeleteMember(of[x.Name][0]) })
	same(t, "after one is deleted", memberships(), of[x.Name][1:])
	b.update(func(tx store.Tx) error { return tx.DeleteThing(x) })
	same(t, "after the thing is deleted", memberships(), nil)
}

func testChanges(t *testing.T, open Open) {
	b := setup(t, open)
	ts := b.things("t", 20)
	want := map[int][]thing.Change{}
	b.update(func(tx store.Tx) error {
		for i, x := range ts {
			c := thing.Change{Seq: b.next(), Kind: thing.ChangeKind(1 + i%3), Thing: x.Name, ThingUID: x.UID}
			if c.Kind != thing.Deleted {
				c.GroupPath = []int64{1, int64(i)}
			}
			check(t, tx.AddChange(c))
			want[b.s.PartOf(x.Name)] = append(want[b.s.PartOf(x.Name)], c)
		}
		return nil
	})
	for part, cs := range want {
		changes := func(limit int) []thing.Change {
			return read(b, func(r store.Reader) ([]thing.Change, error) { return r.Changes(part, limit) })
		}
		same(t, "changes", changes(100), cs)
		same(t, "oldest", changes(1), cs[:1])
		b.update(func(tx store.Tx) error { return tx.DeleteChange(cs[0]) })
		same(t, "rest", changes(100), cs[1:])
		seqs := []int64{1}
		for _, c := range cs {
			seqs = append(seqs, c.Seq)
		}
		pending := func(seqs []int64) []int64 {
			return slices.Sorted(slices.Values(read(b, func(r store.Reader) ([]int64, error) { return r.Pending(part, seqs) })))
		}
		same(t, "pending", pending(seqs), seqs[2:])
		same(t, "pending of none", pending(nil), nil)
		same(t, "pending elsewhere", read(b, func(r store.Reader) ([]int64, error) { return r.Pending(part+1, seqs) }), nil)
	}
}

// testNewest stores uids that are far ahead of all others, as those of a node with
// a fast clock are.
func testNewest(t *testing.T, open Open) {
	b := setup(t, open)
	x := b.things("t", 1)[0]
	part := b.s.PartOf(x.Name)
	newest := func(tx store.Tx, parts ...int) int64 {
		uid, err := tx.Newest(parts...)
		check(t, err)
		return uid
	}
	b.update(func(tx store.Tx) error {
		newest(tx) // there may be nothing yet
		newest(tx, part)
		return nil
	})
	for _, c := range []struct {
		name  string
		store func(tx store.Tx, uid int64) error
	}{
		{"job", func(tx store.Tx, uid int64) error {
			j := b.newJob("j")
			j.UID = uid
			return tx.InsertJob(j, "{}")
		}},
		{"member", func(tx store.Tx, uid int64) error {
			return tx.InsertMember(thing.Member{UID: uid, GroupUID: 1, ThingUID: x.UID, Thing: x.Name})
		}},
		{"change", func(tx store.Tx, uid int64) error {
			return tx.AddChange(thing.Change{Seq: uid, Kind: thing.Left, Thing: x.Name, ThingUID: x.UID})
		}},
	} {
		b.uid.Add(24 * 60 * minute << 20)
		uid := b.next()
		b.update(func(tx store.Tx) error {
			check(t, c.store(tx, uid))
			if got := newest(tx, part); got < uid {
				t.Errorf("%s: newest %d in the transaction that stores %d", c.name, got, uid)
			}
			return nil
		})
		b.update(func(tx store.Tx) error {
			if got := newest(tx, part); got != uid {
				t.Errorf("%s: newest %d, want %d", c.name, got, uid)
			}
			if got := newest(tx); got != uid && c.name != "change" {
				t.Errorf("%s: newest %d without a part, want %d", c.name, got, uid)
			}
			return nil
		})
	}
}

func testTags(t *testing.T, open Open) {
	b := setup(t, open)
	tags := func(resource string) []store.Tag {
		return read(b, func(r store.Reader) ([]store.Tag, error) { return r.Tags(resource) })
	}
	b.update(func(tx store.Tx) error {
		check(t, tx.PutTags("job/1", []store.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: ""}}))
		check(t, tx.PutTags("job/11", []store.Tag{{Key: "z", Value: "2"}}))
		return tx.PutTags("job/1", []store.Tag{{Key: "b", Value: "3"}, {Key: "c", Value: "4"}})
	})
	same(t, "tags", tags("job/1"), []store.Tag{{Key: "a", Value: ""}, {Key: "b", Value: "3"}, {Key: "c", Value: "4"}})
	b.update(func(tx store.Tx) error { return tx.DeleteTags("job/1", []string{"a", "c", "nothing"}) })
	same(t, "after two are deleted", tags("job/1"), []store.Tag{{Key: "b", Value: "3"}})
	b.update(func(tx store.Tx) error { return tx.DeleteTags("job/1", []string{}) })
	same(t, "after none is deleted", tags("job/1"), []store.Tag{{Key: "b", Value: "3"}})
	b.update(func(tx store.Tx) error { return tx.DeleteTags("job/1", nil) })
	same(t, "after all are deleted", tags("job/1"), nil)
	same(t, "another's", tags("job/11"), []store.Tag{{Key: "z", Value: "2"}})
}

func testKeys(t *testing.T, open Open) {
	b := setup(t, open)
	first := store.AccessKey{ID: "ZZZ", Sealed: []byte{0, 255}, Name: "n", CreatedAt: t0}
	second := store.AccessKey{ID: "AAA", Sealed: []byte("sealed"), CreatedAt: t0 + 1}
	b.update(func(tx store.Tx) error {
		check(t, tx.InsertKey(second))
		return tx.InsertKey(first)
	})
	kind(t, b.fails(func(tx store.Tx) error { return tx.InsertKey(first) }), apierr.AlreadyExists)
	keys := func() []store.AccessKey { return read(b, store.Reader.Keys) }
	same(t, "keys", keys(), []store.AccessKey{first, second})
	first.Name, first.DisabledAt = "m", t0+2
	b.update(func(tx store.Tx) error { return tx.UpdateKey(first) })
	same(t, "key", read(b, func(r store.Reader) (store.AccessKey, error) { return r.Key("ZZZ") }), first)
	kind(t, b.fails(func(tx store.Tx) error { return tx.UpdateKey(store.AccessKey{ID: "BBB"}) }), apierr.NotFound)
	kind(t, b.s.View(t.Context(), func(r store.Reader) error { _, err := r.Key("BBB"); return err }), apierr.NotFound)
}
