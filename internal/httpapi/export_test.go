package httpapi

import (
	"log/slog"
	"net/http"

	"muster/internal/apierr"
	"muster/internal/auth"

	"github.com/prometheus/client_golang/prometheus"
)

// TestRoute is a route for tests. Its handler gets the context, the principal
// and the request's parts.
type TestRoute struct {
	Pattern, Operation string
	Plane              auth.Plane
	Serve              func(c *TestCall) (any, error)
}

// TestCall is what a test's handler sees of a call.
type TestCall struct {
	Principal auth.Principal
	Params    map[string]string
	Query     map[string][]string
	Body      []byte
	Done      <-chan struct{} // of the request's context
	Err       func() error
}

// NewTestFront returns a front of the routes alone.
func NewTestFront(a auth.Authenticator, log *slog.Logger, reg prometheus.Registerer, limit int64, rs ...TestRoute) (http.Handler, error) {
	routes := make([]route, len(rs))
	for i, r := range rs {
		routes[i] = route{pattern: r.Pattern, operation: r.Operation, plane: r.Plane, serve: func(c *call) (any, error) {
			params := make(map[string]string)
			for _, p := range c.params {
				params[p.Name] = p.Value
			}
			return r.Serve(&TestCall{
				Principal: c.principal, Params: params, Query: c.query, Body: c.body, Done: c.ctx.Done(), Err: c.ctx.Err,
			})
		}}
	}
	return newFront(frontConfig{auth: a, log: log, metrics: reg, bodyLimit: limit}, routes)
}

// HandleTest exports handle for a function without a call.
func HandleTest[In, Out any](serve func(*In) (Out, error)) func(c *TestCall) (any, error) {
	h := handle(func(_ *call, in *In) (Out, error) { return serve(in) })
	return func(c *TestCall) (any, error) {
		return h(&call{query: c.Query, body: c.Body})
	}
}

// Spelling returns how a plane tells a kind, and whether its table has it.
func Spelling(p auth.Plane, k apierr.Kind) (exception string, status int, ok bool) {
	s, ok := spellings(p)[k]
	return s.exception, s.status, ok
}
