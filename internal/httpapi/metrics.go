package httpapi

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unknownOp is the operation of requests that lead nowhere, so that what a
// scanner asks for makes no series of its own.
const unknownOp = "unknown"

// metrics are the numbers of the HTTP surface.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// newMetrics registers the metrics with reg, unless it is nil. It fails if one
// of the names is taken.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_http_requests_total",
			Help: "Requests answered, by operation, plane and HTTP status.",
		}, []string{"op", "plane", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muster_http_request_duration_seconds",
			Help:    "Time from the end of a request's header to the end of its answer, by operation and plane.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"op", "plane"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_http_requests_in_flight",
			Help: "Requests being served.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.duration), reg.Register(m.inFlight))
}

func (m *metrics) observe(op, plane string, status int, took time.Duration) {
	m.requests.WithLabelValues(op, plane, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(op, plane).Observe(took.Seconds())
}
