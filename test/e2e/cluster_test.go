package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"muster/internal/wire"
	"muster/test/internal/harness"
)

// TestThreeNodesAreOneServer makes a job on one node, tells devices on another
// and works through a third, and stops one in the end.
func TestThreeNodesAreOneServer(t *testing.T) {
	c := newCluster(t, 3, durable(t), nil)
	a, b, z := c.nodes[0].own, c.nodes[1].own, c.nodes[2]
	things := numbered("device-", 300)
	fleet(t, b, "fleet", things)

	k := newCourier(dialing{version: 5, id: "listener", plain: z.plain})
	check(t, "connect", k.connect(t.Context()))
	t.Cleanup(func() { k.link.close() })
	for _, thing := range things[:20] {
		check(t, "subscribe", k.link.subscribe(t.Context(), "$aws/things/"+thing+"/jobs/notify-next"))
	}
	start := time.Now()
	_, err := a.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: "j", Targets: []string{groupARN("fleet")}, Document: document})
	check(t, "create job", err)
	harness.Wait(t, soon, "devices to be told", func(context.Context) error {
		k.drain()
		if k.told < 20 {
			return fmt.Errorf("%d are", k.told)
		}
		return nil
	})
	t.Logf("20 devices are told after %s", time.Since(start).Round(time.Millisecond))

	l := newLedger()
	l.do(func() { l.adopt("j", &jobRecord{things: things, document: document}) })
	for _, g := range c.nodes {
		harness.Wait(t, soon, "the rollout", func(ctx context.Context) error { return l.agree(ctx, g.own, "j") })
	}
	each(t, things, func(ctx context.Context, thing string) error {
		out, err := b.StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{ThingName: thing})
		if err != nil {
			return err
		}
		if out.Execution == nil {
			return fmt.Errorf("%s has nothing to do", thing)
		}
		_, err = z.own.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{ThingName: thing, JobID: "j", Status: "SUCCEEDED"})
		return err
	})
	for i, g := range c.nodes {
		harness.Wait(t, soon, "the end of the job", func(ctx context.Context) error {
			out, err := g.own.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: "j"})
			if err == nil && out.Job.Status != "COMPLETED" {
				err = fmt.Errorf("node %d: it is %s", i, out.Job.Status)
			}
			return err
		})
		check(t, "after the end", l.agree(t.Context(), g.own, "j"))
	}

	harness.StopNow(t, c.nodes[1].Server)
	c.avoid(1, true)
	if took := c.shared(t, takeover); took > 3*time.Second {
		t.Errorf("parts of a node that has stopped were taken after %s", took)
	} else {
		t.Logf("parts of a node that has stopped were taken after %s", took.Round(time.Millisecond))
	}
	check(t, "on two nodes", l.agree(t.Context(), a, "j"))
}
