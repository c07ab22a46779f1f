// Package mqttapi is the jobs API over MQTT: it decodes what a device
// publishes, makes one call of the engine and encodes the answer; and it
// publishes the notifications that the engine owes [jobs-mqtt-api].
//
// It knows topics and payloads and no broker: an endpoint, or a bridge to one,
// hands it requests and takes replies and messages from it.
package mqttapi

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/topic"
)

// Config is what an API needs. Engine must be set.
type Config struct {
	Engine *engine.Engine
	// Inspector keeps the messages for operators; nil keeps none.
	Inspector *Inspector
	// Log gets faults as errors and every request at the debug level; nil discards.
	Log *slog.Logger
	// Metrics is where the numbers of the API are registered; nil keeps none.
	Metrics prometheus.Registerer
}

// API answers what devices publish. It is safe for concurrent use.
type API struct {
	engine    *engine.Engine
	inspector *Inspector
	log       *slog.Logger
	metrics   *requestMetrics
}

// New returns an API. It fails if a metric's name is taken.
func New(c Config) (*API, error) {
	m, err := newRequestMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	return &API{
		engine: c.Engine, inspector: c.Inspector, metrics: m,
		log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
	}, nil
}

// Request is a message that a client has published.
type Request struct {
	// Principal is who the client has proved to be. That it may publish to the
	// topic has been asked before; the engine is asked what it may do.
	Principal auth.Principal
	// ClientID is for logs and the inspector.
	ClientID string
	Topic    string
	// Payload is read during the call only.
	Payload []byte
	// QoS is that of the request, 0 or 1.
	QoS byte
}

// Reply answers a request. It goes to the connection that made the request,
// once, whether or not the client has subscribed to its topic, and to nobody
// else; if that connection is gone, it goes nowhere [jobs-mqtt-api].
type Reply struct {
	// Topic is the topic of the request as published, with one more segment.
	Topic   string
	Payload []byte
	// QoS is that of the request. What the client has subscribed with may lower it.
	QoS byte
	// After, if not nil, is to be called once the reply has been handed to the
	// connection, or nowhere: until then, a second at most, the device is not
	// notified of what its request has changed.
	After func()
}

// Handle answers a message. It reports false if the topic is not in the jobs
// namespace of a thing; then nothing has happened. When it returns, the change
// is durable and the message may be acknowledged, whatever the reply says.
//
// It fails only if ctx has ended: then nobody waits for a reply, and the message
// must not be acknowledged because nothing may have been done. Whatever else
// goes wrong is told in the reply.
func (a *API) Handle(ctx context.Context, r Request) (Reply, bool, error) {
	t, ok := topic.Parse(r.Topic)
	if !ok {
		return Reply{}, false, nil
	}
	x := &exchange{Request: r, topic: t, start: time.Now(), at: a.engine.Now().UnixMilli()}
	body, err := a.guard(ctx, x)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		if x.release != nil {
			x.release()
		}
		return Reply{}, true, err
	}
	return a.answer(ctx, x, body, err), true, nil
}
