package e2e_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"
)

// newListener makes things, and connects a device with node 1 that is to listen for
// what is next on them.
func (c *cluster) newListener(t *testing.T, keep bool, things []string) *courier {
	t.Helper()
	each(t, things, func(ctx context.Context, name string) error {
		_, err := c.nodes[0].own.CreateThing(ctx, &wire.CreateThingRequest{ThingName: name})
		return err
	})
	k := newCourier(dialing{version: 5, id: "listener", keep: keep, plain: c.nodes[1].plain})
	check(t, "connect", k.connect(t.Context()))
	t.Cleanup(func() { k.link.hangUp() })
	return k
}

// listenTo makes a device listen for what is next on things.
func (c *courier) listenTo(t *testing.T, things []string) {
	t.Helper()
	for _, thing := range things {
		check(t, "subscribe", c.link.subscribe(t.Context(), "$aws/things/"+thing+"/jobs/notify-next"))
	}
}

// give makes a job for things on node 0.
func (c *cluster) give(t *testing.T, id string, things []string) {
	t.Helper()
	var targets []string
	for _, thing := range things {
		targets = append(targets, thingARN(thing))
	}
	_, err := c.nodes[0].own.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: id, Targets: targets, Document: "{}"})
	check(t, "create job", err)
}

// TestDevicesOfANodeThatWasForgottenAreTold stops the process of a node for so long
// that the others know nothing of it any more. The connection of its device lives
// on, and what happened meanwhile must be told there.
func TestDevicesOfANodeThatWasForgottenAreTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, durable(t), nil)
	things := numbered("device-", 12)
	k := c.newListener(t, false, things)
	k.listenTo(t, things)
	pid := c.nodes[1].PID()
	check(t, "stop", syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	pass(t, 16*time.Second) // it is taken for dead, its sessions are looked for, and its filters fade
	c.give(t, "j", things)
	pass(t, 2*time.Second)
	check(t, "continue", syscall.Kill(pid, syscall.SIGCONT))
	expectFronts(t, c.nodes[0].own, k, things)
	check(t, "the connection", k.link.over.Err())
}

// TestSubscriptionsWhileTheBusIsCutAreTold subscribes before anybody has noticed
// that nodes do not hear of each other.
func TestSubscriptionsWhileTheBusIsCutAreTold(t *testing.T) {
	t.Parallel()
	c, bus := newParted(t)
	things := numbered("device-", 12)
	k := c.newListener(t, true, things)
	for i, how := range []harness.Flow{harness.Mute, harness.Resetting} {
		part := things[i*6 : i*6+6]
		bus(how)
		k.listenTo(t, part)
		c.give(t, []string{"silent", "reset"}[i], part)
		pass(t, 3*time.Second)
		bus(harness.Passing)
		expectFronts(t, c.nodes[0].own, k, part)
		c.together(t, 1)
	}
	check(t, "the connection", k.link.over.Err())
}
