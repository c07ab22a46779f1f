package e2e_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/agent"
	mqttdial "muster/internal/agent/dial"
	"muster/internal/client"
	"muster/internal/sim"
	"muster/internal/wire"
	"muster/test/internal/harness"

	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
)

// each calls fn for every item from many goroutines at once, and ends the test
// with the first error.
func each[T any](t testing.TB, items []T, fn func(context.Context, T) error) {
	t.Helper()
	const workers = 32
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	queue := make(chan T)
	var wg sync.WaitGroup
	for range min(workers, len(items)) {
		wg.Go(func() {
			for item := range queue {
				if err := fn(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
}

// fleet makes things and a group of them.
func fleet(t testing.TB, c *client.Client, group string, things []string) {
	t.Helper()
	_, err := c.CreateThingGroup(t.Context(), &wire.CreateThingGroupRequest{ThingGroupName: group})
	check(t, "create group", err)
	each(t, things, func(ctx context.Context, name string) error {
		_, err := c.CreateThing(ctx, &wire.CreateThingRequest{ThingName: name})
		return errors.Join(err, c.AddThingToThingGroup(ctx, &wire.AddThingToThingGroupRequest{ThingGroupName: group, ThingName: name}))
	})
}

// simulated returns a device that connects to s over MQTT.
func simulated(t testing.TB, s *harness.Server, c sim.Config) *sim.Device {
	t.Helper()
	urls, err := os.ReadFile(filepath.Join(s.Data(), "device-endpoints"))
	check(t, "where devices connect", err)
	c.Transport, err = mqttdial.New(mqttdial.Config{URL: strings.Fields(string(urls))[0], ClientID: c.Thing})
	check(t, "new transport", err)
	d, err := sim.New(c)
	check(t, "new device", err)
	return d
}

// TestFleetFinishesAJob lets a thousand devices that are connected do one job at
// once: none is forgotten, and none waits for ever.
func TestFleetFinishesAJob(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	c := own(t, s.Server)
	names := numbered("device-", 1000)
	fleet(t, c, "fleet", names)
	s.job(t, "roll", nil, groupARN("fleet"))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	finished := make(chan string, 2*len(names))
	devices := make([]*sim.Device, len(names))
	for i, name := range names {
		plan := sim.Plan{Steps: 2}
		if i%10 == 0 {
			plan.FailAt = 50
		}
		devices[i] = simulated(t, s.Server, sim.Config{Thing: name, Plan: plan, Finished: func(_, status string) { finished <- status }})
	}
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { sim.Run(ctx, 64, devices...) })
	got := make(map[string]int)
	for range names {
		select {
		case status := <-finished:
			got[status]++
		case <-ctx.Done():
			t.Fatalf("after %s: finished %v of %d; %v", time.Since(start), got, len(names), tally(s.describe(t, "roll")))
		}
	}
	took := time.Since(start)
	cancel()
	wg.Wait()
	if diff := cmp.Diff(map[string]int{agent.Succeeded: 900, agent.Failed: 100}, got); diff != "" {
		t.Errorf("finished, -want +got:\n%s", diff)
	}
	j := s.reaches(t, "roll", types.JobStatusCompleted)
	if diff := cmp.Diff(map[string]int32{"succeeded": 900, "failed": 100}, tally(j)); diff != "" {
		t.Errorf("counters, -want +got:\n%s", diff)
	}
	t.Logf("%d devices have finished in %s", len(names), took.Round(time.Millisecond))
}
