package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/store/postgres"
	"muster/internal/thing"
)

// seedParts is how many parts the seeded databases have, as new ones do.
const seedParts = 64

// seedDatabase is a database with a fleet, which is copied before it changes.
type seedDatabase struct {
	name   string
	key    sigv4.Credentials
	master string // file of the master key
	rows   []fleetRow
	job    int64 // uid of the live job
	group  int64 // uid
}

// fleetRow is a thing of a fleet.
type fleetRow struct {
	part      int32
	uid       int64
	name      string
	queuedAt  int64
	busy, own bool // has an execution; is a member of the group
}

// seedPostgres makes a database and fills it, with the driver's bulk load where
// there is much.
func (s *session) seedPostgres(ctx context.Context, d *database, name string, f fleet) (_ *seedDatabase, err error) {
	begin := time.Now()
	s.log.Printf("filling a database: %s", name)
	if err := d.command(ctx, `CREATE DATABASE `+name); err != nil {
		return nil, err
	}
	b := &seedDatabase{name: name, master: filepath.Join(s.temp, "master.key")}
	if err := b.fill(ctx, d, f); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.temp, name)
	err = initFolder(ctx, s.program, dir, "--store", d.url(name), "--master-key-file", b.master)
	if err == nil {
		b.key, _, err = client.FindCredentials(client.Sources{Data: dir})
	}
	s.log.Printf("filled in %s", time.Since(begin).Round(100*time.Millisecond))
	return b, err
}

func (b *seedDatabase) fill(ctx context.Context, d *database, f fleet) error {
	err := b.begin(ctx, d, f)
	if err != nil {
		return err
	}
	pool, err := d.pool(ctx, b.name, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	return b.load(ctx, pool)
}

// begin makes the schema, the job and the group, and names the things.
func (b *seedDatabase) begin(ctx context.Context, d *database, f fleet) error {
	st, err := postgres.Open(ctx, postgres.Config{URL: d.url(b.name), Parts: seedParts})
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	var uids job.UIDs
	b.group = uids.Next(now)
	g := thing.Group{UID: b.group, Name: group, ID: group, Path: []int64{b.group}, Version: 1, CreatedAt: now}
	j := job.New(job.Spec{ID: liveJob, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.GroupTarget, Name: group, UID: b.group}}}, uids.Next(now), now)
	b.job = j.UID
	err = st.Update(ctx, func(tx store.Tx) error { return errors.Join(tx.InsertGroup(g), tx.InsertJob(j, document)) })
	add := func(name string, busy, own bool) {
		b.rows = append(b.rows, fleetRow{int32(st.PartOf(name)), uids.Next(now), name, now, busy, own})
	}
	for i := range f.things {
		add(thingName(i), f.busy, f.grouped)
	}
	for i := range f.probes {
		add(probeName(i), true, false)
	}
	return errors.Join(err, st.Close())
}

// load copies things, memberships and executions, in the order of their keys.
func (b *seedDatabase) load(ctx context.Context, pool *pgxpool.Pool) error {
	order := slices.Clone(b.rows)
	slices.SortFunc(order, func(x, y fleetRow) int { return cmp.Or(cmp.Compare(x.part, y.part), cmp.Compare(x.uid, y.uid)) })
	which := func(keep func(fleetRow) bool) []fleetRow {
		return slices.DeleteFunc(slices.Clone(order), func(r fleetRow) bool { return !keep(r) })
	}
	busy, own := which(func(r fleetRow) bool { return r.busy }), which(func(r fleetRow) bool { return r.own })
	for _, t := range []struct {
		name    string
		columns []string
		rows    []fleetRow
		values  func(fleetRow) []any
	}{
		{"things", []string{"part", "name", "uid", "id", "type", "version", "created_at"}, order, func(r fleetRow) []any {
			return []any{r.part, r.name, r.uid, fmt.Sprintf("%032x", r.uid), "", 1, r.queuedAt}
		}},
		{"members", []string{"group_uid", "part", "thing_uid", "uid", "thing"}, own, func(r fleetRow) []any {
			return []any{b.group, r.part, r.uid, r.uid, r.name}
		}},
		{
			"live", []string{
				"part", "thing_uid", "queued_at", "job_uid", "number", "status", "forced", "version", "started_at", "updated_at",
				"deadline", "step", "cause", "armed", "turn", "thing", "details",
			}, busy, func(r fleetRow) []any {
				return []any{
					r.part, r.uid, r.queuedAt, b.job, 1, job.InProgress, false, 2, r.queuedAt, r.queuedAt,
					0, 0, b.job, 0, 2, r.name, storedDetails[r.uid%90],
				}
			},
		},
	} {
		rows := pgx.CopyFromSlice(len(t.rows), func(i int) ([]any, error) { return t.values(t.rows[i]), nil })
		if _, err := pool.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, rows); err != nil {
			return fmt.Errorf("fill %s: %w", t.name, err)
		}
		if _, err := pool.Exec(ctx, `VACUUM (FREEZE, ANALYZE) `+t.name); err != nil {
			return err
		}
	}
	_, err := pool.Exec(ctx, `INSERT INTO counts (job_uid, part, queued, in_progress, succeeded, failed, timed_out, rejected, removed, canceled)
		SELECT job_uid, part, 0, count(*), 0, 0, 0, 0, 0, 0 FROM live GROUP BY job_uid, part`)
	return err
}
