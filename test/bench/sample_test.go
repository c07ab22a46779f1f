package main

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, c := range []struct {
		name   string
		values []int
		q      float64
		want   int
	}{
		{"nothing has no quantile", nil, .5, 0},
		{"of one value every quantile is it", []int{7}, .99, 7},
		{"q 1 is the greatest", hundred, 1, 100},
		{"the median of hundred", hundred, .5, 51},
		{"one in hundred is beyond p99", hundred, .99, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := quantile(c.values, c.q); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"nothing has the middle 0", nil, 0},
		{"odd number of values", []float64{9, 1, 5}, 5},
		{"even number of values", []float64{4, 1, 2, 9}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := middle(c.values); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestClosedLoop(t *testing.T) {
	t.Parallel()
	in := interval{warm: time.Millisecond, measured: 20 * time.Millisecond}
	t.Run("counts what ends in the interval, and no more", func(t *testing.T) {
		t.Parallel()
		var ops atomic.Int64
		var used atomic.Int64
		s, err := closedLoop(t.Context(), 3, in, func() time.Duration { return time.Duration(used.Add(7)) }, func(int) (func() error, error) {
			return func() error { ops.Add(1); return nil }, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s.ops != len(s.latencies) || s.ops == 0 || int64(s.ops) > ops.Load() {
			t.Errorf("got %d operations and %d latencies of %d", s.ops, len(s.latencies), ops.Load())
		}
		if s.took < in.measured || s.cpu != 7 {
			t.Errorf("got an interval of %s and %d of CPU, want at least %s and 7", s.took, s.cpu, in.measured)
		}
	})
	t.Run("ends with the first error", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("broken")
		_, err := closedLoop(t.Context(), 3, interval{0, time.Hour}, nil, func(i int) (func() error, error) {
			return func() error {
				if i == 1 {
					return broken
				}
				return nil
			}, nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
	t.Run("does not begin if a worker cannot be made", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("broken")
		_, err := closedLoop(t.Context(), 2, in, nil, func(int) (func() error, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
}

func TestPoolSortsAll(t *testing.T) {
	t.Parallel()
	got := pool([]sample{{latencies: []time.Duration{5, 1}}, {}, {latencies: []time.Duration{3}}})
	if want := []time.Duration{1, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
