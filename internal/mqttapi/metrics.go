package mqttapi

import (
	"cmp"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics are the numbers of requests.
type requestMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// newRequestMetrics registers the metrics with reg, unless it is nil. It fails
// if one of the names is taken.
func newRequestMetrics(reg prometheus.Registerer) (*requestMetrics, error) {
	m := &requestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_mqtt_requests_total",
			Help: "Job requests answered over MQTT, by operation and error code, accepted if none.",
		}, []string{"op", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muster_mqtt_request_duration_seconds",
			Help:    "Time from a job request's arrival to its reply, the commit included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"op"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.duration))
}

func (m *requestMetrics) observe(op, code string, took time.Duration) {
	m.requests.WithLabelValues(op, cmp.Or(code, "accepted")).Inc()
	m.duration.WithLabelValues(op).Observe(took.Seconds())
}

func newNotificationMetrics() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_mqtt_notifications_total",
		Help: "Notifications that the broker has taken, by kind.",
	}, []string{"kind"})
}
