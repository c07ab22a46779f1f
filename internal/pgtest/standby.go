package pgtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Standby starts a server that follows s, synchronously: from now on s
// acknowledges nothing that the standby does not have as well.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	b, err := create(t.Context(), "", s.settings, func(b *Server) error {
		out, err := b.command("pg_basebackup", "-D", b.data(), "-d", s.url("").String(), "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput()
		if err != nil {
			return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
		}
		return nil
	})
	need(t, err)
	t.Cleanup(b.remove)
	err = s.follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// follow makes s wait for its standby with each commit, once that keeps up.
func (s *Server) follow(ctx context.Context) error {
	_, err := s.admin.Exec(ctx, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	if err != nil {
		return err
	}
	_, err = s.admin.Exec(ctx, `SELECT pg_reload_conf()`)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var n int
		err := s.admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`).Scan(&n)
		if err == nil && n > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("pgtest: the standby does not follow"), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Promote makes a standby a server of its own, for good.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	var done bool
	err := s.admin.QueryRow(t.Context(), `SELECT pg_promote(true, 60)`).Scan(&done)
	if err == nil && !done {
		err = errors.New("pgtest: the standby is not promoted")
	}
	if err != nil {
		t.Fatal(err)
	}
}
