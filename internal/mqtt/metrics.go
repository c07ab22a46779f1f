package mqtt

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons for which a message does not reach a subscriber.
const (
	droppedFull    = "queue_full" // the subscriber's queue has no room
	droppedExpired = "expired"
	droppedDenied  = "denied"   // the subscriber may not receive it
	droppedSize    = "too_long" // longer than the subscriber takes
	droppedOffline = "offline"  // nobody of a group can take it, or a reply's requester has gone
	// A later one of the same topic makes it superfluous, and there is not room for both.
	droppedReplaced = "replaced"
)

var dropReasons = []string{droppedFull, droppedExpired, droppedDenied, droppedSize, droppedOffline, droppedReplaced}

// metrics are the numbers of the endpoint.
type metrics struct {
	connections prometheus.Gauge
	connects    *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	sessions    prometheus.Gauge
	in, out     prometheus.Counter
	bytesIn     prometheus.Counter
	bytesOut    prometheus.Counter
	dropped     map[string]prometheus.Counter
	queued      prometheus.Gauge
	refused     prometheus.Counter
}

// newMetrics registers the metrics with reg, unless it is nil. It fails if one
// of the names is taken.
func newMetrics(reg prometheus.Registerer, s *Server) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_mqtt_messages_dropped_total",
		Help: "Messages that did not reach a subscriber, by reason.",
	}, []string{"reason"})
	m := &metrics{
		connections: gauge("muster_mqtt_connections", "Clients that are connected."),
		connects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_mqtt_connects_total", Help: "Attempts to connect, by listener and result.",
		}, []string{"listener", "result"}),
		disconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_mqtt_disconnects_total", Help: "Connections that have ended, by the reason that lifecycle events name.",
		}, []string{"reason"}),
		sessions: gauge("muster_mqtt_sessions", "Sessions that are known, connected or not."),
		in:       counter("muster_mqtt_messages_received_total", "Messages that clients published."),
		out:      counter("muster_mqtt_messages_sent_total", "Messages sent to clients, repeats included."),
		bytesIn:  counter("muster_mqtt_received_bytes_total", "Bytes read from clients."),
		bytesOut: counter("muster_mqtt_sent_bytes_total", "Bytes written to clients."),
		queued:   gauge("muster_mqtt_queue_bytes", "Bytes of messages that wait for clients or for their acknowledgement."),
		refused:  counter("muster_mqtt_refused_connections_total", "Connections closed because too many waited to be authenticated."),
		dropped:  make(map[string]prometheus.Counter, len(dropReasons)),
	}
	for _, r := range dropReasons {
		m.dropped[r] = dropped.WithLabelValues(r)
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.connections, m.connects, m.disconnects, m.sessions, m.in, m.out, m.bytesIn, m.bytesOut, m.queued, m.refused, dropped,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "muster_mqtt_subscriptions", Help: "Subscriptions of all sessions.",
		}, func() float64 { return float64(s.tree.len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "muster_mqtt_retained_messages", Help: "Topics with a retained message.",
		}, func() float64 { return float64(s.retained.len()) }),
	} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}
