package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"muster/internal/pgtest"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// listenBig makes the devices of the traffic listen for things of the big group, too.
func (tr *traffic) listenBig(t *testing.T) {
	t.Helper()
	for id := range tr.couriers {
		tr.listen(t, id, multitude[id*16:id*16+16]...)
	}
}

// TestNodeIsLost takes a node away in the middle of a rollout and of the work of
// devices, in two ways. Others take over within seconds.
func TestNodeIsLost(t *testing.T) {
	database := durable(t)
	registerBig(t, database)
	c := newCluster(t, 3, database, nil)
	tr := newTraffic(t, c, seedOf(t))
	tr.patience = 4 * time.Second
	tr.listenBig(t)
	for _, test := range []struct {
		name string
		lose func(*cluster, *testing.T) func()
	}{{"killed", (*cluster).killed}, {"hangs", (*cluster).hangs}} {
		tr.begin(t)
		tr.rollOutBig(t, test.name, c.nodes[0].own)
		back := test.lose(c, t)
		c.avoid(1, true)
		t.Logf("%s: two nodes have all parts after %s", test.name, c.shared(t, takeover).Round(time.Millisecond))
		tr.flows(t, soon, 30) // a third of what is asked waits for a node that hangs
		back()
		c.avoid(1, false)
		t.Logf("%s: three nodes share them %s after it came back", test.name, c.shared(t, takeover).Round(time.Millisecond))
		tr.rolledOut(t, test.name, c.nodes[1].own)
		tr.flows(t, soon, 100)
		tr.end(t)
		tr.settled(t)
	}
}

// killed kills a node, and returns what starts another one on the same folder.
func (c *cluster) killed(t *testing.T) func() {
	t.Helper()
	check(t, "kill", c.nodes[1].Kill())
	return func() { c.serve(t, 1) }
}

// hangs stops the process of a node, and returns what lets it go on, long after it
// has lost its lease. What it has in its hands must not be written then.
func (c *cluster) hangs(t *testing.T) func() {
	t.Helper()
	pid := c.nodes[1].PID()
	start := time.Now()
	check(t, "stop", syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	return func() {
		pass(t, 8*time.Second-time.Since(start))
		check(t, "continue", syscall.Kill(pid, syscall.SIGCONT))
	}
}

// pass lets time go by.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// sick waits until a node says that it cannot serve, and why.
func (c *cluster) sick(t *testing.T, i int) {
	t.Helper()
	harness.Wait(t, 8*time.Second, "/readyz to say that the database is away", func(ctx context.Context) error {
		status, body, err := c.nodes[i].Get(ctx, "/readyz")
		if err == nil && status != http.StatusServiceUnavailable {
			err = fmt.Errorf("it answers %d %s", status, body)
		}
		if err == nil {
			t.Logf("node %d: %s", i, body)
		}
		return err
	})
}

// well waits until all nodes say that they can serve.
func (c *cluster) well(t *testing.T) {
	t.Helper()
	for _, g := range c.nodes {
		harness.Wait(t, soon, "/readyz", func(ctx context.Context) error {
			status, body, err := g.Get(ctx, "/readyz")
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("it answers %d %s", status, body)
			}
			return err
		})
	}
}

// bounded fails the test if somebody has waited too long for an answer, or has
// been told something else than that the server cannot serve.
func (tr *traffic) bounded(t *testing.T) {
	t.Helper()
	if tr.slowest > patience-time.Second {
		t.Errorf("somebody has waited for %s", tr.slowest)
	}
	for answer, n := range tr.answers {
		switch answer {
		case "ok", "503 ServiceUnavailableException", "500 InternalFailureException", "0 InternalError", "connection lost":
		default:
			t.Errorf("%d requests were answered with %s", n, answer)
		}
	}
}

// TestDatabaseRestarts stops the database under load, in order and as in a
// crash, and starts it again. Nobody needs to help the nodes.
func TestDatabaseRestarts(t *testing.T) {
	pg := pgtest.Start(t)
	c := newCluster(t, 3, pg.URL(t), nil)
	tr := newTraffic(t, c, seedOf(t))
	tr.begin(t)
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		tr.flows(t, soon, 100)
		pg.Stop(t, how)
		for i := range c.nodes {
			c.sick(t, i)
		}
		pg.Run(t)
		start := time.Now()
		c.well(t)
		tr.flows(t, soon, 100)
		t.Logf("after %s: all goes on %s after the database", how, time.Since(start).Round(time.Millisecond))
	}
	c.shared(t, takeover)
	tr.end(t)
	tr.bounded(t)
	tr.settled(t)
}

// TestDatabaseIsOutOfReach cuts nodes off from the database for ten seconds:
// packets vanish, or connections are reset.
func TestDatabaseIsOutOfReach(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, durable(t), nil)
	tr := newTraffic(t, c, seedOf(t))
	tr.begin(t)
	for _, test := range []struct {
		name  string
		nodes []int
		how   harness.Flow
	}{
		{"one node, packets vanish", []int{1}, harness.Mute},
		{"all nodes, packets vanish", []int{0, 1, 2}, harness.Mute},
		{"all nodes, connections are reset", []int{0, 1, 2}, harness.Resetting},
	} {
		start := time.Now()
		tr.flows(t, soon, 100)
		for _, i := range test.nodes {
			c.relays[i].Set(test.how)
			c.avoid(i, true)
		}
		for _, i := range test.nodes {
			c.sick(t, i)
		}
		if len(test.nodes) == 1 {
			t.Logf("%s: the others have all parts after %s", test.name, c.shared(t, takeover).Round(time.Millisecond))
			tr.flows(t, soon, 50)
		}
		pass(t, 10*time.Second-time.Since(start))
		for _, i := range test.nodes {
			c.relays[i].Set(harness.Passing)
			c.avoid(i, false)
		}
		start = time.Now()
		c.well(t)
		tr.flows(t, soon, 50)
		t.Logf("%s: all goes on %s after the end", test.name, time.Since(start).Round(time.Millisecond))
		c.shared(t, takeover)
	}
	tr.end(t)
	tr.bounded(t)
	tr.settled(t)
}

// TestDatabaseFailsOver kills a database that has a synchronous standby, and
// promotes that.
func TestDatabaseFailsOver(t *testing.T) {
	t.Parallel()
	if harness.OnPostgres() {
		t.Skip("has its turn when the others are on SQLite")
	}
	primary := pgtest.Start(t)
	standby := primary.Standby(t)
	c := newCluster(t, 3, primary.URL(t), nil)
	tr := newTraffic(t, c, seedOf(t))
	tr.begin(t)
	tr.flows(t, soon, 300)
	primary.Stop(t, syscall.SIGKILL)
	standby.Promote(t)
	for _, r := range c.relays {
		r.Lead(standby.Addr())
	}
	start := time.Now()
	c.well(t)
	tr.flows(t, soon, 200)
	t.Logf("all goes on %s after the standby was promoted", time.Since(start).Round(time.Millisecond))
	c.shared(t, takeover)
	tr.end(t)
	tr.bounded(t)
	tr.settled(t)
}

// TestBusIsCut parts the nodes from each other, not from the database. All works
// but that devices on other nodes are told later.
func TestBusIsCut(t *testing.T) {
	t.Parallel()
	c, bus := newParted(t)
	tr := newTraffic(t, c, seedOf(t))
	for _, how := range []harness.Flow{harness.Resetting, harness.Mute} {
		bus(how)
		if how == harness.Resetting {
			c.together(t, 0)
		}
		tr.begin(t)
		tr.flows(t, soon, 500)
		tr.end(t)
		tr.bounded(t)
		for id, thing := range tr.things { // who asks gets the truth
			c.sameFront(t, thing, id)
		}
		bus(harness.Passing)
		start := time.Now()
		tr.settled(t)
		t.Logf("everybody knows everything %s after the nodes have met again", time.Since(start).Round(time.Millisecond))
		c.together(t, 1)
	}
}

// newParted starts three nodes that have met, and returns what parts them from each
// other, or lets them meet again.
func newParted(t *testing.T) (c *cluster, bus func(harness.Flow)) {
	t.Helper()
	var relays []*harness.Relay
	c = newCluster(t, 3, durable(t), func(_ int, cfg *harness.Config) {
		listen := freePort(t)
		r := harness.NewRelay(t, listen)
		relays = append(relays, r)
		cfg.Args = append(cfg.Args, "--cluster", listen, "--cluster-advertise", r.Addr())
	})
	c.together(t, 1)
	return c, func(how harness.Flow) {
		for _, r := range relays {
			r.Set(how)
		}
	}
}

// together waits until the bus of every node is up (1) or down (0).
func (c *cluster) together(t *testing.T, up int) {
	t.Helper()
	for i, g := range c.nodes {
		harness.Wait(t, soon, "the bus", func(ctx context.Context) error {
			n, err := gauge(ctx, g.Server, "muster_cluster_bus_up")
			if err == nil && n != up {
				err = fmt.Errorf("node %d says %d, want %d", i, n, up)
			}
			return err
		})
	}
}

// sameFront checks that all nodes say the same of what is next on a thing on
// which nobody works.
func (c *cluster) sameFront(t *testing.T, thing string, first int) {
	t.Helper()
	var want front
	for n := range c.nodes {
		i := (first + n) % len(c.nodes)
		out, err := c.nodes[i].own.DeviceDescribeJobExecution(t.Context(), &wire.DeviceDescribeJobExecutionRequest{ThingName: thing, JobID: "$next"})
		check(t, fmt.Sprint("node ", i), err)
		if n == 0 {
			want = frontOf(out.Execution)
		}
		if got := frontOf(out.Execution); got != want {
			t.Errorf("node %d says that %+v is next on %s, node %d said %+v", i, got, thing, first, want)
		}
	}
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, "listen", err)
	check(t, "close", l.Close())
	return l.Addr().String()
}
