package main

import (
	"context"
	"path/filepath"
	"slices"
	"time"
)

// startUps measures how long the real server takes from the start of its
// process to its first answer to a signed request.
func (s *session) startUps(ctx context.Context) error {
	full, err := s.wide(ctx)
	if err != nil {
		return err
	}
	empty := filepath.Join(s.temp, "empty")
	for _, dir := range []string{empty, full} {
		if err := initFolder(ctx, s.program, dir); err != nil {
			return err
		}
	}
	var took [2][]float64 // empty, full
	for range s.starts {
		for i, dir := range []string{empty, full} {
			p, d, err := startMuster(ctx, s.program, dir)
			if err != nil {
				return err
			}
			if err := p.stop(); err != nil {
				return err
			}
			took[i] = append(took[i], d.Seconds())
		}
	}
	s.log.Printf("start: %s, with %d executions %s", spread(took[0], duration), s.executions, spread(took[1], duration))
	first, with := middle(took[0]), middle(took[1])
	s.add(entry{
		row: "start", what: "first answer, empty store", muster: spread(took[0], duration), goal: "< 200 ms",
		verdict: judge(slices.Max(took[0]) < (200 * time.Millisecond).Seconds()),
	})
	s.add(entry{
		row: "start", what: "first answer, large store", raw: duration(first), muster: spread(took[1], duration),
		ratio: ratio(with / first), goal: "< 2.00", verdict: judge(with < 2*first),
	})
	return nil
}
