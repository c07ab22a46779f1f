package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
	"muster/test/internal/harness"
)

// traffic is what goes on while something happens to a cluster: the operators and
// devices of load, which use all nodes by turns. Who gets no answer goes to
// another node, and what became of the request is left open.
type traffic struct {
	load
	cluster *cluster
	watched map[int][]string // things that a device listens for, by device
	// patience is how long somebody waits for a node before he turns to another.
	patience time.Duration

	halt    chan struct{}
	failed  chan error // of workers, or nil when they have stopped
	halted  sync.Once
	mu      sync.Mutex
	answers map[string]int // by what was answered; guarded by mu
	slowest time.Duration  // until an answer, or until a request was given up; guarded by mu
	last    time.Time      // when something was acknowledged; guarded by mu
	gap     time.Duration  // the longest time without; guarded by mu
}

// newTraffic makes the things of the load and connects its devices, whose
// sessions are kept.
func newTraffic(t *testing.T, c *cluster, seed uint64) *traffic {
	t.Helper()
	l := newLedger()
	l.late = true
	tr := &traffic{
		load:    load{ledger: l, client: c.nodes[0].own, seed: seed, things: numbered("device-", 40)},
		cluster: c, watched: make(map[int][]string), patience: patience, answers: make(map[string]int),
	}
	each(t, tr.things, func(ctx context.Context, name string) error {
		_, err := tr.client.CreateThing(ctx, &wire.CreateThingRequest{ThingName: name})
		return err
	})
	for id := range loadDevices {
		k := newCourier(dialing{version: 3 + id%2*2, id: fmt.Sprint("courier-", id), keep: true})
		tr.couriers = append(tr.couriers, k)
		k.plain = c.node(id).plain
		check(t, "connect", k.connect(t.Context()))
		t.Cleanup(func() { k.link.hangUp() })
		tr.listen(t, id, shareOf(id, tr.things)...)
	}
	return tr
}

// listen makes a device listen for what is next on things.
func (tr *traffic) listen(t *testing.T, id int, things ...string) {
	t.Helper()
	for chunk := range slices.Chunk(things, 8) {
		var filters []string
		for _, thing := range chunk {
			filters = append(filters, "$aws/things/"+thing+"/jobs/notify-next")
		}
		check(t, "subscribe", tr.couriers[id].link.subscribe(t.Context(), filters...))
	}
	tr.watched[id] = append(tr.watched[id], things...)
}

// begin lets the traffic flow until end.
func (tr *traffic) begin(t *testing.T) {
	t.Helper()
	tr.ledger.round(-1)
	tr.round++
	tr.halt, tr.failed, tr.halted, tr.last = make(chan struct{}), make(chan error, 1), sync.Once{}, time.Now()
	for _, k := range tr.couriers {
		k.patience, k.within = tr.patience*3/4, tr.patience*3/4 // silence is noticed as such
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	worker := func(id int, step func(context.Context, *rand.Rand, int) error) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(tr.seed, uint64(tr.round*100+id)))
			for n := 0; ctx.Err() == nil && !tr.halting(); n++ {
				err := tr.timed(ctx, func(ctx context.Context) error { return step(ctx, r, n) })
				if err != nil && ctx.Err() == nil {
					cancel(fmt.Errorf("worker %d: %w", id, err))
				}
			}
		})
	}
	for id := range loadOperators {
		worker(id, func(ctx context.Context, r *rand.Rand, n int) error {
			tr.pause(ctx, 50*time.Millisecond) // the devices must get their turn
			return tr.at(r).operate(ctx, r, fmt.Sprintf("%d-%d-%d", tr.round, id, n))
		})
	}
	for id := range loadDevices {
		own := shareOf(id, tr.things)
		worker(loadOperators+id, func(ctx context.Context, r *rand.Rand, _ int) error {
			err := tr.reconnect(ctx, r, id)
			if err != nil {
				return err
			}
			err = tr.at(r).device(ctx, r, id, own[r.IntN(len(own))])
			if errors.Is(err, errSilent) {
				tr.couriers[id].leave()
			}
			return err
		})
	}
	go func() {
		wg.Wait()
		tr.failed <- context.Cause(ctx)
		cancel(nil)
	}()
	t.Cleanup(func() { tr.halted.Do(func() { close(tr.halt) }) })
}

func (tr *traffic) halting() bool {
	select {
	case <-tr.halt:
		return true
	default:
		return false
	}
}

// at returns the load of some node, of those that are out as well.
func (tr *traffic) at(r *rand.Rand) load {
	l := tr.load
	l.client = tr.cluster.node(r.IntN(len(tr.cluster.nodes))).own
	return l
}

// timed does a step, and returns its error if it must not have happened. Who has
// got no answer pauses for a moment, as everybody does.
func (tr *traffic) timed(ctx context.Context, step func(context.Context) error) error {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, tr.patience)
	err := step(limited)
	cancel()
	took := time.Since(start)
	lost := tr.ledger.lost(err) && !errors.Is(err, errForgotten)
	tr.mu.Lock()
	tr.slowest = max(tr.slowest, took)
	switch {
	case err == nil:
		tr.answers["ok"]++
		tr.gap = max(tr.gap, time.Since(tr.last))
		tr.last = time.Now()
	case lost:
		tr.answers[reason(err)]++
	}
	tr.mu.Unlock()
	if !lost {
		return err
	}
	tr.pause(ctx, 100*time.Millisecond)
	return nil
}

// pause lets a worker do nothing for a moment.
func (tr *traffic) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	case <-tr.halt:
	}
}

// reason is why a request got no good answer, in a word.
func reason(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return fmt.Sprint(e.Status, " ", e.Code)
	}
	if errors.Is(err, errSilent) || errors.Is(err, context.DeadlineExceeded) {
		return "silence"
	}
	return "connection lost"
}

// errForgotten is a session that was to be kept, and is not there.
var errForgotten = errors.New("the session is not there")

// leave gives up the connection of a device.
func (c *courier) leave() {
	c.link.hangUp()
	c.link.end(errors.New("hung up"))
}

// reconnect connects a device that has no connection any more, with any node.
func (tr *traffic) reconnect(ctx context.Context, r *rand.Rand, id int) error {
	k := tr.couriers[id]
	if k.link.over.Err() == nil {
		return nil
	}
	k.plain = tr.cluster.near(r.IntN(len(tr.cluster.nodes))).plain
	err := k.connect(ctx)
	if err == nil && !k.link.resumed {
		err = fmt.Errorf("%s: %w", k.id, errForgotten)
	}
	return err
}

// end stops the traffic and returns what went on: how long nothing was acknowledged, at most.
func (tr *traffic) end(t *testing.T) time.Duration {
	t.Helper()
	tr.halted.Do(func() { close(tr.halt) })
	select {
	case err := <-tr.failed:
		check(t, "traffic", err)
	case <-time.After(time.Minute):
		t.Fatal("the traffic does not end")
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.gap = max(tr.gap, time.Since(tr.last))
	gap := tr.gap
	t.Logf("%d acknowledgments, answers %v, the slowest after %s; at most %s without a success",
		tr.ledger.acks, tr.answers, tr.slowest.Round(time.Millisecond), gap.Round(time.Millisecond))
	return gap
}

// flows waits until n more steps went well: the cluster serves.
func (tr *traffic) flows(t *testing.T, within time.Duration, n int) {
	t.Helper()
	count := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.answers["ok"]
	}
	start := count()
	harness.Wait(t, within, "traffic", func(context.Context) error {
		select {
		case err := <-tr.failed:
			tr.failed <- err
			return harness.Final(fmt.Errorf("it has ended: %w", err))
		default:
		}
		if now := count(); now < start+n {
			return fmt.Errorf("%d of %d", now-start, n)
		}
		return nil
	})
}

// settled checks everything after something has happened: nothing is lost, nothing
// is there twice, everybody is told, on whatever node one asks.
func (tr *traffic) settled(t *testing.T) {
	t.Helper()
	for id, k := range tr.couriers {
		k.patience, k.within = 0, 0
		r := rand.New(rand.NewPCG(tr.seed, uint64(id)))
		harness.Wait(t, soon, "a device to connect", func(ctx context.Context) error { return tr.reconnect(ctx, r, id) })
		expectFronts(t, tr.cluster.near(id+1).own, k, tr.watched[id])
	}
	tr.ledger.audit(t, tr.cluster.near(0).own, true)
	for i := range tr.cluster.nodes {
		for id := range tr.ledger.jobs {
			check(t, fmt.Sprint("node ", i), tr.ledger.agree(t.Context(), tr.cluster.near(i).own, id))
			break
		}
	}
	t.Logf("%d jobs, %d executions, %d things", len(tr.ledger.jobs), len(tr.ledger.executions), len(tr.ledger.things))
}
