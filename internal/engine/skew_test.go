package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// outcome returns every execution of some jobs on some things.
func (s *skewed) outcome(in string, things, jobs []string) string {
	s.t.Helper()
	var b strings.Builder
	for _, id := range jobs {
		for _, who := range things {
			fmt.Fprintf(&b, "%s on %s: %s\n", id, who, strings.ReplaceAll(s.status(in+who, in+id), in, ""))
		}
	}
	return b.String()
}
