package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"muster/internal/auth"
	"muster/internal/wire"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// frontConfig is what stands before the operations. Only auth is required.
type frontConfig struct {
	auth      auth.Authenticator
	log       *slog.Logger          // nil: discard
	metrics   prometheus.Registerer // nil: none
	bodyLimit int64                 // bytes; 0: DefaultBodyLimit
}

// front is what every request goes through: it reads, authenticates and routes
// it, writes the answer, and accounts for it in one log line and the metrics.
//
// It must be the server's handler as it is. A ServeMux before it would clean
// and redirect paths, which breaks signatures and encoded names.
type front struct {
	cfg     frontConfig
	router  *router
	metrics *metrics
}

// newFront returns the front of the routes. It fails on a bad route and on a
// metric whose name is taken.
func newFront(cfg frontConfig, routes []route) (*front, error) {
	cfg.log = cmp.Or(cfg.log, slog.New(slog.DiscardHandler))
	cfg.bodyLimit = cmp.Or(cfg.bodyLimit, DefaultBodyLimit)
	rt, err := newRouter(routes)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.metrics)
	if err != nil {
		return nil, fmt.Errorf("httpapi: register metrics: %w", err)
	}
	return &front{cfg: cfg, router: rt, metrics: m}, nil
}

// statusGone is what the log says of a caller that left before the answer, as
// other servers do. Nobody sees it on the wire.
const statusGone = 499

// event is what is known of a request, for its log line and metrics.
type event struct {
	requestID string
	start     time.Time
	op        string // operation, or unknownOp
	plane     auth.Plane
	principal auth.Principal
	params    wire.Params
	status    int
	code      string // exception, empty on success
	bytes     int    // of the response body
	err       error
	stack     []byte // of a panic
}

// ServeHTTP answers one request.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ev := &event{requestID: uuid.NewString(), start: time.Now(), op: unknownOp}
	f.metrics.inFlight.Inc()
	defer f.finish(r, ev)
	out, err := f.guard(w, r, ev)
	f.answer(w, r, ev, out, err)
}

// guard is serve that returns a panic as an error.
func (f *front) guard(w http.ResponseWriter, r *http.Request, ev *event) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			ev.stack = debug.Stack()
			out, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	return f.serve(w, r, ev)
}

// serve returns the body of the answer. Where the path leads is looked up first,
// since it decides how a refusal is spelled, yet only those who prove themselves
// are told that it leads nowhere.
func (f *front) serve(w http.ResponseWriter, r *http.Request, ev *event) ([]byte, error) {
	end, segs, lost := f.router.find(r.Method, r.URL.EscapedPath())
	body, err := readBody(w, r, f.cfg.bodyLimit)
	if err == nil {
		ev.principal, err = f.cfg.auth.Authenticate(r, body)
	}
	plane, ok := auth.PlaneOf(ev.principal.Service)
	if err != nil || !ok {
		plane = claimedPlane(r)
	}
	ev.plane = plane
	var e *entry
	if end != nil {
		e = end.on(plane)
		ev.op, ev.plane, ev.params = e.operation, e.plane, e.params(segs)
	}
	if err = cmp.Or(err, lost); err != nil {
		return nil, err
	}
	out, err := e.serve(&call{
		ctx: r.Context(), principal: ev.principal, params: ev.params, query: r.URL.Query(), body: body,
	})
	if err != nil {
		return nil, err
	}
	return wire.Encode(out)
}

// answer writes the body, or what is told of err instead.
func (f *front) answer(w http.ResponseWriter, r *http.Request, ev *event, body []byte, err error) {
	ev.status, ev.err = http.StatusOK, err
	h := w.Header()
	if err != nil {
		s, told := tellError(ev.plane, err, ev.requestID)
		ev.status, ev.code = s.status, s.exception
		h.Set("X-Amzn-Errortype", s.exception)
		if body, err = wire.Encode(told); err != nil {
			body = []byte("{}") // not reached: the body is text and numbers
		}
	}
	h.Set("X-Amzn-Requestid", ev.requestID)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(ev.status)
	ev.bytes, err = w.Write(body)
	if errors.Is(ev.err, context.Canceled) && r.Context().Err() != nil {
		ev.status, ev.code = statusGone, ""
	}
	ev.err = errors.Join(ev.err, err)
}

// finish accounts for a request that has been answered.
func (f *front) finish(r *http.Request, ev *event) {
	took := time.Since(ev.start)
	f.metrics.inFlight.Dec()
	f.metrics.observe(ev.op, planeLabel(ev.plane), ev.status, took)
	level := slog.LevelInfo
	if ev.status >= http.StatusInternalServerError && ev.status != http.StatusNotImplemented {
		level = slog.LevelError
	}
	ctx := context.WithoutCancel(r.Context())
	if f.cfg.log.Enabled(ctx, level) {
		f.cfg.log.LogAttrs(ctx, level, "request", ev.attrs(took)...)
	}
}

// attrs returns the attributes of the request's log line, those that it has.
func (ev *event) attrs(took time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("op", ev.op),
		slog.String("plane", planeLabel(ev.plane)),
		slog.Int("status", ev.status),
		slog.Duration("dur", took),
		slog.Int("bytes", ev.bytes),
		slog.String("request_id", ev.requestID),
	)
	thing, _ := ev.params.Get("thingName")
	job, _ := ev.params.Get("jobId")
	for _, a := range [...]struct{ key, value string }{
		{"principal", ev.principal.ID}, {"thing", thing}, {"job", job}, {"code", ev.code}, {"stack", string(ev.stack)},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if ev.err != nil {
		attrs = append(attrs, slog.Any("err", ev.err))
	}
	return attrs
}
