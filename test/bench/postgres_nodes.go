package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// nodes are servers that share a database.
type nodes []*process

// startNodes starts n servers on a database, which is a copy of a seed, and
// returns when each works on its share of the parts.
func (s *session) startNodes(ctx context.Context, d *database, seed *seedDatabase, name string, n int) (_ nodes, err error) {
	var ns nodes
	defer func() {
		if err != nil {
			err = errors.Join(err, ns.stop())
		}
	}()
	for i := range n {
		dir := filepath.Join(s.temp, fmt.Sprintf("node%d", i+1))
		p, _, err := startServer(ctx, s.program, dir, seed.key,
			"--store", d.url(name), "--cluster", "127.0.0.1:0", "--master-key-file", seed.master)
		if err != nil {
			return nil, err
		}
		ns = append(ns, p)
	}
	pool, err := d.pool(ctx, name, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	for begin := time.Now(); ; pause(ctx, 10*time.Millisecond) {
		var working, least int
		err := pool.QueryRow(ctx, `SELECT count(*), coalesce(min(parts), 0) FROM (
			SELECT count(*) AS parts FROM parts WHERE node <> '' GROUP BY node) AS n`).Scan(&working, &least)
		if err != nil || working == n && least >= seedParts/n {
			return ns, err
		}
		if time.Since(begin) > patience {
			return ns, fmt.Errorf("%d of %d nodes have taken parts, one of them only %d", working, n, least)
		}
	}
}

func (ns nodes) stop() error {
	var errs []error
	for _, p := range ns {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// cpu returns the CPU time that all have used.
func (ns nodes) cpu() time.Duration {
	var sum time.Duration
	for _, p := range ns {
		sum += p.cpu()
	}
	return sum
}

// targets returns where each speaks HTTP.
func (ns nodes) targets() []target {
	var ts []target
	for _, p := range ns {
		ts = append(ts, p.target)
	}
	return ts
}

// none waits until a query finds nothing.
func none(ctx context.Context, pool *pgxpool.Pool, every time.Duration, query string) error {
	for there := true; there; pause(ctx, every) {
		err := pool.QueryRow(ctx, `SELECT EXISTS (`+query+`)`).Scan(&there)
		if err != nil {
			return err
		}
	}
	return nil
}
