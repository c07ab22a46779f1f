package main

import (
	"context"
	"errors"
	"math/rand/v2"
)

// hotThings is how many things report in row vii, whatever else is stored.
const hotThings = 10_000

// sized is one of the stores that row vii compares.
type sized struct {
	what    string
	dir     string
	stride  int // from one hot thing to the next
	samples []sample
}

// sizes measures row vii: what a report costs when the store holds many
// executions beside those of the hot things, as executions of other things or as
// the hot things' own history. It calls the engine itself: the cost of HTTP is
// the same for both and would only hide the difference.
func (s *session) sizes(ctx context.Context) error {
	small, err := s.seeded(ctx, "small", fleet{things: hotThings, busy: true})
	if err != nil {
		return err
	}
	wide, err := s.wide(ctx)
	if err != nil {
		return err
	}
	deep, err := s.seeded(ctx, "deep", fleet{things: hotThings, busy: true, finished: s.executions/hotThings - 1})
	if err != nil {
		return err
	}
	stores := []*sized{
		{what: "only theirs", dir: small, stride: 1},
		{what: "others have executions, too", dir: wide, stride: s.executions / hotThings},
		{what: "they have a long history", dir: deep, stride: 1},
	}
	for n := range s.rounds {
		for _, st := range stores {
			if err := s.size(ctx, st); err != nil {
				return err
			}
		}
		s.log.Printf("row vii, round %d: %s, %s, %s", n+1,
			duration(stores[0].samples[n].cost()), duration(stores[1].samples[n].cost()), duration(stores[2].samples[n].cost()))
	}
	s.reportSizes(stores)
	return nil
}

func (s *session) size(ctx context.Context, st *sized) (err error) {
	p, err := openEngine(ctx, st.dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	x, err := closedLoop(ctx, s.connections, s.interval, ownCPU, func(int) (func() error, error) {
		return func() error {
			return p.report(ctx, thingName(st.stride*rand.IntN(hotThings)), rand.IntN(90))
		}, nil
	})
	st.samples = append(st.samples, x)
	return err
}

func (s *session) reportSizes(stores []*sized) {
	small := stores[0]
	for _, st := range stores[1:] {
		ratios := make([]float64, len(st.samples))
		for i, x := range st.samples {
			ratios[i] = x.cost() / small.samples[i].cost()
		}
		all := pool(st.samples)
		s.add(entry{
			row: "vii", what: "cost of an update, " + st.what, raw: spread(apply(small.samples, sample.cost), duration),
			muster: spread(apply(st.samples, sample.cost), duration), ratio: spread(ratios, ratio), goal: "≤ 1.30",
			verdict: judge(middle(ratios) <= 1.3), p50: short(quantile(all, .5)), p99: short(quantile(all, .99)),
		})
	}
	for _, st := range stores {
		s.note("vii: %s: CPU %s an operation, clients included.", st.what, spread(apply(st.samples, sample.cpuEach), duration))
	}
	s.note("vii: the raw limit is the store with only the %d executions of the hot things; the others hold %d.", hotThings, s.executions)
}
