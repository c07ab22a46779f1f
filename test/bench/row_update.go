package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"time"

	"muster/internal/auth"
	"muster/internal/auth/sigv4"
)

// updates measures row i: devices report progress over HTTP, signed and durable,
// on random things of the large store.
func (s *session) updates(ctx context.Context) (err error) {
	dir, err := s.wide(ctx)
	if err != nil {
		return err
	}
	raw := filepath.Join(s.temp, "raw-live")
	if err := copyLive(dir, raw); err != nil {
		return err
	}
	if err := initFolder(ctx, s.program, dir); err != nil {
		return err
	}
	commits, err := openCommits(raw)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, commits.close()) }()
	var r updateRounds
	for n := range s.rounds {
		if err := r.round(ctx, s, dir, commits); err != nil {
			return err
		}
		s.log.Printf("row i, round %d: handler %s, commits %s, Muster %s", n+1,
			perSecond(r.handler[n].rate()), perSecond(r.commits[n].rate()), perSecond(r.muster[n].rate()))
	}
	r.report(s)
	return nil
}

// updateRounds are what the rounds of row i have shown.
type updateRounds struct {
	handler, commits, muster []sample
	resident, peak           int64
}

func (r *updateRounds) round(ctx context.Context, s *session, dir string, commits *bareCommits) error {
	id, secret := auth.NewAccessKey()
	o := childOptions{Serve: serveHandler, KeyID: id, Secret: secret}
	p, err := startChild(ctx, o)
	if err != nil {
		return err
	}
	x, err := s.load(ctx, p)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	r.handler = append(r.handler, x)

	x, err = commits.measure(ctx, s.connections, s.interval)
	if err != nil {
		return err
	}
	r.commits = append(r.commits, x)

	if s.profile == "" {
		p, _, err = startMuster(ctx, s.program, dir)
	} else {
		o.Serve, o.Dir, o.Profile = serveAPI, dir, filepath.Join(s.profile, "update.prof")
		p, err = startChild(ctx, o)
	}
	if err != nil {
		return err
	}
	x, err = s.load(ctx, p)
	r.resident, r.peak = residentBytes(p.cmd.Process.Pid)
	r.muster = append(r.muster, x)
	return errors.Join(err, p.stop())
}

// load sends updates of random things over all connections.
func (s *session) load(ctx context.Context, p *process) (sample, error) {
	return s.loadAll(ctx, p.cpu, p.target)
}

// loadAll is load with the connections spread over servers, whose CPU time cpu is.
func (s *session) loadAll(ctx context.Context, cpu func() time.Duration, to ...target) (sample, error) {
	var open []*connection
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	return closedLoop(ctx, s.connections, s.interval, cpu, func(i int) (func() error, error) {
		c, err := dial(ctx, to[i%len(to)])
		if err != nil {
			return nil, err
		}
		open = append(open, c)
		var path, body []byte
		return func() error {
			path = appendUpdatePath(path[:0], rand.IntN(s.executions))
			body = appendUpdateBody(body[:0], rand.IntN(90))
			return c.update(path, body)
		}, nil
	})
}

func (r *updateRounds) report(s *session) {
	ratios := make([]float64, len(r.muster))
	limits := make([]float64, len(r.muster))
	for i := range r.muster {
		limits[i] = min(r.handler[i].rate(), r.commits[i].rate())
		ratios[i] = r.muster[i].rate() / limits[i]
	}
	all := pool(r.muster)
	p99 := quantile(all, .99)
	s.add(entry{
		row: "i", what: "update over HTTP, signed and durable", raw: spread(limits, perSecond),
		muster: spread(apply(r.muster, sample.rate), perSecond), ratio: spread(ratios, ratio),
		goal: "≥ 0.60", verdict: judge(middle(ratios) >= .6),
	})
	s.add(entry{
		row: "i", what: "its latency", muster: short(p99), goal: "p99 ≤ 50 ms", verdict: judge(p99 <= 50*time.Millisecond),
		p50: short(quantile(all, .5)), p99: short(p99),
	})
	s.add(entry{row: "i", what: "memory of the server afterwards", muster: mebibytes(r.resident)})
	for _, l := range []struct {
		name    string
		samples []sample
	}{{"bare signed handler", r.handler}, {"bare batched commits", r.commits}, {"Muster", r.muster}} {
		all := pool(l.samples)
		s.note("i: %s: %s, p50 %s, p99 %s, CPU of its process %s an operation.", l.name, spread(apply(l.samples, sample.rate), perSecond),
			short(quantile(all, .5)), short(quantile(all, .99)), spread(apply(l.samples, sample.cpuEach), duration))
	}
	s.note("i: %d connections; making a signature costs the client %s of the shared CPU, in both HTTP figures. Memory at most %s.",
		s.connections, short(signingCost()), mebibytes(r.peak))
}

// signingCost returns how long it takes to make a signed request.
func signingCost() time.Duration {
	id, secret := auth.NewAccessKey()
	c := newConnection(target{address: "127.0.0.1:80", key: sigv4.Credentials{KeyID: id, Secret: secret}, signer: new(sigv4.Signer)})
	const n = 20_000
	var err error
	body := appendUpdateBody(nil, 0)
	path := string(appendUpdatePath(nil, 0))
	begin := time.Now()
	for range n {
		err = errors.Join(err, c.sign("POST", path, deviceScope, body))
	}
	if err != nil {
		return 0
	}
	return time.Since(begin) / n
}
