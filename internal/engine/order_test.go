package engine_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// Clocks that are as far apart as after the database has moved to another server.
const behind, ahead = -10 * time.Second, 10 * time.Second

func onPostgres() bool { return os.Getenv("MUSTER_TEST_STORE") == "postgres" }

// script is what some runs have in common: what is there before, and whom they
// are about.
type script struct {
	before       []act
	things, jobs []string
}

// start does what comes before, on the first node.
func (c script) start(s *skewed, in string) {
	s.t.Helper()
	s.wait(time.Minute) // no clock is where another has been: what came before makes no order
	for _, a := range c.before {
		if got := s.nodes[0].do(a, in); got != "done" {
			s.t.Fatalf("%s: %s", a.name, got)
		}
	}
	s.settle()
}

var fleet = []act{
	makesThing("t"), makesThing("u"), makesGroup("g"), makesGroup("g/k"), makesGroup("h"),
	joins("u", "k"), creates("c", job.Continuous, "g"),
}

// TestOrderIsThatOfTheCommitsNotOfTheClocks lets nodes whose clocks are apart do
// things one after another. What comes of it must be what comes of the same on
// one node.
func TestOrderIsThatOfTheCommitsNotOfTheClocks(t *testing.T) {
	t.Parallel()
	many, one := newSkewed(t, 2, nil, behind, ahead, 0), newSkewed(t, 2, nil, 0)
	sc := script{before: fleet, things: []string{"t", "u"}, jobs: []string{"c", "d", "s"}}
	acts := []act{
		joins("t", "g"), leaves("t", "g"), joins("t", "k"), leaves("t", "k"), joins("t", "h"), leaves("t", "h"),
		moves("t", "g", "h"), moves("t", "h", "g"), joins("u", "h"), leaves("u", "h"), leaves("u", "k"),
		creates("d", job.Continuous, "g"), creates("s", job.Snapshot, "g"), associates("c", "h"), associates("d", "h"), removesJob("d"), removesJob("s"),
		removesGroup("k"), makesGroup("g/k"), removesGroup("h"), makesGroup("h"), removesThing("t"), makesThing("t"),
	}
	names := make([]string, len(acts))
	for i, a := range acts {
		names[i] = a.name
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		in := fmt.Sprintf("r%d-", run)
		sc.start(many, in)
		sc.start(one, in)
		for range rapid.IntRange(1, 14).Draw(rt, "length") {
			a := acts[slices.Index(names, rapid.SampledFrom(names).Draw(rt, "act"))]
			n := many.nodes[rapid.IntRange(0, len(many.nodes)-1).Draw(rt, "node")]
			if got, want := n.do(a, in), one.nodes[0].do(a, in); got != want {
				rt.Fatalf("%s: %s, want %s", a.name, got, want)
			}
			if rapid.Bool().Draw(rt, "settled") {
				many.settle()
				one.settle()
			}
		}
		many.settle()
		one.settle()
		if got, want := many.outcome(in, sc.things, sc.jobs), one.outcome(in, sc.things, sc.jobs); got != want {
			rt.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

// TestWhoMeetsComesBeforeOrAfter holds up one operation, before its transaction or
// in the middle of it, until another has happened on another node. What comes
// of it must be what comes of the two in one order or the other.
func TestWhoMeetsComesBeforeOrAfter(t *testing.T) {
	t.Parallel()
	stages := []string{"before"}
	if onPostgres() {
		stages = append(stages, "inside") // elsewhere there is one transaction at a time
	}
	h := &holdup{}
	between := func(s store.Store) store.Store { return held{s, h} }
	worlds := map[string]*skewed{
		"the one that waits is behind": newSkewed(t, 1, between, behind, ahead),
		"the one that waits is ahead":  newSkewed(t, 1, between, ahead, behind),
	}
	plain := newSkewed(t, 1, nil, 0)
	acts := []act{
		joins("t", "g"), leaves("t", "g"), joins("t", "h"), leaves("t", "h"), moves("t", "g", "h"), moves("t", "h", "g"),
		creates("d", job.Continuous, "g"), creates("s", job.Snapshot, "g"), associates("c", "h"), removesGroup("h"), removesThing("t"),
	}
	things, jobs := []string{"t", "u"}, []string{"c", "d", "s"}
	run := 0
	for _, member := range []string{"", "g", "h"} {
		sc := script{slices.Clone(fleet), things, jobs}
		if member != "" {
			sc.before = append(sc.before, joins("t", member))
		}
		for _, a := range acts {
			for _, b := range acts {
				run++
				in := fmt.Sprintf("r%d-", run)
				legal := []string{sc.inOrder(plain, in+"1-", a, b), sc.inOrder(plain, in+"2-", b, a)}
				for where, s := range worlds {
					for _, stage := range stages {
						in := in + stage + "-"
						sc.start(s, in)
						got := sc.meet(s, h, stage, in, a, b)
						if !slices.Contains(legal, got) {
							t.Errorf("t is in %q; %s is held up %s its transaction while %s; %s: got\n%swant\n%sor\n%s", member, a.name, stage, b.name, where, got, legal[0], legal[1])
						}
					}
				}
			}
		}
	}
}

// inOrder does things one after another and returns what comes of it.
func (c script) inOrder(s *skewed, in string, acts ...act) string {
	s.t.Helper()
	c.start(s, in)
	for _, a := range acts {
		s.nodes[0].do(a, in)
		s.settle()
	}
	return s.outcome(in, c.things, c.jobs)
}

// meet does a on one node, which is held up, and b on the other meanwhile.
func (c script) meet(s *skewed, h *holdup, stage, in string, a, b act) string {
	s.t.Helper()
	reached, resume := h.arm(stage)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.nodes[0].do(a, in)
	}()
	select {
	case <-reached:
	case <-done: // it has nothing to write
	}
	h.disarm()
	s.nodes[1].do(b, in)
	s.settle()
	close(resume)
	<-done
	s.settle()
	return s.outcome(in, c.things, c.jobs)
}

// TestMembershipsOfManyNodesAtOnce lets nodes work at the same time as fast as they
// can: in the end a thing has an execution of a continuous job just if it is a
// member of one of the job's groups.
func TestMembershipsOfManyNodesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSkewed(t, 2, nil, behind, ahead, 0)
	things, groups := []string{"t", "u", "v"}, []string{"g", "h", "i"}
	sc := script{before: []act{creates("c0", job.Continuous, "g")}, things: things}
	for _, who := range slices.Concat(things, groups) {
		a := makesThing(who)
		if slices.Contains(groups, who) {
			a = makesGroup(who)
		}
		sc.before = slices.Insert(sc.before, 0, a)
	}
	sc.start(s, "")
	var wg sync.WaitGroup
	for i, n := range s.nodes {
		for k, who := range things {
			wg.Go(func() {
				for round := range 12 {
					g := groups[(round+i+k)%3]
					n.do(joins(who, g), "")
					n.do(leaves(who, groups[(round+2*i)%3]), "")
				}
			})
		}
		wg.Go(func() {
			n.do(creates(fmt.Sprint("c", i+1), job.Continuous, groups[i]), "")
			for range 4 {
				n.do(associates("c0", groups[i]), "")
				if err := n.Settle(s.ctx()); err != nil {
					t.Error(err)
				}
				n.Kick()
			}
		})
	}
	wg.Wait()
	s.settle()
	for i := range len(s.nodes) + 1 {
		id := fmt.Sprint("c", i)
		for _, who := range things {
			s.wantFollowed(id, who)
		}
	}
}

// wantFollowed checks that a thing has something pending of a job just if it is a target.
func (s *skewed) wantFollowed(id, who string) {
	s.t.Helper()
	target, live := false, false
	s.must(s.store.View(s.ctx(), func(r store.Reader) error {
		j, err := r.JobByID(id)
		if err != nil {
			return err
		}
		x, err := r.ThingByName(who)
		if err != nil {
			return err
		}
		members, err := r.Memberships(x.Name, x.UID)
		for _, m := range members {
			target = target || slices.ContainsFunc(j.Targets, func(t job.Target) bool { return t.UID == m.GroupUID })
		}
		if err != nil {
			return err
		}
		q, err := r.Queue(job.Ref{Thing: who})
		live = slices.ContainsFunc(q.Live(), func(x job.Execution) bool { return x.Job.UID == j.UID })
		return err
	}))
	if target != live {
		s.t.Errorf("%s is a target of %s: %t; it has an execution pending: %t", who, id, target, live)
	}
}

// holdup holds up one transaction at a time. The zero value holds up nothing.
type holdup struct {
	mu              sync.Mutex
	stage           string
	reached, resume chan struct{}
}

// arm makes the next transaction wait at a stage until resume is closed.
func (h *holdup) arm(stage string) (reached, resume chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stage, h.reached, h.resume = stage, make(chan struct{}), make(chan struct{})
	return h.reached, h.resume
}

func (h *holdup) disarm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stage = ""
}

func (h *holdup) at(stage string) {
	h.mu.Lock()
	wait := h.stage == stage
	reached, resume := h.reached, h.resume
	if wait {
		h.stage = ""
	}
	h.mu.Unlock()
	if wait {
		close(reached)
		<-resume
	}
}

// held is a store whose transactions can be held up: before they begin, or when
// they have read all that they need and go on to write.
type held struct {
	store.Store
	h *holdup
}

func (s held) Update(ctx context.Context, fn func(store.Tx) error) error {
	s.h.at("before")
	return s.Store.Update(ctx, func(tx store.Tx) error { return fn(heldTx{tx, s.h}) })
}

type heldTx struct {
	store.Tx
	h *holdup
}

func (t heldTx) InsertMember(m thing.Member) error {
	t.h.at("inside")
	return t.Tx.InsertMember(m)
}

func (t heldTx) DeleteMember(m thing.Member) error {
	t.h.at("inside")
	return t.Tx.DeleteMember(m)
}

func (t heldTx) DeleteThing(x thing.Thing) error {
	t.h.at("inside")
	return t.Tx.DeleteThing(x)
}

func (t heldTx) DeleteGroup(g thing.Group) error {
	t.h.at("inside")
	return t.Tx.DeleteGroup(g)
}

func (t heldTx) InsertJob(j job.Job, document string) error {
	t.h.at("inside")
	return t.Tx.InsertJob(j, document)
}

func (t heldTx) UpdateJob(j job.Job) error {
	t.h.at("inside")
	return t.Tx.UpdateJob(j)
}
