package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"muster/internal/apierr"
	"muster/internal/httpapi"
)

func TestBeside(t *testing.T) {
	t.Parallel()
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("api")) })
	h := httpapi.Beside(api, map[string]http.Handler{"/healthz": httpapi.Health(nil)})
	tests := []struct{ name, target, want string }{
		{"an open path is served by its handler", "/healthz", `{"status":"ok"}`},
		{"a query changes nothing", "/healthz?verbose=1", `{"status":"ok"}`},
		{"a path below is the API's", "/healthz/", "api"},
		{"a path that would be cleaned is the API's", "//healthz", "api"},
		{"an escaped path is the API's", "/health%7A", "api"},
		{"everything else is the API's", "/things/healthz", "api"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.target, nil))
			if w.Code != http.StatusOK || w.Body.String() != tt.want {
				t.Errorf("got %d %s, want 200 %s", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"what is well is ok", nil, 200, `{"status":"ok"}`},
		{"a passing fault is told", apierr.Wrap(apierr.Unavailable, errors.New("errno 28"), "The disk is full."), 503, `{"status":"unavailable","reason":"The disk is full."}`},
		{"an internal one stays in the log", errors.New("/secret/path: malformed"), 503, `{"status":"unavailable","reason":"An internal fault, which the server's log tells."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			httpapi.Health(func(context.Context) error { return tt.err }).
				ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("got content type %s", got)
			}
		})
	}
}
