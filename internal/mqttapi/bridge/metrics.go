package bridge

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/mqtt/codec"
)

// metrics are the numbers of a bridge.
type metrics struct {
	connected *prometheus.GaugeVec   // by link
	connects  *prometheus.CounterVec // by link and result
	mode      *prometheus.GaugeVec   // by mode
	active    prometheus.Gauge
	requests  *prometheus.CounterVec // by QoS and whether it is a duplicate
	failed    *prometheus.CounterVec // by what
}

// newMetrics registers the metrics with reg, unless it is nil. It fails if one
// of the names is taken.
func newMetrics(reg prometheus.Registerer, pending func() int) (*metrics, error) {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muster_bridge_" + name, Help: help}, labels)
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "muster_bridge_" + name, Help: help}, labels)
	}
	m := &metrics{
		connected: gauges("connected", "Whether a link to the MQTT broker is connected: 1 or 0.", "link"),
		connects:  counters("connects_total", "Attempts to connect to the MQTT broker, by link and result.", "link", "result"),
		mode:      gauges("mode", "1 for the mode in which requests are shared between nodes.", "mode"),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_bridge_active", Help: "Whether this node takes requests: 1 or 0.",
		}),
		requests: counters("requests_total", "Requests that the MQTT broker has delivered, by QoS and whether it has delivered them before.", "qos", "duplicate"),
		failed:   counters("failures_total", "Messages that did not reach the MQTT broker: replies that are lost, notifications that come again, and what it refuses for good.", "message"),
	}
	if reg == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_bridge_pending_requests", Help: "Requests that are being served or wait for it.",
	}, func() float64 { return float64(pending()) })
	return m, errors.Join(
		reg.Register(m.connected), reg.Register(m.connects), reg.Register(m.mode), reg.Register(m.active),
		reg.Register(m.requests), reg.Register(m.failed), reg.Register(waiting))
}

func (m *metrics) request(p *codec.Publish) {
	m.requests.WithLabelValues(strconv.Itoa(int(p.QoS)), strconv.FormatBool(p.Dup)).Inc()
}
