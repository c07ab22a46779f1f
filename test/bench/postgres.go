package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/internal/pgtest"
)

// postgresSettings are those of a server that has the machine almost to itself.
// What is acknowledged is on the disk. No checkpoint falls into a measurement.
var postgresSettings = []string{
	"fsync=on", "synchronous_commit=on", "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min",
}

// database is a PostgreSQL server of this run.
type database struct {
	server *pgtest.Server
	copies int
}

// startPostgres starts a server beside the session's folder: it may run as
// another user, who must not need to enter that.
func (s *session) startPostgres(ctx context.Context) (*database, error) {
	dir, err := filepath.Abs(filepath.Dir(s.temp))
	if err != nil {
		return nil, err
	}
	server, err := pgtest.Open(ctx, dir, postgresSettings...)
	return &database{server: server}, err
}

// url returns the address of one of the server's databases.
func (d *database) url(name string) string {
	return fmt.Sprintf("postgres://muster@%s/%s?sslmode=disable", d.server.Addr(), name)
}

// command runs a statement that no transaction may hold.
func (d *database) command(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, d.url("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql)
	return errors.Join(err, c.Close(ctx))
}

// copy makes a database that is equal to another, which nobody may use meanwhile.
func (d *database) copy(ctx context.Context, from string) (name string, drop func() error, err error) {
	d.copies++
	name = fmt.Sprintf("%s_%d", from, d.copies)
	err = d.command(ctx, `CREATE DATABASE `+name+` TEMPLATE `+from)
	return name, func() error { return d.command(context.WithoutCancel(ctx), `DROP DATABASE `+name+` WITH (FORCE)`) }, err
}

// pool returns connections to a database. Its statements are planned as the
// store's are, for lists of any length.
func (d *database) pool(ctx context.Context, name string, conns int) (*pgxpool.Pool, error) {
	return pgxpool.New(ctx, d.url(name)+"&plan_cache_mode=force_generic_plan&pool_max_conns="+strconv.Itoa(conns))
}

// cpu returns the CPU time that the server's processes have used, or 0 if the
// system does not tell.
func (d *database) cpu() time.Duration {
	pid := d.server.Pid()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	sum := processCPU(pid)
	for _, child := range strings.Fields(string(b)) {
		if id, err := strconv.Atoi(child); err == nil {
			sum += processCPU(id)
		}
	}
	return sum
}

// shared is a sample with the CPU time that the database used for it.
type shared struct {
	sample
	database time.Duration
}

// databaseEach returns the CPU seconds of the database for an operation.
func (s shared) databaseEach() float64 { return s.database.Seconds() / float64(max(1, s.ops)) }

// measure measures with a clock of the CPU time of what uses the database, and
// adds that of the database itself.
func (d *database) measure(cpu func() time.Duration, loop func(cpu func() time.Duration) (sample, error)) (shared, error) {
	var at []time.Duration
	x, err := loop(func() time.Duration {
		at = append(at, d.cpu())
		return cpu()
	})
	out := shared{sample: x}
	if len(at) > 1 {
		out.database = at[len(at)-1] - at[0]
	}
	return out, err
}

// samplesOf returns what was seen without the database's part.
func samplesOf(all []shared) []sample {
	out := make([]sample, len(all))
	for i, s := range all {
		out[i] = s.sample
	}
	return out
}

func databaseCost(all []shared) string {
	values := make([]float64, len(all))
	for i, s := range all {
		values[i] = s.databaseEach()
	}
	return spread(values, duration)
}
