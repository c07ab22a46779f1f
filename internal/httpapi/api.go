package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/registry"
)

// Config is what an API needs. Engine, Registry and Auth must be set.
type Config struct {
	Engine   *engine.Engine
	Registry *registry.Registry
	// Auth says who sent a request. It is asked for every request.
	Auth auth.Authenticator
	// Messages is asked for the last job messages of a thing; nil means that none are kept.
	Messages Messages
	// Log gets one line a request; nil discards.
	Log *slog.Logger
	// Metrics is where the numbers of the API are registered; nil keeps none.
	Metrics prometheus.Registerer
	// BodyLimit is the most bytes that a request body may have; 0 is DefaultBodyLimit.
	BodyLimit int64
}

// API is the HTTP surface: the control plane and the data plane of AWS on one
// address, and Muster's own operations beside them. It is an http.Handler and
// safe for concurrent use.
//
// It must be the server's handler as it is, or behind Beside. A ServeMux before
// it would clean and redirect paths, which breaks signatures and encoded names.
type API struct {
	engine   *engine.Engine
	registry *registry.Registry
	messages Messages
	front    *front
}

// New returns an API. It fails if a metric's name is taken.
func New(c Config) (*API, error) {
	a := &API{engine: c.Engine, registry: c.Registry, messages: c.Messages}
	var err error
	a.front, err = newFront(
		frontConfig{auth: c.Auth, log: c.Log, metrics: c.Metrics, bodyLimit: c.BodyLimit},
		append(a.routes(), a.musterRoutes()...),
	)
	return a, err
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.front.ServeHTTP(w, r) }
