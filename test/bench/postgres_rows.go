package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"muster/internal/auth"
)

// onPostgres measures rows i to iii with several numbers of nodes on a
// PostgreSQL server.
func (s *session) onPostgres(ctx context.Context) (err error) {
	d, err := s.startPostgres(ctx)
	if err != nil {
		return err
	}
	defer d.server.Close()
	s.conditions = append(s.conditions, "PostgreSQL on the same machine: "+fmt.Sprint(postgresSettings))
	if s.measures("i") || s.measures("ii") {
		if err := s.sharedUpdates(ctx, d); err != nil {
			return err
		}
	}
	if !s.measures("iii") {
		return nil
	}
	err = s.sharedRollouts(ctx, d, s.things)
	if err == nil && s.large {
		err = s.sharedRollouts(ctx, d, 1_000_000)
	}
	return err
}

// requestsPostgres is how many connections row ii has here.
const requestsPostgres = 1000

// sharedRow is row i or ii on PostgreSQL.
type sharedRow struct {
	name, what  string
	connections int
	door        string // the raw limit that is no database
	serve       string // what a child serves as that
	doors       []sample
	statements  []shared
	nodes       map[int][]shared
	load        func(ctx context.Context, cpu func() time.Duration, ns nodes) (sample, error)
}

func (s *session) sharedUpdates(ctx context.Context, d *database) (err error) {
	seed, err := s.seedPostgres(ctx, d, "wide", fleet{things: s.executions, busy: true})
	if err != nil {
		return err
	}
	bare, _, err := d.copy(ctx, seed.name)
	if err != nil {
		return err
	}
	statements, err := openStatements(ctx, d, seed, bare)
	if err != nil {
		return err
	}
	defer statements.close()
	rows := []*sharedRow{
		{
			name: "i", what: "update over HTTP", connections: s.connections, door: "bare signed handler", serve: serveHandler,
			load: func(ctx context.Context, cpu func() time.Duration, ns nodes) (sample, error) {
				return s.loadAll(ctx, cpu, ns.targets()...)
			},
		},
		{
			name: "ii", what: "update over MQTT", connections: requestsPostgres, door: "bare endpoint", serve: serveEndpoint,
			load: s.askAll,
		},
	}
	for _, r := range rows {
		if !s.measures(r.name) {
			continue
		}
		r.nodes = make(map[int][]shared)
		for n := range s.rounds {
			if err := s.sharedRound(ctx, d, seed, statements, r); err != nil {
				return err
			}
			s.log.Printf("row %s, round %d: %s %s, statements %s, Muster %s", r.name, n+1, r.door,
				perSecond(r.doors[n].rate()), perSecond(r.statements[n].rate()), s.ratesOf(r, n))
		}
		r.report(s)
	}
	return nil
}

func (s *session) ratesOf(r *sharedRow, round int) string {
	text := ""
	for _, n := range s.nodes {
		text += fmt.Sprintf(" %d: %s", n, perSecond(r.nodes[n][round].rate()))
	}
	return text
}

func (s *session) sharedRound(ctx context.Context, d *database, seed *seedDatabase, statements *bareStatements, r *sharedRow) error {
	id, secret := auth.NewAccessKey()
	p, err := startChild(ctx, childOptions{Serve: r.serve, KeyID: id, Secret: secret})
	if err != nil {
		return err
	}
	x, err := r.load(ctx, p.cpu, nodes{p})
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	r.doors = append(r.doors, x)
	y, err := statements.measure(ctx, d, r.connections, s.interval)
	if err != nil {
		return err
	}
	r.statements = append(r.statements, y)
	for _, n := range s.nodes {
		ns, err := s.startNodes(ctx, d, seed, seed.name, n)
		if err != nil {
			return err
		}
		y, err := d.measure(ns.cpu, func(cpu func() time.Duration) (sample, error) { return r.load(ctx, cpu, ns) })
		if err = errors.Join(err, ns.stop()); err != nil {
			return fmt.Errorf("%d nodes: %w", n, err)
		}
		r.nodes[n] = append(r.nodes[n], y)
	}
	return nil
}

// askAll is ask with the connections spread over nodes.
func (s *session) askAll(ctx context.Context, cpu func() time.Duration, ns nodes) (sample, error) {
	var a askers
	defer a.close()
	return closedLoop(ctx, requestsPostgres, s.interval, cpu, func(i int) (func() error, error) {
		return a.worker(ctx, ns[i%len(ns)], s.executions)(i)
	})
}

func (r *sharedRow) report(s *session) {
	for _, n := range s.nodes {
		all := r.nodes[n]
		ratios, limits := make([]float64, len(all)), make([]float64, len(all))
		for i := range all {
			limits[i] = min(r.doors[i].rate(), r.statements[i].rate())
			ratios[i] = all[i].rate() / limits[i]
		}
		took := pool(samplesOf(all))
		s.add(entry{
			row: r.name, what: fmt.Sprintf("%s, %s", r.what, nodesText(n)), raw: spread(limits, perSecond),
			muster: spread(apply(samplesOf(all), sample.rate), perSecond), ratio: spread(ratios, ratio),
			goal: "≥ 0.60", verdict: judge(middle(ratios) >= .6), p50: short(quantile(took, .5)), p99: short(quantile(took, .99)),
		})
	}
	took := pool(r.doors)
	s.note("%s: %d connections: %s %s, p50 %s, p99 %s, CPU of its process %s an operation.", r.name, r.connections, r.door,
		spread(apply(r.doors, sample.rate), perSecond), short(quantile(took, .5)), short(quantile(took, .99)),
		spread(apply(r.doors, sample.cpuEach), duration))
	s.noteShared(r.name, "bare statements", r.statements)
	for _, n := range s.nodes {
		s.noteShared(r.name, "Muster, "+nodesText(n), r.nodes[n])
	}
}

func (s *session) noteShared(row, who string, all []shared) {
	took := pool(samplesOf(all))
	s.note("%s: %s: %s, p50 %s, p99 %s, CPU of an operation: %s, PostgreSQL %s.", row, who, spread(apply(samplesOf(all), sample.rate), perSecond),
		short(quantile(took, .5)), short(quantile(took, .99)), spread(apply(samplesOf(all), sample.cpuEach), duration), databaseCost(all))
}

func nodesText(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
