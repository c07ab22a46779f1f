package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/internal/job"
)

// sharedRollout is what one rollout by some nodes has shown.
type sharedRollout struct {
	rollout
	database time.Duration
}

// sharedRollouts measures row iii on PostgreSQL: a job for a large group, rolled
// out by all nodes, each on its parts.
func (s *session) sharedRollouts(ctx context.Context, d *database, things int) error {
	seed, err := s.seedPostgres(ctx, d, fmt.Sprintf("group%d", things), fleet{things: things, grouped: true, probes: probes})
	if err != nil {
		return err
	}
	var bare []shared
	rollouts := map[int][]sharedRollout{}
	waits := map[int][]rollout{}
	for n := range s.rounds {
		x, err := s.bareRound(ctx, d, seed)
		if err != nil {
			return err
		}
		bare = append(bare, x)
		s.log.Printf("row iii, round %d: bare inserts %s", n+1, perSecond(x.rate()))
		for _, k := range s.nodes {
			for _, m := range []manner{plain, served} {
				r, err := s.sharedRollout(ctx, d, seed, k, things, m)
				if err != nil {
					return fmt.Errorf("%d nodes: %w", k, err)
				}
				s.log.Printf("row iii, %s, devices %t: queued in %s, told in %s", nodesText(k), m == served, short(r.took), short(r.told))
				if m == plain {
					rollouts[k] = append(rollouts[k], r)
				} else {
					waits[k] = append(waits[k], r.rollout)
				}
			}
		}
	}
	for _, k := range s.nodes {
		s.reportSharedRollouts(things, k, bare, rollouts[k])
	}
	for _, k := range s.nodes {
		s.reportWaits(nodesText(k), things, waits[k])
	}
	s.noteShared("iii", "bare inserts", bare)
	return nil
}

func (s *session) bareRound(ctx context.Context, d *database, seed *seedDatabase) (shared, error) {
	name, drop, err := d.copy(ctx, seed.name)
	if err != nil {
		return shared{}, err
	}
	x, err := bareRollout(ctx, d, seed, name)
	return x, errors.Join(err, drop())
}

// sharedRollout rolls a job out to the group of a fresh copy of the seed. With
// served, devices report meanwhile over MQTT, on connections to all nodes.
func (s *session) sharedRollout(ctx context.Context, d *database, seed *seedDatabase, n, things int, how manner) (r sharedRollout, err error) {
	name, drop, err := d.copy(ctx, seed.name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	ns, err := s.startNodes(ctx, d, seed, name, n)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, ns.stop()) }()
	pool, err := d.pool(ctx, name, 1)
	if err != nil {
		return r, err
	}
	defer pool.Close()
	var during atomic.Bool
	stop := func() error { return nil }
	if how == served {
		report, done, err := openProbes(ctx, ns)
		if err != nil {
			return r, err
		}
		defer done()
		stop = r.probe(ctx, report, &during)
		pause(ctx, aloneFor)
	}
	during.Store(true)
	if err = errors.Join(r.run(ctx, d, ns, pool, things), stop()); err != nil {
		return r, err
	}
	return r, checkRollout(ctx, pool, things)
}

// run creates the job at one node and waits for the work to be done.
func (r *sharedRollout) run(ctx context.Context, d *database, ns nodes, pool *pgxpool.Pool, things int) error {
	c, err := dial(ctx, ns[0].target)
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"targets":["arn:aws:iot:%s:%s:thinggroup/%s"],"document":%q}`, region, account, group, document)
	used, usedThere, begin := ns.cpu(), d.cpu(), time.Now()
	err = errors.Join(c.send(http.MethodPut, "/jobs/"+rolloutJob, controlScope, []byte(body)), c.Close())
	if err == nil {
		err = none(ctx, pool, 5*time.Millisecond, `SELECT 1 FROM work`)
	}
	r.sample = sample{took: time.Since(begin), ops: things, cpu: ns.cpu() - used}
	r.database = d.cpu() - usedThere
	if err == nil {
		err = none(ctx, pool, 20*time.Millisecond, `SELECT 1 FROM dirty`)
	}
	r.told = time.Since(begin)
	return err
}

// checkRollout fails if not every thing has its execution.
func checkRollout(ctx context.Context, pool *pgxpool.Pool, things int) error {
	var n, counted int
	err := pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM live WHERE status = $1), (SELECT sum(queued) FROM counts)`, job.Queued).Scan(&n, &counted)
	if err == nil && (n != things || counted != things) {
		err = fmt.Errorf("a rollout to %d things made %d executions and counted %d", things, n, counted)
	}
	return err
}

// openProbes connects the probes over MQTT, each to one of the nodes, and returns
// what makes the next of them report.
func openProbes(ctx context.Context, ns nodes) (report func(n int) error, done func(), err error) {
	type device struct {
		mu     sync.Mutex
		conn   *mqttConn
		update func(n int) ([]byte, error)
	}
	var devices []*device
	done = func() {
		for _, v := range devices {
			_ = v.conn.Close() // nothing is under way
		}
	}
	for i := range probes {
		conn, _, err := broker{address: ns[i%len(ns)].mqtt}.connect(ctx, probeName(i), false)
		if err != nil {
			done()
			return nil, nil, err
		}
		devices = append(devices, &device{conn: conn, update: func(n int) ([]byte, error) {
			body := appendUpdateBody(nil, n)
			body = append(body[:len(body)-1], `,"clientToken":"`+benchToken+`"}`...)
			return messageOf(jobsOf(probeName(i))+liveJob+"/update", body)
		}})
	}
	return func(n int) error {
		v := devices[n%probes]
		if !v.mu.TryLock() {
			return errBusy
		}
		defer v.mu.Unlock()
		packet, err := v.update(n)
		if err != nil {
			return err
		}
		return v.conn.request(packet)
	}, done, nil
}

func (s *session) reportSharedRollouts(things, n int, bare []shared, rollouts []sharedRollout) {
	var ratios []float64
	var rows []shared
	for i := range bare {
		rows = append(rows, shared{rollouts[i].sample, rollouts[i].database})
		ratios = append(ratios, rollouts[i].rate()/bare[i].rate())
	}
	s.add(entry{
		row: "iii", what: fmt.Sprintf("rollout to %d things, %s", things, nodesText(n)), raw: spread(apply(samplesOf(bare), sample.rate), perSecond),
		muster: spread(apply(samplesOf(rows), sample.rate), perSecond), ratio: spread(ratios, ratio), goal: "≥ 0.50", verdict: judge(middle(ratios) >= .5),
	})
	s.note("iii: Muster, %s: CPU of an execution: %s, PostgreSQL %s.", nodesText(n), spread(apply(samplesOf(rows), sample.cpuEach), duration), databaseCost(rows))
}
