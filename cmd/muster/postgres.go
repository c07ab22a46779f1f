package main

import (
	"context"
	"log/slog"

	"muster/internal/config"
	"muster/internal/store"
	"muster/internal/store/postgres"
)

// openPostgres opens the PostgreSQL database that the configuration names.
func openPostgres(ctx context.Context, c config.Config, log *slog.Logger, m *storeMetrics) (store.Store, error) {
	cfg := postgres.Config{URL: c.Store, MaxConns: int(c.StoreConns), Log: log}
	if m.calls != nil {
		cfg.OnCommit = m.committed
	}
	return postgres.Open(ctx, cfg)
}
