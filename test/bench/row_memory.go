package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// leastEndpoint is what a connection costs an endpoint of the simplest kind,
// with its subscriptions and the goroutine that reads, in bytes.
const leastEndpoint = 7 << 10

// memories measures row iv: what a device costs that is connected and silent,
// with a session that outlives its connection. Once is enough: memory hardly
// varies from round to round.
func (s *session) memories(ctx context.Context) error {
	ca, err := newAuthority(s.temp)
	if err != nil {
		return err
	}
	for _, transport := range []struct {
		name string
		ca   *authority
	}{{"TCP", nil}, {"TLS with client certificate", ca}} {
		dir := filepath.Join(s.temp, fmt.Sprintf("idle-%t", transport.ca == nil))
		bare, err := s.memory(ctx, serveAccepts, dir, transport.ca)
		if err != nil {
			return err
		}
		muster, err := s.memory(ctx, serveDevices, dir, transport.ca)
		if err != nil {
			return err
		}
		s.log.Printf("row iv, %s: bare %s, Muster %s a device", transport.name, kibibytes(bare.resident), kibibytes(muster.resident))
		s.reportMemory(transport.name, bare, muster)
	}
	return nil
}

// idle is what one connection has cost, in bytes.
type idle struct{ resident, heap, stacks float64 }

// memory connects devices to a new child and returns what each costs it.
func (s *session) memory(ctx context.Context, serve, dir string, ca *authority) (x idle, err error) {
	o := childOptions{Serve: serve, Dir: dir}
	if ca != nil {
		o.TLS = s.temp
	}
	if serve == serveDevices {
		if err := seed(ctx, dir, fleet{}); err != nil {
			return x, err
		}
	}
	p, err := startChild(ctx, o)
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	to := broker{address: p.mqtt, ca: ca}
	before, err := p.memory()
	if err != nil {
		return x, err
	}
	open, err := s.connectIdle(ctx, to, serve == serveDevices)
	defer func() {
		for _, c := range open {
			_ = c.Close() // nothing is under way
		}
	}()
	if err != nil {
		return x, err
	}
	full, err := p.memory()
	if err != nil {
		return x, err
	}
	pause(ctx, settle)
	after, err := p.memory()
	each := func(then, now int64) float64 { return float64(now-then) / float64(s.idle) }
	return idle{
		resident: each(before.Resident, min(full.Resident, after.Resident)), heap: each(before.Heap, after.Heap),
		stacks: each(before.Stacks, after.Stacks),
	}, err
}

// connectIdle connects devices, or opens connections that say nothing.
func (s *session) connectIdle(ctx context.Context, to broker, devices bool) (open []*mqttConn, err error) {
	var mu sync.Mutex // guards open
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i := range s.idle {
		g.Go(func() error {
			c, err := to.idle(ctx, thingName(i), devices)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			open = append(open, c)
			return nil
		})
	}
	return open, g.Wait()
}

// idle connects a device with the subscriptions of one that does jobs.
func (b broker) idle(ctx context.Context, thing string, device bool) (*mqttConn, error) {
	if !device {
		c, err := b.open(ctx, thing)
		if err == nil {
			_, err = c.in.ReadByte() // that it is welcome
		}
		return c, err
	}
	c, _, err := b.connect(ctx, thing, true)
	if err != nil {
		return nil, err
	}
	jobs := jobsOf(thing)
	return c, c.subscribe(jobs+notify, jobs+notifyNext, jobs+"$next/get/+", jobs+"start-next/+", jobs+"+/update/+")
}

func (s *session) reportMemory(transport string, bare, muster idle) {
	r := muster.resident / (bare.resident + leastEndpoint)
	s.add(entry{
		row: "iv", what: fmt.Sprintf("memory of one of %d devices, %s", s.idle, transport), raw: kibibytes(bare.resident) + " + 7 KiB",
		muster: kibibytes(muster.resident), ratio: ratio(r), goal: "≤ 1.40", verdict: judge(r <= 1.4),
	})
	s.note("iv: %s: of it objects %s, stacks %s; of a bare connection objects %s, stacks %s.", transport,
		kibibytes(muster.heap), kibibytes(muster.stacks), kibibytes(bare.heap), kibibytes(bare.stacks))
}

// kibibytes prints a size.
func kibibytes(n float64) string { return fmt.Sprintf("%.1f KiB", n/(1<<10)) }
