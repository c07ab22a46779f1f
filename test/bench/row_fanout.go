package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
)

const (
	probes     = 64                   // busy things beside the group
	probeEvery = 2 * time.Millisecond // how often one of them reports
	aloneFor   = time.Second          // how long they do so before the rollout begins
	rolloutJob = "firmware-2026-12"
)

// fanOuts measures row iii: a job is rolled out to a large group.
func (s *session) fanOuts(ctx context.Context) error {
	err := s.fanOut(ctx, s.things)
	if err == nil && s.large {
		err = s.fanOut(ctx, 1_000_000)
	}
	return err
}

// rollout is what one rollout has shown.
type rollout struct {
	sample                        // an operation is an execution
	told          time.Duration   // until all devices have been told of theirs, too
	alone, during []time.Duration // latencies of probes before it and meanwhile, sorted
}

// manner is how a rollout is measured.
type manner bool

const (
	// plain: devices only poll, and none does.
	plain manner = false
	// served: as in the server. There are devices to be told, and some report meanwhile.
	served manner = true
)

func (s *session) fanOut(ctx context.Context, things int) error {
	seeded, err := s.seeded(ctx, fmt.Sprintf("group of %d", things), fleet{things: things, grouped: true, probes: probes})
	if err != nil {
		return err
	}
	ms, schema, err := membersOf(seeded)
	if err != nil {
		return err
	}
	stop, err := startProfile(s.profileFile("rollout.prof"))
	if err != nil {
		return err
	}
	var bare []sample
	var rollouts [2][]rollout
	for n := range s.rounds {
		x, err := bareInserts(ctx, filepath.Join(s.temp, "raw-inserts"), ms, schema)
		if err != nil {
			return err
		}
		bare = append(bare, x)
		for i, m := range []manner{plain, served} {
			r, err := s.rollout(ctx, seeded, things, m)
			if err != nil {
				return err
			}
			rollouts[i] = append(rollouts[i], r)
		}
		s.log.Printf("row iii, round %d: bare inserts %s, Muster %s, with devices %s", n+1,
			perSecond(x.rate()), perSecond(rollouts[0][n].rate()), perSecond(rollouts[1][n].rate()))
	}
	s.reportFanOut(things, bare, rollouts[0])
	s.reportWaits("", things, rollouts[1])
	return stop()
}

// profileFile returns where a profile goes, or "".
func (s *session) profileFile(name string) string {
	if s.profile == "" {
		return ""
	}
	return filepath.Join(s.profile, name)
}

// rollout rolls a job out to the group of a fresh copy of the seeded store.
func (s *session) rollout(ctx context.Context, seeded string, things int, how manner) (r rollout, err error) {
	dir := filepath.Join(s.temp, "rollout")
	if err := copyFolder(seeded, dir); err != nil {
		return r, err
	}
	var devices counter
	var publisher engine.Publisher
	if how == served {
		publisher = &devices
	}
	p, err := openEngine(ctx, dir, publisher)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.close(), os.RemoveAll(dir)) }()
	var during atomic.Bool
	stop := func() error { return nil }
	if how == served {
		stop = r.probe(ctx, func(n int) error { return p.report(context.WithoutCancel(ctx), probeName(n%probes), n) }, &during)
		pause(ctx, aloneFor)
	}
	during.Store(true)
	used, begin := ownCPU(), time.Now()
	j, err := p.CreateJob(ctx, operator, job.Spec{
		ID: rolloutJob, Document: document, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.GroupTarget, Name: group}},
	}, nil)
	if err == nil {
		err = p.awaitRollout(ctx, j.UID)
	}
	r.sample = sample{took: time.Since(begin), ops: things, cpu: ownCPU() - used}
	for how == served && err == nil && devices.told.Load() < int64(things) {
		pause(ctx, time.Millisecond)
		err = ctx.Err()
	}
	r.told = time.Since(begin)
	if err = errors.Join(err, stop()); err != nil {
		return r, err
	}
	return r, p.checkRollout(ctx, j.UID, things)
}

// awaitRollout returns when a job has no work left.
func (p *inProcess) awaitRollout(ctx context.Context, jobUID int64) error {
	for left := 1; left > 0; pause(ctx, 5*time.Millisecond) {
		err := p.store.View(ctx, func(r store.Reader) error {
			work, err := r.JobWork(jobUID)
			left = len(work)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRollout fails if not every thing has its execution.
func (p *inProcess) checkRollout(ctx context.Context, jobUID int64, things int) error {
	return p.store.View(ctx, func(r store.Reader) error {
		n, err := r.Counts(jobUID)
		if err == nil && n[job.Queued] != int64(things) {
			err = fmt.Errorf("a rollout to %d things made %d executions", things, n[job.Queued])
		}
		return err
	})
}

// errBusy says that a device still waits for the answer to its last report, and
// has nothing to say before.
var errBusy = errors.New("busy")

// probe makes some device report every probeEvery, whether or not earlier
// reports have been answered, until the function that it returns is called.
func (r *rollout) probe(ctx context.Context, send func(n int) error, during *atomic.Bool) (stop func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var mu sync.Mutex // guards alone and during of r
	var wg sync.WaitGroup
	report := func(n int) {
		into := &r.alone
		if during.Load() {
			into = &r.during
		}
		begin := time.Now()
		err := send(n)
		took := time.Since(begin)
		if errors.Is(err, errBusy) {
			return
		}
		if err != nil {
			cancel(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		*into = append(*into, took)
	}
	done := errors.New("done")
	wg.Go(func() {
		next := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			next = next.Add(probeEvery)
			pause(ctx, time.Until(next))
			wg.Go(func() { report(n) })
		}
	})
	return func() error {
		cancel(done)
		wg.Wait()
		slices.Sort(r.alone)
		slices.Sort(r.during)
		if err := context.Cause(ctx); !errors.Is(err, done) {
			return err
		}
		return nil
	}
}

func (s *session) reportFanOut(things int, bare []sample, rollouts []rollout) {
	var ratios []float64
	var rows []sample
	for i := range bare {
		rows = append(rows, rollouts[i].sample)
		ratios = append(ratios, rollouts[i].rate()/bare[i].rate())
	}
	s.add(entry{
		row: "iii", what: fmt.Sprintf("rollout to %d things, executions", things), raw: spread(apply(bare, sample.rate), perSecond),
		muster: spread(apply(rows, sample.rate), perSecond), ratio: spread(ratios, ratio), goal: "≥ 0.50", verdict: judge(middle(ratios) >= .5),
	})
	s.note("iii: CPU of an execution: bare insert %s, Muster %s.",
		spread(apply(bare, sample.cpuEach), duration), spread(apply(rows, sample.cpuEach), duration))
}

// reportWaits says who has rolled out if it is not empty.
func (s *session) reportWaits(who string, things int, rollouts []rollout) {
	if who != "" {
		who = ", " + who
	}
	var rates, told, worst []float64
	var alone, during []time.Duration
	for _, r := range rollouts {
		rates, told = append(rates, r.rate()), append(told, float64(r.ops)/r.told.Seconds())
		worst = append(worst, quantile(r.during, 1).Seconds())
		alone, during = append(alone, r.alone...), append(during, r.during...)
	}
	slices.Sort(alone)
	slices.Sort(during)
	longest := quantile(during, 1)
	s.add(entry{
		row: "iii", what: "longest wait of a device meanwhile" + who, raw: short(quantile(alone, 1)) + " without",
		muster: short(longest), goal: "≤ 15 ms", verdict: judge(longest <= 15*time.Millisecond),
		p50: short(quantile(during, .5)), p99: short(quantile(during, .99)),
	})
	s.note("iii%s: with a device that reports every %s and with notifications owed to all %d: %s queued, %s queued and handed to the publisher.",
		who, probeEvery, things, spread(rates, perSecond), spread(told, perSecond))
	s.note("iii%s: waits of those devices: longest of each round %s; without the rollout p50 %s, p99 %s.",
		who, spread(worst, duration), short(quantile(alone, .5)), short(quantile(alone, .99)))
}
