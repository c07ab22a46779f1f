package sqlite

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Statements collects the statements that stores opened with the Config use.
type Statements struct {
	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

// Watch makes cfg's store report to s.
func (s *Statements) Watch(cfg *Config) {
	cfg.seen = func(query string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.seen == nil {
			s.seen = make(map[string]bool)
		}
		s.seen[query] = true
	}
}

// All returns the statements seen, in order.
func (s *Statements) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.seen))
}

// Plan returns what SQLite says it will do for a statement.
func (s *Store) Plan(ctx context.Context, query string) ([]string, error) {
	var plan []string
	err := s.view(ctx, func(r reader) error {
		return r.c.query(`EXPLAIN QUERY PLAN `+query, func(r row) error {
			plan = append(plan, r.text(3))
			return nil
		}, make([]any, paramCount(query))...)
	})
	return plan, err
}

func paramCount(query string) int {
	n := 0
	for _, c := range query {
		if c == '?' {
			n++
		}
	}
	return n
}

// Exec runs a statement on the connection of the writer, outside any transaction.
func (s *Store) Exec(query string) (int64, error) {
	s.w.idle.Lock()
	defer s.w.idle.Unlock()
	return s.w.c.int(query)
}
