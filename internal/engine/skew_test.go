package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/apierr"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/registry"
	"muster/internal/store"
	"muster/internal/thing"
)

// skewed is some nodes on one store, whose clocks are apart.
type skewed struct {
	*world
	nodes []*node
}

// node is what one server has: an engine, a registry and a clock of their own.
type node struct {
	*engine.Engine
	registry *registry.Registry
	skewed   *skewed
}

// newSkewed returns a node for each clock, which is that of the test plus what is
// given. adjust may put something between all nodes and the store.
func newSkewed(t *testing.T, parts int, adjust func(store.Store) store.Store, clocks ...time.Duration) *skewed {
	t.Helper()
	s := &skewed{world: newWorld(t, parts)}
	over := s.store
	if adjust != nil {
		over = adjust(over)
	}
	for i, ahead := range clocks {
		n := &node{skewed: s}
		uids := new(job.UIDs)
		uids.SetSlot(i + 1)
		now := func() time.Time { return s.clock().Add(ahead) }
		var err error
		n.Engine, err = engine.New(t.Context(), engine.Config{Store: over, UIDs: uids, Account: "123456789012", Clock: engine.Clock{Now: now}})
		s.must(err)
		n.registry = registry.New(registry.Config{Store: over, UIDs: uids, Now: now, Account: "123456789012", Changed: n.Kick})
		s.nodes = append(s.nodes, n)
	}
	return s
}

// settle lets the loops of all nodes run until nothing is left.
func (s *skewed) settle() {
	s.t.Helper()
	for _, n := range s.nodes {
		n.Kick()
		n.Look()
		sweep := n.registry.GroupSweep()
		sweep.Look()
		s.must(n.Settle(s.ctx(), engine.Loop{Name: "group sweep", Next: sweep.Next, Once: sweep.Once}))
	}
}

// act is something that an operator asks of a node. Names begin with a word that
// keeps the runs on one store apart.
type act struct {
	name string
	do   func(ctx context.Context, n *node, in string) error
}

func joins(who, group string) act {
	return act{who + " joins " + group, func(ctx context.Context, n *node, in string) error {
		return n.registry.AddThingToThingGroup(ctx, operator, registry.Ref{Name: in + who}, registry.Ref{Name: in + group})
	}}
}

func leaves(who, group string) act {
	return act{who + " leaves " + group, func(ctx context.Context, n *node, in string) error {
		return n.registry.RemoveThingFromThingGroup(ctx, operator, registry.Ref{Name: in + who}, registry.Ref{Name: in + group})
	}}
}

func moves(who, from, to string) act {
	return act{who + " goes from " + from + " to " + to, func(ctx context.Context, n *node, in string) error {
		return n.registry.UpdateThingGroupsForThing(ctx, operator, in+who, []string{in + to}, []string{in + from})
	}}
}

func creates(id string, s job.Selection, group string) act {
	return act{fmt.Sprintf("%s job %s for %s", strings.ToLower(s.String()), id, group), func(ctx context.Context, n *node, in string) error {
		_, err := n.CreateJob(ctx, operator, job.Spec{ID: in + id, Document: "{}", Selection: s, Targets: []job.Target{toGroup(in + group)}}, nil)
		return err
	}}
}

func associates(id, group string) act {
	return act{id + " is also for " + group, func(ctx context.Context, n *node, in string) error {
		_, err := n.AssociateTargets(ctx, operator, in+id, "", []job.Target{toGroup(in + group)}, "")
		return err
	}}
}

func removesJob(id string) act {
	return act{"job " + id + " is deleted", func(ctx context.Context, n *node, in string) error {
		return n.DeleteJob(ctx, operator, in+id, "", true)
	}}
}

func removesGroup(group string) act {
	return act{"group " + group + " is deleted", func(ctx context.Context, n *node, in string) error {
		return n.registry.DeleteThingGroup(ctx, operator, in+group, nil)
	}}
}

func removesThing(who string) act {
	return act{who + " is deleted", func(ctx context.Context, n *node, in string) error {
		return n.registry.DeleteThing(ctx, operator, in+who, nil)
	}}
}

func makesThing(who string) act {
	return act{who + " is made", func(ctx context.Context, n *node, in string) error {
		_, err := n.registry.CreateThing(ctx, operator, registry.CreateThingInput{Spec: thing.Spec{Name: in + who}})
		return err
	}}
}

// makesGroup makes a group, below the one before the slash if there is one.
func makesGroup(path string) act {
	return act{"group " + path + " is made", func(ctx context.Context, n *node, in string) error {
		g := registry.CreateThingGroupInput{GroupSpec: thing.GroupSpec{Name: in + path}}
		if parent, child, ok := strings.Cut(path, "/"); ok {
			g.Name, g.Parent = in+child, in+parent
		}
		_, err := n.registry.CreateThingGroup(ctx, operator, g)
		return err
	}}
}

// do does something on a node and returns what it was told. It may be refused,
// because what it needs is not there; it must not fail.
func (n *node) do(a act, in string) string {
	n.skewed.t.Helper()
	err := a.do(n.skewed.ctx(), n, in)
	if err == nil {
		return "done"
	}
	if e, ok := errors.AsType[*apierr.Error](err); !ok || e.Kind == apierr.Unavailable || e.Kind == apierr.Internal {
		n.skewed.t.Errorf("%s: %v", a.name, err)
	}
	return apierr.KindOf(err).String()
}

// check is must for other goroutines than the test's own.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// stock makes things and groups in one go. "g/k" is k below g, which comes before it.
func (s *skewed) stock(in string, things, groups []string) {
	s.t.Helper()
	s.must(s.store.Update(s.ctx(), func(tx store.Tx) error {
		for _, name := range things {
			err := tx.InsertThing(thing.Thing{UID: s.uid(), Name: in + name, ID: in + name, Version: 1})
			if err != nil {
				return err
			}
		}
		paths := make(map[string][]int64)
		for _, g := range groups {
			parent, name, ok := strings.Cut(g, "/")
			if !ok {
				name = parent
			}
			uid := s.uid()
			path := append(slices.Clone(paths[parent]), uid)
			paths[name] = path
			err := tx.InsertGroup(thing.Group{UID: uid, Name: in + name, ID: in + name, Path: path, Version: 1})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// include makes a thing a member of a group, long ago.
func (s *skewed) include(group, name string) {
	s.t.Helper()
	s.must(s.store.Update(s.ctx(), func(tx store.Tx) error {
		g, err := tx.GroupByName(group)
		if err != nil {
			return err
		}
		x, err := tx.ThingByName(name)
		if err != nil {
			return err
		}
		return tx.InsertMember(thing.Member{UID: s.uid(), GroupUID: g.UID, ThingUID: x.UID, Thing: name})
	}))
}

// Where transactions can be held up.
const (
	beforeIt   = "before its transaction"
	insideIt   = "inside its transaction" // it has read all that it needs and goes on to write
	beforePart = "before a loop's transaction"
)

// holdup holds up one transaction at a time. The zero value holds up nothing.
type holdup struct {
	mu              sync.Mutex
	stage           string        // guarded by mu; empty if nobody is to wait
	reached, resume chan struct{} // guarded by mu
}

// during does first, holds it up at a stage until second is done, and returns when
// both are.
func (h *holdup) during(stage string, first, second func()) {
	reached, resume, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h.set(stage, reached, resume)
	go func() {
		defer close(done)
		first()
	}()
	select {
	case <-reached:
	case <-done: // it has nothing to write
	}
	h.set("", nil, nil)
	second()
	close(resume)
	<-done
}

func (h *holdup) set(stage string, reached, resume chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stage, h.reached, h.resume = stage, reached, resume
}

// at waits if it is the stage. The first to come waits, nobody else.
func (h *holdup) at(stage string) {
	h.mu.Lock()
	wait, reached, resume := h.stage == stage, h.reached, h.resume
	if wait {
		h.stage = ""
	}
	h.mu.Unlock()
	if wait {
		close(reached)
		<-resume
	}
}

// held is a store whose transactions can be held up.
type held struct {
	store.Store
	h *holdup
}

func (s held) Update(ctx context.Context, fn func(store.Tx) error) error {
	s.h.at(beforeIt)
	return s.Store.Update(ctx, func(tx store.Tx) error { return fn(heldTx{tx, s.h}) })
}

func (s held) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	s.h.at(beforePart)
	return s.Store.UpdatePart(ctx, part, fence, fn)
}

type heldTx struct {
	store.Tx
	h *holdup
}

func (t heldTx) InsertMember(m thing.Member) error {
	t.h.at(insideIt)
	return t.Tx.InsertMember(m)
}

func (t heldTx) DeleteMember(m thing.Member) error {
	t.h.at(insideIt)
	return t.Tx.DeleteMember(m)
}

func (t heldTx) DeleteThing(x thing.Thing) error {
	t.h.at(insideIt)
	return t.Tx.DeleteThing(x)
}

func (t heldTx) DeleteGroup(g thing.Group) error {
	t.h.at(insideIt)
	return t.Tx.DeleteGroup(g)
}

func (t heldTx) InsertJob(j job.Job, document string) error {
	t.h.at(insideIt)
	return t.Tx.InsertJob(j, document)
}

func (t heldTx) UpdateJob(j job.Job) error {
	t.h.at(insideIt)
	return t.Tx.UpdateJob(j)
}
