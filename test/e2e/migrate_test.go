package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"muster/internal/pgtest"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// TestMigrate kills a server on SQLite in the middle of its fleet's work, moves
// the installation to PostgreSQL and goes on there: jobs, executions in progress,
// rollouts under way, group memberships, sessions of devices, keys. The first
// attempt to move is killed, too.
func TestMigrate(t *testing.T) {
	t.Parallel()
	harness.OnSQLite(t)
	g := plainGateway(t, "")
	names := numbered("device-", 600)
	fleet(t, g.own, "fleet", names)
	g.thing(t, "pump")
	d := dialing{version: 5, id: "pump", keep: true, plain: g.plain}
	l := connect(t, d)
	check(t, "subscribe", l.subscribe(t.Context(), pumpJobs+"notify", pumpJobs+"notify-next"))
	l.close()

	g.create(t, wire.CreateJobRequest{JobID: "update", TargetSelection: "CONTINUOUS", Targets: []string{groupARN("fleet")}})
	g.counts(t, "update", map[string]int64{"QUEUED": 600})
	g.turns(t, names[:400], "IN_PROGRESS")
	g.turns(t, names[:200], "SUCCEEDED")
	g.job(t, "missed", "pump")
	g.create(t, wire.CreateJobRequest{JobID: "second", Targets: []string{groupARN("fleet")}})
	check(t, "kill", g.Kill())

	url := pgtest.URL(t)
	breakOff(t, g.Data(), url)
	moved := harness.Config{Data: g.Data(), Args: []string{"--store", url}}
	contains(t, refusesWith(t, moved), "being moved into the database", "run it again")
	var report string
	check(t, "migrate", harness.Until(t.Context(), 50*time.Millisecond, func(ctx context.Context) error {
		r, err := program.Run(ctx, harness.Config{}, "migrate", "--from", "sqlite:"+g.Data(), "--to", url)
		if err == nil && r.Code != 0 {
			err = errors.New(r.Stderr)
		}
		if err != nil && !strings.Contains(err.Error(), "another move") { // the one that was killed may hang on for a moment
			err = harness.Final(err)
		}
		report = r.Stdout
		return err
	}))
	t.Log(report)
	contains(t, report, "rows have been moved and checked")

	g.serve(t, moved)
	g.counts(t, "update", map[string]int64{"QUEUED": 200, "IN_PROGRESS": 200, "SUCCEEDED": 200})
	out, err := g.own.DescribeJobExecution(t.Context(), &wire.DescribeJobExecutionRequest{ThingName: names[300], JobID: "update"})
	check(t, "describe", err)
	if x := out.Execution; x.Status != "IN_PROGRESS" || x.VersionNumber != 2 || x.StatusDetails.DetailsMap["said"] != "IN_PROGRESS" {
		t.Errorf("got %+v, want it in progress as it was", x)
	}
	g.counts(t, "second", map[string]int64{"QUEUED": 600}) // the rollout goes on to its end
	d.plain = g.plain
	l = connect(t, d)
	if !l.resumed {
		t.Error("the session of a device is lost")
	}
	l.expectJob(t, "missed")

	g.turns(t, names[200:], "SUCCEEDED") // of the first job
	g.turns(t, names, "SUCCEEDED")       // of the second
	g.counts(t, "update", map[string]int64{"SUCCEEDED": 600})
	g.counts(t, "second", map[string]int64{"SUCCEEDED": 600})
	check(t, "completion", harness.Until(t.Context(), 20*time.Millisecond, func(ctx context.Context) error {
		out, err := g.own.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: "second"})
		if err == nil && out.Job.Status != "COMPLETED" {
			err = fmt.Errorf("the job is %s", out.Job.Status)
		}
		return err
	}))
	g.thing(t, "newcomer")
	check(t, "join", g.own.AddThingToThingGroup(t.Context(), &wire.AddThingToThingGroupRequest{ThingGroupName: "fleet", ThingName: "newcomer"}))
	g.counts(t, "update", map[string]int64{"SUCCEEDED": 600, "QUEUED": 1})
}

// create creates a job with a document.
func (g *gateway) create(t *testing.T, in wire.CreateJobRequest) {
	t.Helper()
	in.Document = document
	_, err := g.own.CreateJob(t.Context(), &in)
	check(t, "create job", err)
}

// counts waits until the counters of a job that are not zero are as wanted.
func (g *gateway) counts(t *testing.T, id string, want map[string]int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check(t, "counters", harness.Until(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		got, err := counters(ctx, g.own, id)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			err = fmt.Errorf("job %s, -want +got:\n%s", id, diff)
		}
		return err
	}))
}

// turns lets each device start what is next for it, or go on with it, and report
// a status, unless starting is all that is wanted.
func (g *gateway) turns(t *testing.T, names []string, status string) {
	t.Helper()
	each(t, names, func(ctx context.Context, name string) error {
		out, err := g.own.StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{
			ThingName: name, StatusDetails: wire.Details{"said": "IN_PROGRESS"},
		})
		if err != nil {
			return err
		}
		if out.Execution == nil {
			return fmt.Errorf("nothing is next for %s", name)
		}
		if status == "IN_PROGRESS" {
			return nil
		}
		_, err = g.own.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{ThingName: name, JobID: out.Execution.JobID, Status: status})
		return err
	})
}

// breakOff kills a move when it has begun.
func breakOff(t *testing.T, data, url string) {
	t.Helper()
	status, err := program.Run(t.Context(), harness.Config{}, "migrate", "--store", url)
	check(t, "migrate", err)
	if status.Code != 0 {
		t.Fatal(status.Stderr)
	}
	c, err := pgx.Connect(t.Context(), url)
	check(t, "connect", err)
	defer c.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // all was asked
	tx, err := c.Begin(t.Context())
	check(t, "begin", err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE live IN SHARE MODE`) // it cannot get beyond this
	check(t, "lock", err)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	ended := make(chan error)
	go func() {
		_, err := program.Run(ctx, harness.Config{}, "migrate", "--from", "sqlite:"+data, "--to", url)
		ended <- err
	}()
	check(t, "begin of the move", harness.Until(t.Context(), 5*time.Millisecond, func(ctx context.Context) error {
		var begun bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'moving')`).Scan(&begun)
		if err == nil && !begun {
			err = errors.New("the target is not marked")
		}
		return err
	}))
	kill()
	if err := <-ended; err == nil {
		t.Error("the move has ended before it was killed")
	}
	check(t, "unlock", tx.Rollback(t.Context()))
}

// refusesWith is refuses for a server with more flags.
func refusesWith(t *testing.T, c harness.Config) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := program.Run(ctx, c, append([]string{"serve", "--data", c.Data, "--listen", "127.0.0.1:0"}, c.Args...)...)
	check(t, "serve", err)
	if r.Code != 1 {
		t.Errorf("got code %d, stdout %q, stderr %q", r.Code, r.Stdout, r.Stderr)
	}
	return r.Stderr
}
