package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// pacedRate is how many requests a second come in paced rounds, over
// pacedConnections.
const (
	pacedRate        = 5000
	pacedConnections = 1000
)

// requests measures row ii: devices report progress over MQTT, in QoS 1 and
// durable, on random things of the large store.
func (s *session) requests(ctx context.Context) (err error) {
	dir, err := s.wide(ctx)
	if err != nil {
		return err
	}
	raw := filepath.Join(s.temp, "raw-live-mqtt")
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
	var r requestRounds
	for _, n := range s.devices {
		r.loads = append(r.loads, &requestLoad{connections: n})
	}
	for n := range s.rounds {
		if err := r.round(ctx, s, dir, commits); err != nil {
			return err
		}
		for _, l := range r.loads {
			s.log.Printf("row ii, round %d, %d connections: endpoint %s, commits %s, Muster %s", n+1, l.connections,
				perSecond(l.endpoint[n].rate()), perSecond(l.commits[n].rate()), perSecond(l.muster[n].rate()))
		}
	}
	r.report(s)
	return nil
}

// requestRounds are what the rounds of row ii have shown.
type requestRounds struct {
	loads         []*requestLoad
	paced, muster []sample // at pacedRate: bare endpoint and Muster
	resident      int64
}

// requestLoad is what they have shown at one number of connections.
type requestLoad struct {
	connections               int
	endpoint, commits, muster []sample
}

func (r *requestRounds) round(ctx context.Context, s *session, dir string, commits *bareCommits) error {
	p, err := startChild(ctx, childOptions{Serve: serveEndpoint})
	if err != nil {
		return err
	}
	for _, l := range r.loads {
		x, err := s.ask(ctx, p, l.connections)
		if err != nil {
			return errors.Join(err, p.stop())
		}
		l.endpoint = append(l.endpoint, x)
	}
	x, err := s.askPaced(ctx, p)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	r.paced = append(r.paced, x)

	for _, l := range r.loads {
		x, err := commits.measure(ctx, l.connections, s.interval)
		if err != nil {
			return err
		}
		l.commits = append(l.commits, x)
	}

	if s.profile == "" {
		p, _, err = startMuster(ctx, s.program, dir)
	} else {
		p, err = startChild(ctx, childOptions{Serve: serveDevices, Dir: dir, Profile: filepath.Join(s.profile, "request.prof")})
	}
	if err != nil {
		return err
	}
	for _, l := range r.loads {
		x, err := s.ask(ctx, p, l.connections)
		if err != nil {
			return errors.Join(err, p.stop())
		}
		l.muster = append(l.muster, x)
	}
	x, err = s.askPaced(ctx, p)
	r.resident, _ = residentBytes(p.cmd.Process.Pid)
	r.muster = append(r.muster, x)
	return errors.Join(err, p.stop())
}

// ask sends updates of random things over so many connections, each as soon as
// the one before is answered.
func (s *session) ask(ctx context.Context, p *process, connections int) (sample, error) {
	var a askers
	defer a.close()
	return closedLoop(ctx, connections, s.interval, p.cpu, a.worker(ctx, p, s.executions))
}

// askPaced sends them at a fixed rate.
func (s *session) askPaced(ctx context.Context, p *process) (sample, error) {
	var a askers
	defer a.close()
	return paced(ctx, pacedConnections, pacedRate, s.interval, p.cpu, a.worker(ctx, p, s.executions))
}

// askers are connections that updates are sent on.
type askers struct{ open []*mqttConn }

func (a *askers) close() {
	for _, c := range a.open {
		_ = c.Close() // nothing is under way
	}
}

func (a *askers) worker(ctx context.Context, p *process, things int) func(int) (func() error, error) {
	return func(i int) (func() error, error) {
		c, _, err := broker{address: p.mqtt}.connect(ctx, fmt.Sprint("bench-", i), false)
		if err != nil {
			return nil, err
		}
		a.open = append(a.open, c)
		update, err := newUpdatePacket()
		return func() error { return c.request(update.of(rand.IntN(things), rand.IntN(90))) }, err
	}
}

func (r *requestRounds) report(s *session) {
	for _, l := range r.loads {
		ratios, limits := make([]float64, len(l.muster)), make([]float64, len(l.muster))
		for i := range l.muster {
			limits[i] = min(l.endpoint[i].rate(), l.commits[i].rate())
			ratios[i] = l.muster[i].rate() / limits[i]
		}
		all := pool(l.muster)
		s.add(entry{
			row: "ii", what: fmt.Sprintf("update over MQTT, durable, %d connections", l.connections), raw: spread(limits, perSecond),
			muster: spread(apply(l.muster, sample.rate), perSecond), ratio: spread(ratios, ratio),
			goal: "≥ 0.60", verdict: judge(middle(ratios) >= .6), p50: short(quantile(all, .5)), p99: short(quantile(all, .99)),
		})
	}
	bare, all := pool(r.paced), pool(r.muster)
	p50 := quantile(all, .5)
	s.add(entry{
		row: "ii", what: fmt.Sprintf("its latency at %s", perSecond(pacedRate)), raw: short(quantile(bare, .5)), muster: short(p50),
		goal: "p50 ≤ 3 ms", verdict: judge(p50 <= 3*time.Millisecond), p50: short(p50), p99: short(quantile(all, .99)),
	})
	for _, l := range r.loads {
		s.note("ii: %d connections: bare endpoint %s, CPU %s; bare batched commits %s, CPU %s; Muster %s, CPU %s an operation.", l.connections,
			spread(apply(l.endpoint, sample.rate), perSecond), spread(apply(l.endpoint, sample.cpuEach), duration),
			spread(apply(l.commits, sample.rate), perSecond), spread(apply(l.commits, sample.cpuEach), duration),
			spread(apply(l.muster, sample.rate), perSecond), spread(apply(l.muster, sample.cpuEach), duration))
	}
	s.note("ii: at a fixed rate over %d connections: bare endpoint %s, p99 %s, CPU %s; Muster %s, CPU %s an operation. Memory afterwards %s.",
		pacedConnections, spread(apply(r.paced, sample.rate), perSecond), short(quantile(bare, .99)), spread(apply(r.paced, sample.cpuEach), duration),
		spread(apply(r.muster, sample.rate), perSecond), spread(apply(r.muster, sample.cpuEach), duration), mebibytes(r.resident))
}
