package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"
)

// TestBridgeOfACluster serves a broker by two nodes, each of which works on half
// of the things: what a device is told comes after the answer that it follows
// from, because one node says both, until that node dies.
func TestBridgeOfACluster(t *testing.T) {
	b := newBroker(t)
	c := newCluster(t, 2, durable(t), func(_ int, cfg *harness.Config) {
		cfg.Args = append(cfg.Args, append(b.args(), "--mqtt-broker-mode", "single")...)
	})
	active := c.active(t)
	passive := c.nodes[1-active]
	const rounds = 5
	things := numbered("pump-", 40) // of many parts, on both nodes
	fleet(t, passive.own, "pumps", things)
	l := connect(t, dialing{version: 5, id: "listener", plain: b.plain})
	check(t, "subscribe", l.subscribe(t.Context(), "$aws/things/+/jobs/+/update/accepted", "$aws/things/+/jobs/notify"))
	var early []string
	for round := range rounds {
		id := fmt.Sprint("job-", round)
		_, err := passive.own.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: id, Targets: []string{groupARN("pumps")}, Document: document})
		check(t, "create job", err)
		s := newSequence(l, things)
		s.until(t, func(seen string) bool { return strings.HasSuffix(seen, "+") }) // all have work
		each(t, things, func(ctx context.Context, thing string) error {
			return l.publish(ctx, "$aws/things/"+thing+"/jobs/"+id+"/update", `{"status":"SUCCEEDED"}`)
		})
		s.until(t, func(seen string) bool { return strings.Contains(seen, "a") && strings.HasSuffix(seen, "-") })
		for thing, seen := range s.seen {
			if strings.Index(seen, "a") > strings.Index(seen, "-") {
				early = append(early, fmt.Sprintf("round %d: %s is told before it is answered: %s", round, thing, seen))
			}
		}
	}
	// A machine that stands still for a second makes the other node step in.
	if here, there := notifications(t, c.nodes[active]), notifications(t, passive); there > here/4 || there == 0 && len(early) > 0 {
		t.Errorf("the active node has published %d notifications, the other one %d: want all by the active one\n%s", here, there, strings.Join(early, "\n"))
	}

	check(t, "kill", c.nodes[active].Kill())
	_, err := passive.own.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: "last", Targets: []string{groupARN("pumps")}, Document: document})
	check(t, "create job", err)
	newSequence(l, things).until(t, func(seen string) bool { return strings.HasSuffix(seen, "+") })
}

// active returns the node that takes requests from the broker.
func (c *cluster) active(t *testing.T) int {
	t.Helper()
	active := 0
	harness.Wait(t, soon, "a node to be active and all to publish", func(ctx context.Context) error {
		sum := 0
		for i, g := range c.nodes {
			n, err := gauge(ctx, g.Server, "muster_bridge_active")
			if err == nil && n > 0 {
				active = i
			}
			var up int
			if err == nil {
				up, err = gauge(ctx, g.Server, `muster_bridge_connected\{link="publish"\}`)
			}
			if err != nil || up == 0 {
				return fmt.Errorf("node %d does not publish: %w", i, err)
			}
			sum += n
		}
		if sum != 1 {
			return fmt.Errorf("%d are active", sum)
		}
		return nil
	})
	return active
}

// notifications returns how many a node has published.
func notifications(t *testing.T, g *gateway) int {
	t.Helper()
	_, text, err := g.Get(t.Context(), "/metrics")
	check(t, "metrics", err)
	sum := 0
	for _, m := range regexp.MustCompile(`(?m)^muster_mqtt_notifications_total.* (\d+)$`).FindAllStringSubmatch(text, -1) {
		var n int
		_, err = fmt.Sscan(m[1], &n)
		check(t, "metrics", err)
		sum += n
	}
	return sum
}

// sequence is what things have been told, in order: a for an accepted update, +
// for a list with a job, - for an empty one.
type sequence struct {
	l    *link
	seen map[string]string
}

func newSequence(l *link, things []string) *sequence {
	s := &sequence{l, make(map[string]string)}
	for _, thing := range things {
		s.seen[thing] = ""
	}
	return s
}

// until waits until ok holds for every thing.
func (s *sequence) until(t *testing.T, ok func(seen string) bool) {
	t.Helper()
	late := time.After(takeover + soon)
	for {
		waiting := 0
		for _, seen := range s.seen {
			if !ok(seen) {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		select {
		case m := <-s.l.inbox:
			levels := strings.Split(m.topic, "/")
			s.seen[levels[2]] += map[bool]string{true: "a", false: told(m.payload)}[strings.HasSuffix(m.topic, "accepted")]
		case <-late:
			t.Fatalf("%d things have not been told: %v", waiting, s.seen)
		}
	}
}

func told(list string) string {
	if strings.Contains(list, `"jobId"`) {
		return "+"
	}
	return "-"
}
