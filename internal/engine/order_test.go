package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/job"
	"muster/internal/store"
)

// Clocks that are as far apart as after the database has moved to another server.
const behind, ahead = -10 * time.Second, 10 * time.Second

// everything is what may happen, in any order.
var everything = []act{
	joins("t", "g"), leaves("t", "g"), joins("t", "k"), leaves("t", "k"), joins("t", "h"), leaves("t", "h"),
	moves("t", "g", "h"), moves("t", "h", "g"), joins("u", "h"), leaves("u", "h"), leaves("u", "k"),
	creates("d", job.Continuous, "g"), creates("s", job.Snapshot, "g"), associates("c", "h"), associates("d", "h"), removesJob("d"), removesJob("s"),
	removesGroup("k"), makesGroup("g/k"), removesGroup("h"), makesGroup("h"), removesThing("t"), makesThing("t"),
}

func onPostgres() bool { return os.Getenv("MUSTER_TEST_STORE") == "postgres" }

// start makes what the tests are about: things t and u, groups g, k below g, and
// h. u is a member of k, t of the groups given; continuous job c is for g.
func (s *skewed) start(in string, groups ...string) {
	s.t.Helper()
	s.wait(time.Minute) // no clock is where another has been: what came before makes no order
	s.stock(in, []string{"t", "u"}, []string{"g", "g/k", "h"})
	s.include(in+"k", in+"u")
	for _, g := range groups {
		s.include(in+g, in+"t")
	}
	if got := s.nodes[0].do(creates("c", job.Continuous, "g"), in); got != "done" {
		s.t.Fatalf("job c is not created: %s", got)
	}
}

// outcome returns every execution of the jobs that there may be.
func (s *skewed) outcome(in string) string {
	s.t.Helper()
	var b strings.Builder
	for _, id := range []string{"c", "d", "s"} {
		for _, who := range []string{"t", "u"} {
			fmt.Fprintf(&b, "%s on %s: %s\n", id, who, strings.ReplaceAll(s.status(in+who, in+id), in, ""))
		}
	}
	return b.String()
}

// inOrder does things one after another on a node and returns what comes of it.
func (s *skewed) inOrder(in string, groups []string, acts ...act) string {
	s.t.Helper()
	s.start(in, groups...)
	for _, a := range acts {
		s.nodes[0].do(a, in)
		s.settle()
	}
	return s.outcome(in)
}

// TestOrderIsThatOfTheCommitsNotOfTheClocks lets nodes whose clocks are apart do
// things one after another. What comes of it must be what comes of the same on
// one node.
func TestOrderIsThatOfTheCommitsNotOfTheClocks(t *testing.T) {
	t.Parallel()
	many, one := newSkewed(t, 2, nil, behind, ahead, 0), newSkewed(t, 2, nil, 0)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		if run++; onPostgres() && run > 25 {
			return // the rules are the same, and each step takes longer
		}
		in := fmt.Sprintf("r%d-", run)
		many.start(in)
		one.start(in)
		for range rapid.IntRange(1, 10).Draw(rt, "length") {
			a := everything[rapid.IntRange(0, len(everything)-1).Draw(rt, "act")]
			n := many.nodes[rapid.IntRange(0, len(many.nodes)-1).Draw(rt, "node")]
			rt.Log(a.name)
			if got, want := n.do(a, in), one.nodes[0].do(a, in); got != want {
				rt.Fatalf("%s, want %s", got, want)
			}
			if rapid.Bool().Draw(rt, "settled") {
				many.settle()
				one.settle()
			}
		}
		many.settle()
		one.settle()
		if got, want := many.outcome(in), one.outcome(in); got != want {
			rt.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

// TestClocksThatAreApart has the cases in which an order by clocks has been wrong,
// each with the fast clock first and with the slow one.
func TestClocksThatAreApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		in    []string
		acts  []act
		nodes []int
	}{
		{"a member is in a snapshot that comes later", nil,
			[]act{joins("t", "g"), creates("s", job.Snapshot, "g")}, []int{0, 1}},
		{"who joins later is not", nil,
			[]act{creates("s", job.Snapshot, "g"), joins("t", "g")}, []int{0, 1}},
		{"who joins a group that came later is not", nil,
			[]act{creates("s", job.Snapshot, "g"), makesGroup("g/l"), joins("t", "l")}, []int{0, 1, 1}},
		{"a member of a group that had just been made is", nil,
			[]act{makesGroup("g/l"), joins("t", "l"), creates("s", job.Snapshot, "g")}, []int{0, 0, 1}},
		{"who leaves a job that came later loses it", []string{"g"},
			[]act{creates("d", job.Continuous, "g"), leaves("t", "g")}, []int{0, 1}},
		{"who has left comes back", []string{"g"},
			[]act{leaves("t", "g"), joins("t", "g")}, []int{0, 1}},
		{"and goes again", []string{"g"},
			[]act{leaves("t", "g"), joins("t", "g"), leaves("t", "g")}, []int{0, 1, 0}},
		{"who is a target twice leaves the one and the other", nil,
			[]act{joins("t", "h"), joins("t", "g"), associates("c", "h"), leaves("t", "g"), leaves("t", "h")}, []int{1, 0, 0, 0, 1}},
		{"who has left comes back with a group that becomes a target", []string{"g", "h"},
			[]act{leaves("t", "g"), associates("c", "h")}, []int{0, 1}},
		{"what was another thing's is not this one's", []string{"g"},
			[]act{removesThing("t"), makesThing("t"), joins("t", "g")}, []int{0, 1, 1}},
		{"a group that is deleted takes its members along", []string{"g"},
			[]act{associates("c", "h"), joins("t", "h"), leaves("t", "g"), removesGroup("h")}, []int{0, 0, 0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			plain := newSkewed(t, 1, nil, 0)
			want := plain.inOrder("", c.in, c.acts...)
			for _, clocks := range [][]time.Duration{{ahead, behind}, {behind, ahead}} {
				s := newSkewed(t, 1, nil, clocks...)
				s.start("", c.in...)
				for i, a := range c.acts {
					if got := s.nodes[c.nodes[i]].do(a, ""); got != "done" {
						t.Errorf("%s: %s", a.name, got)
					}
					s.settle()
				}
				if got := s.outcome(""); got != want {
					t.Errorf("clocks %v: got\n%swant\n%s", clocks, got, want)
				}
			}
		})
	}
}

// TestWhoMeetsComesBeforeOrAfter holds up one operation, before its transaction or
// in the middle of it, until another has happened on another node. What comes
// of it must be what comes of the two in one order or the other.
func TestWhoMeetsComesBeforeOrAfter(t *testing.T) {
	t.Parallel()
	both := []act{
		joins("t", "h"), creates("d", job.Continuous, "g"), creates("s", job.Snapshot, "g"),
		associates("c", "h"), removesGroup("h"), removesThing("t"),
	}
	for group, acts := range map[string][]act{
		"":  append(both, joins("t", "g")),
		"g": append(both, leaves("t", "g"), moves("t", "g", "h")),
		"h": append(both[1:], leaves("t", "h"), joins("t", "g"), moves("t", "h", "g")),
	} {
		t.Run(fmt.Sprintf("t is in %q", group), func(t *testing.T) {
			t.Parallel()
			meetAll(t, strings.Fields(group), acts)
		})
	}
}

func meetAll(t *testing.T, groups []string, acts []act) {
	legal := make(map[[2]int]string) // what comes of one act and then another
	plain := newSkewed(t, 1, nil, 0)
	for i, a := range acts {
		for k, b := range acts {
			legal[[2]int{i, k}] = plain.inOrder(fmt.Sprintf("%d-%d-", i, k), groups, a, b)
		}
	}
	for turn, clocks := range [][]time.Duration{{ahead, behind}, {behind, ahead}} {
		h := &holdup{}
		s := newSkewed(t, 1, func(s store.Store) store.Store { return held{s, h} }, clocks...)
		for i, a := range acts {
			for k, b := range acts {
				stage := beforeIt
				if onPostgres() && (i+k+turn)%2 == 0 {
					stage = insideIt // elsewhere there is one transaction at a time
				}
				in := fmt.Sprintf("%d-%d-", i, k)
				s.start(in, groups...)
				h.during(stage, func() { s.nodes[0].do(a, in) }, func() {
					s.nodes[1].do(b, in)
					s.settle()
				})
				s.settle()
				got, want := s.outcome(in), []string{legal[[2]int{i, k}], legal[[2]int{k, i}]}
				if !slices.Contains(want, got) {
					t.Errorf("clocks %v: %s; %s: %s: got\n%swant\n%s", clocks, a.name, stage, b.name, got, strings.Join(want, "or\n"))
				}
			}
		}
	}
}

// TestASnapshotLeavesNobodyOutWhoCameBeforeOneItTakes has two things join, one
// after the other, while a job is being created.
func TestASnapshotLeavesNobodyOutWhoCameBeforeOneItTakes(t *testing.T) {
	t.Parallel()
	if !onPostgres() {
		t.Skip("there is one transaction at a time")
	}
	h := &holdup{}
	s := newSkewed(t, 1, func(s store.Store) store.Store { return held{s, h} }, 0, ahead, behind)
	s.start("")
	s.nodes[0].do(leaves("u", "k"), "")
	s.settle()
	h.during(insideIt, func() { s.nodes[0].do(creates("s", job.Snapshot, "g"), "") }, func() {
		s.nodes[1].do(joins("t", "g"), "")
		s.nodes[2].do(joins("u", "g"), "")
	})
	s.settle()
	const queued = "QUEUED v1 #1"
	if first, second := s.status("t", "s"), s.status("u", "s"); second == queued && first != queued {
		t.Errorf("the second: %s; the first: %s", second, first)
	}
}

// TestAChangeThatAnotherHasFollowedIsNotFollowedAgain has one engine read a change
// and come too late.
func TestAChangeThatAnotherHasFollowedIsNotFollowedAgain(t *testing.T) {
	t.Parallel()
	h := &holdup{}
	s := newSkewed(t, 1, func(s store.Store) store.Store { return held{s, h} }, 0, 0)
	s.start("")
	s.settle()
	s.nodes[0].do(joins("t", "g"), "")
	h.during(beforePart, func() {
		for _, l := range s.nodes[0].Loops() {
			if l.Name == "membership" {
				_, err := l.Once(s.ctx(), s.clock())
				check(t, err)
			}
		}
	}, func() {
		s.settle()
		s.wantStatus("t", "c", "QUEUED v1 #1")
		s.nodes[1].do(leaves("t", "g"), "")
		s.settle()
	})
	s.settle()
	s.wantStatus("t", "c", "REMOVED v2 #1")
}

// TestMembershipsOfManyNodesAtOnce lets nodes work at the same time as fast as they
// can: in the end a thing has an execution of a continuous job just if it is a
// member of one of the job's groups.
func TestMembershipsOfManyNodesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSkewed(t, 2, nil, behind, ahead, 0)
	things, groups := []string{"t", "u", "v"}, []string{"g", "h", "i"}
	s.stock("", things, groups)
	s.nodes[0].do(creates("c0", job.Continuous, "g"), "")
	var wg sync.WaitGroup
	for i, n := range s.nodes {
		for k, who := range things {
			wg.Go(func() {
				for round := range 12 {
					n.do(joins(who, groups[(round+i+k)%3]), "")
					n.do(leaves(who, groups[(round+2*i)%3]), "")
				}
			})
		}
		wg.Go(func() {
			n.do(creates(fmt.Sprint("c", i+1), job.Continuous, groups[i]), "")
			for range 4 {
				n.do(associates("c0", groups[i]), "")
				check(t, n.Settle(s.ctx()))
				n.Kick()
			}
		})
	}
	wg.Wait()
	s.settle()
	for i := range len(s.nodes) + 1 {
		for _, who := range things {
			s.wantFollowed(fmt.Sprint("c", i), who)
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
		if err != nil {
			return err
		}
		for _, m := range members {
			target = target || slices.ContainsFunc(j.Targets, func(t job.Target) bool { return t.UID == m.GroupUID })
		}
		q, err := r.Queue(job.Ref{Thing: who})
		if err == nil {
			live = slices.ContainsFunc(q.Live(), func(x job.Execution) bool { return x.Job.UID == j.UID })
		}
		return err
	}))
	if target != live {
		s.t.Errorf("%s is a target of %s: %t; it has an execution pending: %t", who, id, target, live)
	}
}
