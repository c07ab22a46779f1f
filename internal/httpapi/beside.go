package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"muster/internal/apierr"
	"muster/internal/wire"
)

// Beside returns a handler that serves the paths given, such as /metrics, by
// their own handlers, without authentication, and all others by api. Paths match
// as they were sent, whole and to the letter: nothing is cleaned or redirected.
func Beside(api http.Handler, open map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := open[r.URL.EscapedPath()]; ok {
			h.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// healthBody is what a health check answers.
type healthBody struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Health returns a handler for the checks of process managers and load
// balancers: 200 while check returns nil, else 503 with the reason, if it is one
// that a stranger may be told. A nil check always passes: the process is alive.
func Health(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := http.StatusOK, healthBody{Status: "ok"}
		if check != nil {
			if err := check(r.Context()); err != nil {
				status, body = http.StatusServiceUnavailable, healthBody{Status: "unavailable", Reason: reason(err)}
			}
		}
		text, _ := wire.Encode(body) // two strings can always be written
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		w.Write(text)
	})
}

func reason(err error) string {
	if e, ok := errors.AsType[*apierr.Error](err); ok && e.Kind != apierr.Internal {
		return e.Message
	}
	return "An internal fault, which the server's log tells."
}
