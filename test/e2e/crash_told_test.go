package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// connect connects the devices, over either version of MQTT. From the second
// time on they find their sessions.
func (c *crashes) connect(t *testing.T) {
	t.Helper()
	for id := range loadDevices {
		if id == len(c.couriers) {
			c.couriers = append(c.couriers, newCourier(dialing{version: 3 + id%2*2, id: fmt.Sprint("courier-", id), keep: true}))
		}
		k := c.couriers[id]
		again := k.link != nil
		k.plain = c.server.plain
		check(t, "connect", k.connect(t.Context()))
		t.Cleanup(k.link.close)
		switch {
		case k.link.resumed != again:
			t.Fatalf("%s: the session is there: got %t, want %t", k.id, k.link.resumed, again)
		case again:
			continue
		}
		for _, thing := range shareOf(id, c.things) {
			check(t, "subscribe", k.link.subscribe(t.Context(), "$aws/things/"+thing+"/jobs/notify-next"))
		}
	}
}

// expectTold waits until every device has been told what is next for its things,
// before the kill or since. What it was told last must be so.
func (c *crashes) expectTold(t *testing.T) {
	t.Helper()
	for id, k := range c.couriers {
		before := k.told
		expectFronts(t, c.client, k, shareOf(id, c.things))
		c.late += k.told - before
	}
}

// expectFronts waits until a device knows what is next on its things.
func expectFronts(t *testing.T, c *client.Client, k *courier, things []string) {
	t.Helper()
	for _, thing := range things {
		harness.Wait(t, soon, "a device to be told what is next", func(ctx context.Context) error {
			k.drain()
			out, err := c.DeviceDescribeJobExecution(ctx, &wire.DeviceDescribeJobExecutionRequest{ThingName: thing, JobID: "$next"})
			if err != nil {
				return harness.Final(err)
			}
			if got, want := k.fronts[thing], frontOf(out.Execution); got != want {
				return fmt.Errorf("%s was told last that %+v is next, and it is %+v", thing, got, want)
			}
			return nil
		})
	}
}

// farewell looks once more and lets the devices go.
func (c *crashes) farewell(t *testing.T) {
	t.Helper()
	c.connect(t)
	c.expectTold(t)
	answers, told := 0, 0
	for _, k := range c.couriers {
		k.link.close()
		answers, told = answers+k.answers, told+k.told
	}
	t.Logf("over MQTT: %d answers, %d notifications, %d of them after a kill", answers, told, c.late)
	if answers == 0 || c.late == 0 {
		t.Error("MQTT had no part in it")
	}
}
