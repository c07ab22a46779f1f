package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/client"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/thing"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

const bigGroup = "everything"

// multitude is the things of a group that is large enough for something to happen in
// the middle of a rollout.
var multitude = numbered("fleet-", 50_000)

// registerBig puts them where the registry would, which is faster than asking for
// each of them.
func registerBig(t *testing.T, database string) {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: database})
	check(t, "open store", err)
	defer func() { check(t, "close store", s.Close()) }()
	uids := new(job.UIDs)
	uid := func() int64 { return uids.Next(time.Now().UnixMilli()) }
	group := uid()
	err = s.Update(t.Context(), func(tx store.Tx) error {
		return tx.InsertGroup(thing.Group{UID: group, Name: bigGroup, ID: bigGroup, Path: []int64{group}, Version: 1, CreatedAt: time.Now().UnixMilli()})
	})
	check(t, "insert group", err)
	start := time.Now()
	var g errgroup.Group
	g.SetLimit(4) // more would only wait for connections
	for names := range slices.Chunk(multitude, 1000) {
		g.Go(func() error {
			return s.Update(t.Context(), func(tx store.Tx) error { return register(tx, uid, group, names) })
		})
	}
	check(t, "register", g.Wait())
	t.Logf("%d things are registered after %s", len(multitude), time.Since(start).Round(time.Millisecond))
}

// register makes things that are members of a group.
func register(tx store.Tx, uid func() int64, group int64, names []string) error {
	for _, name := range names {
		id := uid()
		err := tx.InsertThing(thing.Thing{UID: id, Name: name, ID: fmt.Sprintf("%032x", id), Version: 1, CreatedAt: time.Now().UnixMilli()})
		if err != nil {
			return err
		}
		err = tx.InsertMember(thing.Member{UID: uid(), GroupUID: group, ThingUID: id, Thing: name})
		if err != nil {
			return err
		}
	}
	return nil
}

// rollOutBig makes a job for all of them and returns in the middle of its rollout.
func (tr *traffic) rollOutBig(t *testing.T, id string, c *client.Client) {
	t.Helper()
	_, err := c.CreateJob(t.Context(), &wire.CreateJobRequest{JobID: id, Targets: []string{groupARN(bigGroup)}, Document: "{}"})
	check(t, "create job", err)
	harness.Wait(t, time.Minute, "the rollout to begin", func(ctx context.Context) error {
		n, err := counters(ctx, c, id)
		if err == nil && n["QUEUED"] < 5000 {
			err = fmt.Errorf("counters: %v", n)
		}
		return err
	})
}

// rolledOut waits for the end of the rollout, and checks it: everybody has it once.
func (tr *traffic) rolledOut(t *testing.T, id string, c *client.Client) {
	t.Helper()
	start := time.Now()
	harness.Wait(t, 4*time.Minute, "the rollout to end", func(ctx context.Context) error {
		n, err := counters(ctx, c, id)
		if err == nil && n["QUEUED"] != int64(len(multitude)) {
			err = fmt.Errorf("counters: %v", n)
		}
		return err
	})
	t.Logf("the rollout has ended after another %s", time.Since(start).Round(time.Millisecond))
	l := newLedger()
	l.jobs[id] = &jobRecord{things: multitude, document: "{}"}
	check(t, "rollout", l.agree(t.Context(), c, id))
}
