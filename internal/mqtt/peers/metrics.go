package peers

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the numbers of the peers.
type metrics struct {
	sent, received, unanswered, retold prometheus.Counter
}

// newMetrics registers the metrics with reg, unless it is nil. It fails if one of
// the names is taken.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		sent:       counter("muster_mqtt_peer_messages_sent_total", "Messages of clients handed to other nodes."),
		received:   counter("muster_mqtt_peer_messages_received_total", "Messages of clients taken from other nodes."),
		unanswered: counter("muster_mqtt_peer_claims_unanswered_total", "Claims to clients that another node has not answered in time."),
		retold:     counter("muster_mqtt_peer_retold_total", "Things whose devices were told again what is next, because other nodes may not have known of them."),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.sent), reg.Register(m.received), reg.Register(m.unanswered), reg.Register(m.retold))
}
