package storetest

import (
	"errors"
	"fmt"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// testSkew shows that what transactions decide at the same moment holds as if
// they had decided one after another, also where they write different rows.
func testSkew(t *testing.T, open Open) {
	// atMost lets many insert something at once, each only if there are fewer than
	// three, and returns how many there are then.
	const most = 3
	atMost := func(b *bundle, count func(store.Tx) (int, error), insert func(tx store.Tx, i int) error) {
		race(func(i int) {
			check(b.T, b.s.Update(b.Context(), func(tx store.Tx) error {
				n, err := count(tx)
				if err != nil || n >= most {
					return err
				}
				return insert(tx, i)
			}))
		})
		b.update(func(tx store.Tx) error {
			n, err := count(tx)
			same(b.T, "how many", n, most)
			return err
		})
	}
	t.Run("children of a group", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		parent := b.group("parent", thing.Group{})
		atMost(b, func(tx store.Tx) (int, error) { return tx.Children(parent.UID, 100) }, func(tx store.Tx, i int) error {
			uid := b.next()
			return tx.InsertGroup(thing.Group{UID: uid, Name: fmt.Sprint("child", i), ID: fmt.Sprint(i), Path: []int64{parent.UID, uid}})
		})
	})
	t.Run("groups of a thing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		x := b.things("t", 1)[0]
		var groups []thing.Group
		for i := range racers {
			groups = append(groups, b.group(fmt.Sprint("g", i), thing.Group{}))
		}
		atMost(b, func(tx store.Tx) (int, error) {
			ms, err := tx.Memberships(x.Name, x.UID)
			return len(ms), err
		}, func(tx store.Tx, i int) error {
			return tx.InsertMember(thing.Member{UID: b.next(), GroupUID: groups[i].UID, ThingUID: x.UID, Thing: x.Name})
		})
	})
	t.Run("tags of a resource", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		atMost(b, func(tx store.Tx) (int, error) {
			tags, err := tx.Tags("r")
			return len(tags), err
		}, func(tx store.Tx, i int) error { return tx.PutTags("r", []store.Tag{{Key: fmt.Sprint("k", i)}}) })
	})
	t.Run("jobs that are deleted at a time", func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		var jobs []job.Job
		for i := range racers {
			jobs = append(jobs, b.job(fmt.Sprint("j", i)))
		}
		atMost(b, func(tx store.Tx) (int, error) { return tx.CountJobs(job.Deleting, 100) }, func(tx store.Tx, i int) error {
			j := jobs[i]
			j.State = job.Deleting
			return tx.UpdateJob(j)
		})
	})
	t.Run("a group is deleted or gets a child", testOrphans(open))
	t.Run("a thing is deleted or joins a group", testGhosts(open))
	t.Run("a type is deleted or given to a thing", testTypeless(open))
}

// found turns apierr.NotFound into false.
func found(err error) (bool, error) {
	if apierr.Is(err, apierr.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func testOrphans(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		for round := range 20 {
			parent := b.group(fmt.Sprint("parent", round), thing.Group{})
			name := fmt.Sprint("child", round)
			race(func(i int) {
				check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
					there, err := found(func() error { _, err := tx.GroupByUID(parent.UID); return err }())
					if err != nil || !there {
						return err
					}
					n, err := tx.Children(parent.UID, 1)
					switch {
					case err != nil || n > 0:
						return err
					case i%2 == 0:
						return tx.DeleteGroup(parent)
					}
					uid := b.next()
					return tx.InsertGroup(thing.Group{UID: uid, Name: name, ID: name, Path: []int64{parent.UID, uid}})
				}))
			})
			b.view(func(r store.Reader) error {
				parent, err1 := found(func() error { _, err := r.GroupByUID(parent.UID); return err }())
				child, err2 := found(func() error { _, err := r.GroupByName(name); return err }())
				if child != parent {
					t.Errorf("round %d: parent %t, child %t: want both or neither", round, parent, child)
				}
				return errors.Join(err1, err2)
			})
		}
	}
}

func testGhosts(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		g := b.group("g", thing.Group{})
		for _, x := range b.things("t", 20) {
			race(func(i int) {
				check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
					there, err := found(func() error { _, err := tx.ThingByName(x.Name); return err }())
					if err != nil || !there {
						return err
					}
					if i%8 == 0 {
						return tx.DeleteThing(x)
					}
					ms, err := tx.Memberships(x.Name, x.UID)
					if err != nil || len(ms) > 0 {
						return err
					}
					return tx.InsertMember(thing.Member{UID: b.next(), GroupUID: g.UID, ThingUID: x.UID, Thing: x.Name})
				}))
			})
			same(t, "memberships", read(b, func(r store.Reader) ([]thing.Member, error) { return r.Memberships(x.Name, x.UID) }), nil)
		}
	}
}

func testTypeless(open Open) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		b := setup(t, open)
		for round := range 20 {
			typ := thing.Type{UID: b.next(), Name: fmt.Sprint("type", round), ID: "i"}
			x := b.newThing(fmt.Sprint("t", round))
			x.Type = typ.Name
			b.update(func(tx store.Tx) error { return tx.InsertType(typ) })
			race(func(i int) {
				check(t, b.s.Update(t.Context(), func(tx store.Tx) error {
					now, err := tx.TypeByName(typ.Name)
					if there, err := found(err); err != nil || !there {
						return err
					}
					used, err := tx.TypeUsed(typ.Name)
					switch {
					case err != nil || used:
						return err
					case now.DeprecatedAt != 0:
						return tx.DeleteType(typ.UID)
					case i%2 == 0:
						now.DeprecatedAt = t0
						return tx.UpdateType(now)
					}
					return tx.InsertThing(x)
				}))
			})
			b.view(func(r store.Reader) error {
				typ, err1 := found(func() error { _, err := r.TypeByName(typ.Name); return err }())
				x, err2 := found(func() error { _, err := r.ThingByName(x.Name); return err }())
				if x && !typ {
					t.Errorf("round %d: a thing has a type that was deleted", round)
				}
				return errors.Join(err1, err2)
			})
		}
	}
}
