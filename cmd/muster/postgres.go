package main

import (
	"context"
	"errors"
	"log/slog"

	"muster/internal/config"
	"muster/internal/store"
)

func openPostgres(context.Context, config.Config, *slog.Logger, *storeMetrics) (store.Store, error) {
	return nil, errors.New("not yet")
}
