package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"muster/internal/apierr"
	"muster/internal/httpapi"
	"muster/internal/store"
)

// withOps returns a handler that serves those who run the server beside the API:
// /healthz, /readyz and, if metrics is not nil, /metrics; and for devices /mqtt,
// which looks at the signature itself when the client has said who it is.
func withOps(api http.Handler, s store.Store, stopping *atomic.Bool, metrics *prometheus.Registry, webSocket http.Handler) http.Handler {
	ready := func(ctx context.Context) error {
		if stopping.Load() {
			return apierr.New(apierr.Unavailable, "The server is stopping.")
		}
		return s.Health(ctx)
	}
	open := map[string]http.Handler{
		"/healthz": httpapi.Health(nil),
		"/readyz":  httpapi.Health(ready),
		"/mqtt":    webSocket,
	}
	if metrics != nil {
		open["/metrics"] = promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics})
	}
	return httpapi.Beside(api, open)
}
