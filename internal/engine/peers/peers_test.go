package peers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/auth"
	"muster/internal/cluster"
	"muster/internal/engine"
	"muster/internal/engine/peers"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/sqlite"
	"muster/internal/thing"
)

var (
	operator = auth.Principal{Kind: auth.AccessKey, ID: "AKIATEST", Account: "123456789012", Region: "us-east-1", Service: "iot"}
	device   = auth.Principal{Kind: auth.AccessKey, ID: "AKIATEST", Account: "123456789012", Region: "us-east-1", Service: "iot-jobs-data"}
)

const parts = 6

// fleet is three engines on one database that share its parts.
type fleet struct {
	*testing.T
	store store.Store
	nodes []*node

	mu    sync.Mutex
	homes map[string]int // the node that a thing's device is connected to; guarded by mu
	owner []int          // of each part; guarded by mu
}

// node is one of the engines, and what its devices were told.
type node struct {
	*engine.Engine
	port  *cluster.Port
	peers *peers.Peers
	told  chan string
	deaf  atomic.Bool // its publisher takes nothing
	run   context.CancelFunc
}

// Notify implements engine.Publisher.
func (n *node) Notify(_ context.Context, m engine.Notification) error {
	if n.deaf.Load() {
		return errors.New("deaf")
	}
	next := "nothing"
	if len(m.Pending) > 0 {
		next = fmt.Sprint(m.Pending[0].Job.ID, " ", m.Pending[0].Status)
	}
	n.told <- fmt.Sprintf("%s here=%t except=%d %s", m.Thing, m.Here, len(m.Except), next)
	return nil
}

func id(n int) string { return fmt.Sprint("n", n) }

func newFleet(t *testing.T) *fleet {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{T: t, store: s, homes: make(map[string]int)}
	hub := cluster.NewHub()
	for p := range parts {
		f.owner = append(f.owner, p%3)
	}
	for i := range 3 {
		n := &node{port: hub.Bus(), told: make(chan string, 1000)}
		n.peers = peers.New(peers.Config{Bus: n.port, Node: id(i), Route: func(thing, _ string) ([]string, bool) { return f.route(i, thing) }})
		uids := new(job.UIDs)
		uids.SetSlot(i)
		n.Engine, err = engine.New(t.Context(), engine.Config{
			Store: s, UIDs: uids, Account: "123456789012", Publisher: n, Peers: n.peers,
			Parts: func() []engine.Part { return f.parts(i) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err = n.peers.Serve(n.Engine); err != nil {
			t.Fatal(err)
		}
		f.nodes = append(f.nodes, n)
	}
	t.Cleanup(func() {
		for _, n := range f.nodes {
			n.stop()
			n.peers.Close()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (n *node) stop() {
	if n.run != nil {
		n.run()
		n.run = nil
	}
}

// start runs the loops of a node.
func (f *fleet) start(which ...int) {
	for _, i := range which {
		n := f.nodes[i]
		ctx, cancel := context.WithCancel(f.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := n.Run(ctx); err != nil {
				f.Error(err)
			}
		}()
		n.run = func() { cancel(); <-done }
	}
}

func (f *fleet) route(self int, thing string) (holders []string, others bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	home, ok := f.homes[thing]
	if !ok || home == self {
		return nil, ok
	}
	return []string{id(home)}, false
}

func (f *fleet) connect(thing string, to int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.homes[thing] = to
}

func (f *fleet) parts(of int) []engine.Part {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ps []engine.Part
	for p, n := range f.owner {
		if n == of {
			ps = append(ps, engine.Part{Part: p})
		}
	}
	return ps
}

func (f *fleet) give(part, to int) {
	f.mu.Lock()
	f.owner[part] = to
	f.mu.Unlock()
	for _, n := range f.nodes {
		n.Look()
	}
}

// thingIn registers a thing that is in a part of a node.
func (f *fleet) thingOf(owner int) string {
	f.Helper()
	for i := 0; ; i++ {
		name := fmt.Sprintf("t%d-%d", owner, i)
		if f.store.PartOf(name)%3 != owner {
			continue
		}
		err := f.store.Update(f.Context(), func(tx store.Tx) error {
			return tx.InsertThing(thing.Thing{UID: int64(1000 + i), Name: name, ID: name, Version: 1})
		})
		if err != nil {
			f.Fatal(err)
		}
		return name
	}
}

func (f *fleet) create(at int, id, thing string, change ...func(*job.Spec)) {
	f.Helper()
	s := job.Spec{ID: id, Document: `{}`, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: thing}}}
	for _, c := range change {
		c(&s)
	}
	if _, err := f.nodes[at].CreateJob(f.Context(), operator, s, nil); err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) want(at int, line string) {
	f.Helper()
	select {
	case got := <-f.nodes[at].told:
		if got != line {
			f.Errorf("node %d: told %q, want %q", at, got, line)
		}
	case <-time.After(20 * time.Second):
		f.Fatalf("node %d: not told %q", at, line)
	}
}

func (f *fleet) wantNothing(at int) {
	f.Helper()
	select {
	case got := <-f.nodes[at].told:
		f.Errorf("node %d: told %q, want nothing", at, got)
	default:
	}
}

func TestAChangeAnywhereReachesTheDeviceElsewhere(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(1)
	f.connect(x, 2)
	f.start(0, 1, 2)
	f.create(0, "j", x) // made on 0, rolled out and owed by 1, told by 2
	f.want(2, x+" here=true except=0 j QUEUED")
	_, _, err := f.nodes[0].StartNextPendingJobExecution(t.Context(), device, engine.StartRequest{Thing: x})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.nodes[2].UpdateJobExecution(t.Context(), device, engine.UpdateRequest{Thing: x, JobID: "j", Update: job.Update{Status: job.Succeeded}})
	if err != nil {
		t.Fatal(err)
	}
	f.want(2, x+" here=true except=0 nothing")
	f.wantNothing(0)
	f.wantNothing(1)
}

func TestTheDeviceOfTheOwnerIsToldThere(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(1)
	f.connect(x, 1)
	f.start(0, 1, 2)
	f.create(2, "j", x)
	f.want(1, x+" here=false except=0 j QUEUED")
}

func TestWhatIsOwedWaitsForTheNodeOfTheDevice(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x, y := f.thingOf(1), f.thingOf(0)
	f.connect(x, 2)
	f.connect(y, 1)
	f.nodes[2].deaf.Store(true)
	f.start(0, 1, 2)
	f.create(0, "j", x)
	f.create(0, "k", y)
	f.want(1, y+" here=true except=0 k QUEUED") // does not wait for the other
	f.nodes[2].deaf.Store(false)
	f.want(2, x+" here=true except=0 j QUEUED")
	f.nodes[2].port.Cut()
	f.create(1, "l", x)
	f.nodes[2].port.Heal()
	f.want(2, x+" here=true except=0 j QUEUED")
}

func TestARequestUnderWayElsewhereIsAnsweredFirst(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(1)
	f.connect(x, 2)
	release := f.nodes[2].Hold(t.Context(), x)
	f.start(1, 2)
	f.create(1, "j", x)
	probe := f.thingOf(0) // whose part nobody works on: only to pass some time in order
	f.connect(probe, 2)
	_, err := f.nodes[2].UpdateJobExecution(t.Context(), device, engine.UpdateRequest{Thing: x, JobID: "j", Update: job.Update{Status: job.InProgress}})
	if err != nil {
		t.Fatal(err)
	}
	f.wantNothing(2)
	release()
	f.want(2, x+" here=true except=0 j IN_PROGRESS")
}

func TestTimersOfAnotherNodesPartsFire(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(1)
	f.connect(x, 0)
	f.create(1, "j", x, func(s *job.Spec) { s.TimeoutMinutes = 1 })
	// An engine whose clock is put ahead stands for time that passes.
	var ahead atomic.Int64
	n := f.nodes[1]
	uids := new(job.UIDs)
	var err error
	n.Engine, err = engine.New(t.Context(), engine.Config{
		Store: f.store, UIDs: uids, Account: "123456789012", Publisher: n, Peers: n.peers,
		Parts: func() []engine.Part { return f.parts(1) },
		Clock: engine.ClockOf(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = n.peers.Serve(n.Engine); err != nil {
		t.Fatal(err)
	}
	f.start(0, 1, 2)
	f.want(0, x+" here=true except=0 j QUEUED")
	if _, _, err = f.nodes[2].StartNextPendingJobExecution(t.Context(), device, engine.StartRequest{Thing: x}); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * time.Minute))
	f.want(0, x+" here=true except=0 nothing")
	counts, err := f.nodes[2].DescribeJob(t.Context(), operator, "j")
	if err != nil || counts.Counts[job.TimedOut] != 1 {
		t.Errorf("got %v %v, want one timed out", counts.Counts, err)
	}
}

func TestPartsThatPassOnGoOn(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(1)
	f.connect(x, 0)
	f.start(0, 2)       // node 1 is dead
	f.create(0, "j", x) // and so is the rollout
	f.wantNothing(0)
	for p := range parts {
		if p%3 == 1 {
			f.give(p, 2)
		}
	}
	f.want(0, x+" here=true except=0 j QUEUED")
}

func TestAJobCompletesWhoeverEndsItsLastExecution(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x := f.thingOf(2)
	f.connect(x, 2)
	f.start(0, 1, 2)
	f.create(1, "j", x)
	f.want(2, x+" here=false except=0 j QUEUED")
	_, err := f.nodes[1].UpdateJobExecution(t.Context(), device, engine.UpdateRequest{Thing: x, JobID: "j", Update: job.Update{Status: job.Succeeded}})
	if err != nil {
		t.Fatal(err)
	}
	f.want(2, x+" here=false except=0 nothing")
	f.until("the job to be completed", func() error {
		d, err := f.nodes[2].DescribeJob(t.Context(), operator, "j")
		if err == nil && d.Job.State != job.Completed {
			err = fmt.Errorf("state %s", d.Job.State)
		}
		return err
	})
}

// until asks again and again until check has no objections.
func (f *fleet) until(what string, check func() error) {
	f.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			f.Fatalf("waiting for %s: %v", what, err)
		}
	}
}
