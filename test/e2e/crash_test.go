package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/sim"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

const (
	crashRounds = 20
	timedRound  = 5 // in which executions with a timer start
)

// TestCrashes kills the server twenty times in the middle of its work, at a
// random moment each time, and once more while timers run out. After each start,
// everything that was acknowledged is there, over HTTP or MQTT, and devices are
// told what is next; in the end, they finish what there is to do. The seed that
// it prints repeats its choices, though not the order in which the machine runs
// them.
func TestCrashes(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	r := rand.New(rand.NewPCG(seed, 0))
	c := &crashes{ledger: newLedger(), things: numbered("device-", 40), many: numbered("fleet-", 700), timed: numbered("timed-", 5)}
	c.cfg = harness.Config{Data: t.TempDir()}
	c.serve(t)
	c.setUp(t)
	c.connect(t)
	var due time.Time
	acks := 0
	for round := range crashRounds {
		if round == timedRound {
			due = c.startTimers(t)
		}
		if round%5 == 2 {
			c.rollOut(t, fmt.Sprint("fleet-job-", round))
		}
		moment := 1 + r.IntN(250)
		if round%4 == 3 {
			moment = 1 + r.IntN(5) // just after the start
		}
		enough := c.ledger.round(moment)
		done := make(chan error, 1)
		go func() {
			done <- load{c.ledger, c.client, c.couriers, round, seed, c.things}.run(t.Context())
		}()
		select {
		case <-enough:
		case err := <-done:
			t.Fatalf("round %d: %v", round, err)
		}
		check(t, "kill", c.server.Kill())
		check(t, fmt.Sprint("round ", round), <-done)
		acks += c.ledger.acks
		if round%5 == 4 {
			c.killWhileStarting(t, time.Duration(r.Int64N(int64(150*time.Millisecond))))
		}
		c.serve(t)
		c.connect(t)
		c.expectTold(t)
		c.ledger.audit(t, c.client, false)
	}
	check(t, "kill", c.server.Kill())
	c.passOver(t, due)
	c.serve(t)
	c.timersHaveFired(t)
	c.ledger.audit(t, c.client, true)
	t.Logf("%d acknowledgments, %d jobs, %d executions", acks, len(c.ledger.jobs), len(c.ledger.executions))
	c.farewell(t)
	c.finish(t)
}

// crashes is the world of the test.
type crashes struct {
	cfg      harness.Config
	server   *gateway
	client   *client.Client
	ledger   *ledger
	couriers []*courier // of the devices, with sessions that outlive servers
	late     int        // notifications that came after a kill

	things []string // whose devices work while servers are killed
	many   []string // of a group with more things than a turn of the rollout loop takes
	timed  []string // whose devices start and are never heard of again
}

func (c *crashes) serve(t *testing.T) {
	t.Helper()
	c.server = new(gateway)
	c.server.serve(t, c.cfg)
	c.client = c.server.own
}

func (c *crashes) setUp(t *testing.T) {
	t.Helper()
	fleet(t, c.client, "fleet", c.many)
	each(t, slices.Concat(c.things, c.timed), func(ctx context.Context, name string) error {
		_, err := c.client.CreateThing(ctx, &wire.CreateThingRequest{ThingName: name})
		return err
	})
}

// startTimers returns when they run out.
func (c *crashes) startTimers(t *testing.T) time.Time {
	t.Helper()
	var arns []string
	for _, thing := range c.timed {
		arns = append(arns, thingARN(thing))
	}
	_, err := c.client.CreateJob(t.Context(), &wire.CreateJobRequest{
		JobID: "timed", Targets: arns, Document: "{}", TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: 1},
	})
	check(t, "create job", err)
	for _, thing := range c.timed {
		out, err := c.client.StartNextPendingJobExecution(t.Context(), &wire.StartNextPendingJobExecutionRequest{ThingName: thing})
		check(t, "start", err)
		if out.Execution == nil {
			t.Fatalf("%s has nothing to start", thing)
		}
	}
	return time.Now().Add(time.Minute)
}

// rollOut makes a job for the group and does not wait for its rollout, which
// the kill will cut off.
func (c *crashes) rollOut(t *testing.T, id string) {
	t.Helper()
	_, err := c.client.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: id, Targets: []string{groupARN("fleet")}, Document: "{}"})
	check(t, "create job", err)
	c.ledger.do(func() { c.ledger.adopt(id, &jobRecord{things: c.many, document: "{}"}) })
}

// killWhileStarting starts a server and kills it after a moment, ready or not.
func (c *crashes) killWhileStarting(t *testing.T, moment time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	s, err := harness.Start(ctx, program, c.cfg)
	if err == nil {
		check(t, "kill", errors.Join(s.Kill(), s.Discard()))
	}
}

// passOver lets time go on without a server until after due.
func (c *crashes) passOver(t *testing.T, due time.Time) {
	t.Helper()
	wait := time.Until(due)
	if wait < 0 {
		t.Logf("the timers have run out %s ago, while a server ran", -wait)
	}
	select {
	case <-time.After(wait + time.Second):
	case <-t.Context().Done():
	}
}

// timersHaveFired waits for the counters, which nothing but the timers changes.
func (c *crashes) timersHaveFired(t *testing.T) {
	t.Helper()
	harness.Wait(t, soon, "timers that ran out without a server", func(ctx context.Context) error {
		n, err := counters(ctx, c.client, "timed")
		if err == nil && n["TIMED_OUT"] != int64(len(c.timed)) {
			err = fmt.Errorf("counters: %v", n)
		}
		return err
	})
}

// finish lets all devices do what there is to do, and looks at the end of every job.
func (c *crashes) finish(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var devices []*sim.Device
	for _, thing := range slices.Concat(c.things, c.many) {
		devices = append(devices, simulated(t, c.server.Server, sim.Config{Thing: thing}))
	}
	var wg sync.WaitGroup
	wg.Go(func() { sim.Run(ctx, 64, devices...) })
	defer wg.Wait()
	defer cancel()
	harness.Wait(t, 2*time.Minute, "all jobs to be over", func(ctx context.Context) error {
		out, err := c.client.ListJobs(ctx, &wire.ListJobsRequest{Status: "IN_PROGRESS"})
		if err == nil && len(out.Jobs) > 0 {
			err = fmt.Errorf("%d jobs are in progress, the first is %s", len(out.Jobs), out.Jobs[0].JobID)
		}
		return err
	})
	for id := range c.ledger.jobs {
		harness.Wait(t, time.Minute, "devices to finish what was under way, also in canceled jobs", func(ctx context.Context) error {
			n, err := counters(ctx, c.client, id)
			if err == nil && n["QUEUED"]+n["IN_PROGRESS"] > 0 {
				err = fmt.Errorf("job %s: %v", id, n)
			}
			return err
		})
		check(t, "after the end", c.ledger.agree(t.Context(), c.client, id))
	}
	c.ledger.finished(t, c.client)
}
