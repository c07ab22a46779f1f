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
// with a session that outlives its connection.
func (s *session) memories(ctx context.Context) error {
	ca, err := newAuthority(s.temp)
	if err != nil {
		return err
	}
	for _, transport := range []struct {
		name string
		ca   *authority
	}{{"TCP", nil}, {"TLS with client certificate", ca}} {
		var bare, muster []idle
		for n := range s.rounds {
			for _, m := range []struct {
				serve string
				into  *[]idle
			}{{serveAccepts, &bare}, {serveDevices, &muster}} {
				x, err := s.memory(ctx, m.serve, filepath.Join(s.temp, fmt.Sprintf("idle-%d-%t", n, transport.ca == nil)), transport.ca)
				if err != nil {
					return err
				}
				*m.into = append(*m.into, x)
			}
			s.log.Printf("row iv, round %d, %s: bare %s, Muster %s a device", n+1, transport.name,
				kibibytes(bare[n].resident), kibibytes(muster[n].resident))
		}
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

func (s *session) reportMemory(transport string, bare, muster []idle) {
	resident := func(x idle) float64 { return x.resident }
	var ratios []float64
	for i := range bare {
		ratios = append(ratios, muster[i].resident/(bare[i].resident+leastEndpoint))
	}
	s.add(entry{
		row: "iv", what: fmt.Sprintf("memory of one of %d devices, %s", s.idle, transport),
		raw:    spread(values(bare, resident), kibibytes) + " + 7 KiB",
		muster: spread(values(muster, resident), kibibytes), ratio: spread(ratios, ratio), goal: "≤ 1.40", verdict: judge(middle(ratios) <= 1.4),
	})
	s.note("iv: %s: of it objects %s, stacks %s; of a bare connection objects %s, stacks %s.", transport,
		spread(values(muster, func(x idle) float64 { return x.heap }), kibibytes), spread(values(muster, func(x idle) float64 { return x.stacks }), kibibytes),
		spread(values(bare, func(x idle) float64 { return x.heap }), kibibytes), spread(values(bare, func(x idle) float64 { return x.stacks }), kibibytes))
}

func values[T any](xs []T, f func(T) float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = f(x)
	}
	return out
}

// kibibytes prints a size.
func kibibytes(n float64) string { return fmt.Sprintf("%.1f KiB", n/(1<<10)) }
