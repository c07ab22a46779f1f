package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

const account = "123456789012"

var operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIATEST", Account: account, Region: "us-east-1", Service: "iot"}

// clock stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(1_700_000_000_000)
	return c
}

func (c *clock) Now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// bench is a registry on a database of its own.
type bench struct {
	*registry.Registry
	store   store.Store
	clock   *clock // engine time
	wall    *clock
	changed *atomic.Int64
	config  registry.Config
}

func setup(t *testing.T, change ...func(*registry.Config)) *bench {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Parts: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	sealer, err := auth.NewSealer(make([]byte, auth.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{store: s, clock: newClock(), wall: newClock(), changed: new(atomic.Int64)}
	b.config = registry.Config{
		Store: s, UIDs: new(job.UIDs), Now: b.clock.Now, Wall: b.wall.Now, Sealer: sealer, Account: account,
		Endpoint: "iot.example.com", DeleteTypeWait: thing.DeleteTypeWait, Changed: func(...int) { b.changed.Add(1) },
	}
	for _, f := range change {
		f(&b.config)
	}
	b.Registry = registry.New(b.config)
	return b
}

// things registers things with the names given.
func (b *bench) things(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := b.CreateThing(t.Context(), operator, registry.CreateThingInput{Spec: thing.Spec{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// groups makes groups: "a" is a root, "a/b" is b below a.
func (b *bench) groups(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		names := strings.Split(path, "/")
		in := registry.CreateThingGroupInput{GroupSpec: thing.GroupSpec{Name: names[len(names)-1]}}
		if len(names) > 1 {
			in.Parent = names[len(names)-2]
		}
		if _, err := b.CreateThingGroup(t.Context(), operator, in); err != nil {
			t.Fatal(err)
		}
	}
}

// add puts things into a group.
func (b *bench) add(t *testing.T, group string, things ...string) {
	t.Helper()
	for _, name := range things {
		err := b.AddThingToThingGroup(t.Context(), operator, registry.Ref{Name: name}, registry.Ref{Name: group})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sweep drives the group sweep until nothing is due.
func (b *bench) sweep(t *testing.T) {
	t.Helper()
	loop := b.GroupSweep()
	for {
		at, err := loop.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if at.IsZero() {
			return
		}
		if _, err := loop.Once(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
}

// changes returns what was left for the engine, in order.
func (b *bench) changes(t *testing.T) []thing.Change {
	t.Helper()
	var all []thing.Change
	b.read(t, func(rd store.Reader) error {
		all = nil
		for part := range b.store.Parts() {
			cs, err := rd.Changes(part, 1_000_000)
			if err != nil {
				return err
			}
			all = append(all, cs...)
		}
		return nil
	})
	slices.SortFunc(all, func(x, y thing.Change) int { return int(x.Seq - y.Seq) })
	return all
}

// told returns the changes as words, such as "joined t1 g".
func (b *bench) told(t *testing.T) []string {
	t.Helper()
	kinds := map[thing.ChangeKind]string{thing.Joined: "joined", thing.Left: "left", thing.Deleted: "deleted"}
	var words []string
	for _, c := range b.changes(t) {
		s := kinds[c.Kind] + " " + c.Thing
		b.read(t, func(rd store.Reader) error {
			for _, uid := range c.GroupPath {
				g, err := rd.GroupByUID(uid)
				if apierr.Is(err, apierr.NotFound) {
					g.Name = "gone"
				} else if err != nil {
					return err
				}
				s += " " + g.Name
			}
			return nil
		})
		words = append(words, s)
	}
	return words
}

func (b *bench) read(t *testing.T, fn func(store.Reader) error) {
	t.Helper()
	if err := b.store.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// together runs fn n times at once and returns the errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			errs[i] = fn(i)
		})
	}
	start.Done()
	done.Wait()
	return errs
}

// all reads a list page by page, limit entries at a time, and checks that no
// page is longer.
func all[T any](t *testing.T, limit int, list func(registry.Page) (registry.List[T], error)) []T {
	t.Helper()
	var out []T
	page := registry.Page{Limit: limit}
	for range 10_000 {
		l, err := list(page)
		if err != nil {
			t.Fatal(err)
		}
		if limit > 0 && len(l.Items) > limit {
			t.Fatalf("got a page of %d, want %d at most", len(l.Items), limit)
		}
		out = append(out, l.Items...)
		if l.Next == "" {
			return out
		}
		page.After = l.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// refused holds an error to its kind and to words that its message must have.
func refused(t *testing.T, err error, kind apierr.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want kind %v", kind)
	}
	if !apierr.Is(err, kind) {
		t.Fatalf("got %v, want kind %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got message %q, want %q in it", err, w)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

func arn(kind, name string) string {
	return "arn:aws:iot:us-east-1:" + account + ":" + kind + "/" + name
}

// TestAuthorization shows that each operation asks first, for the right action
// on the right resource, and goes no further when it is refused.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	var asked []string
	b := setup(t, func(c *registry.Config) {
		c.Store = nil // whoever touches it before asking panics
		c.Authorize = func(_ context.Context, p auth.Principal, action, resource string) error {
			asked = append(asked, action+" "+resource)
			return auth.Denied(p, action, resource)
		}
	})
	ctx, p, page := t.Context(), operator, registry.Page{}
	thingRef, groupRef := registry.Ref{Name: "x"}, registry.Ref{Name: "g"}
	onThing, onGroup, onType := arn("thing", "x"), arn("thinggroup", "g"), arn("thingtype", "y")
	tests := []struct {
		action, resource string
		call             func() error
	}{
		{"iot:CreateThing", onThing, func() error {
			_, err := b.CreateThing(ctx, p, registry.CreateThingInput{Spec: thing.Spec{Name: "x"}})
			return err
		}},
		{"iot:DescribeThing", onThing, func() error { _, err := b.DescribeThing(ctx, p, "x"); return err }},
		{"iot:UpdateThing", onThing, func() error { _, err := b.UpdateThing(ctx, p, "x", thing.Update{}); return err }},
		{"iot:DeleteThing", onThing, func() error { return b.DeleteThing(ctx, p, "x", nil) }},
		{"iot:ListThings", "*", func() error { _, err := b.ListThings(ctx, p, registry.ThingFilter{}, page); return err }},
		{"iot:CreateThingType", onType, func() error { _, err := b.CreateThingType(ctx, p, thing.TypeSpec{Name: "y"}, nil); return err }},
		{"iot:DescribeThingType", onType, func() error { _, err := b.DescribeThingType(ctx, p, "y"); return err }},
		{"iot:UpdateThingType", onType, func() error { return b.UpdateThingType(ctx, p, "y", thing.TypeUpdate{}) }},
		{"iot:DeprecateThingType", onType, func() error { return b.DeprecateThingType(ctx, p, "y", false) }},
		{"iot:DeleteThingType", onType, func() error { return b.DeleteThingType(ctx, p, "y") }},
		{"iot:ListThingTypes", "*", func() error { _, err := b.ListThingTypes(ctx, p, "", page); return err }},
		{"iot:CreateThingGroup", onGroup, func() error {
			_, err := b.CreateThingGroup(ctx, p, registry.CreateThingGroupInput{GroupSpec: thing.GroupSpec{Name: "g"}})
			return err
		}},
		{"iot:DescribeThingGroup", onGroup, func() error { _, err := b.DescribeThingGroup(ctx, p, "g"); return err }},
		{"iot:UpdateThingGroup", onGroup, func() error { _, err := b.UpdateThingGroup(ctx, p, "g", thing.GroupUpdate{}); return err }},
		{"iot:DeleteThingGroup", onGroup, func() error { return b.DeleteThingGroup(ctx, p, "g", nil) }},
		{"iot:ListThingGroups", "*", func() error { _, err := b.ListThingGroups(ctx, p, registry.GroupFilter{}, page); return err }},
		{"iot:AddThingToThingGroup", onThing, func() error { return b.AddThingToThingGroup(ctx, p, thingRef, groupRef) }},
		{"iot:RemoveThingFromThingGroup", onThing, func() error { return b.RemoveThingFromThingGroup(ctx, p, thingRef, groupRef) }},
		{"iot:UpdateThingGroupsForThing", onThing, func() error { return b.UpdateThingGroupsForThing(ctx, p, "x", []string{"g"}, nil) }},
		{"iot:ListThingsInThingGroup", onGroup, func() error { _, err := b.ListThingsInThingGroup(ctx, p, "g", true, page); return err }},
		{"iot:ListThingGroupsForThing", onThing, func() error { _, err := b.ListThingGroupsForThing(ctx, p, "x", page); return err }},
		{"iot:TagResource", onGroup, func() error { return b.TagResource(ctx, p, onGroup, nil) }},
		{"iot:UntagResource", onGroup, func() error { return b.UntagResource(ctx, p, onGroup, nil) }},
		{"iot:ListTagsForResource", onGroup, func() error { _, err := b.ListTagsForResource(ctx, p, onGroup, ""); return err }},
		{"iot:DescribeEndpoint", "*", func() error { _, err := b.DescribeEndpoint(ctx, p, ""); return err }},
		{"muster:CreateKey", "*", func() error { _, _, err := b.CreateKey(ctx, p, ""); return err }},
		{"muster:ListKeys", "*", func() error { _, err := b.ListKeys(ctx, p); return err }},
		{"muster:DisableKey", "*", func() error { _, err := b.DisableKey(ctx, p, "AKIA", true); return err }},
		{"muster:EnableKey", "*", func() error { _, err := b.EnableKey(ctx, p, "AKIA"); return err }},
	}
	for _, tt := range tests {
		asked = nil
		refused(t, tt.call(), apierr.Denied, tt.action, tt.resource)
		if want := []string{tt.action + " " + tt.resource}; !slices.Equal(asked, want) {
			t.Errorf("%s: asked for %q, want %q", tt.action, asked, want)
		}
	}
}

// Membership concerns a thing and a group: the right on one of them is not enough.
func TestMembershipAsksForBothSides(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *registry.Config) {
		c.Authorize = func(_ context.Context, p auth.Principal, action, resource string) error {
			if resource == arn("thinggroup", "closed") {
				return auth.Denied(p, action, resource)
			}
			return nil
		}
	})
	ctx, ref := t.Context(), func(name string) registry.Ref { return registry.Ref{Name: name} }
	refused(t, b.AddThingToThingGroup(ctx, operator, ref("x"), ref("closed")), apierr.Denied, "closed")
	refused(t, b.RemoveThingFromThingGroup(ctx, operator, ref("x"), ref("closed")), apierr.Denied, "closed")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "x", []string{"open", "closed"}, nil), apierr.Denied, "closed")
	refused(t, b.UpdateThingGroupsForThing(ctx, operator, "x", nil, []string{"closed"}), apierr.Denied, "closed")
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return names
}
