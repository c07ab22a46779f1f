package mqttapi

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/topic"
	"muster/internal/wire"
)

// Message is a message to everyone who has subscribed to its topic.
type Message struct {
	Topic   string
	Payload []byte
	// QoS is 0 or 1. A subscription may lower it.
	QoS byte
	// Here limits it to subscribers of this node; Except are other nodes that
	// serve their own.
	Here   bool
	Except []string
}

// Broker is what delivers messages: the endpoint of this server, or a bridge to another.
type Broker interface {
	// Publish hands a message to its subscribers and their sessions, in the
	// order of the calls. It returns an error if it could not; then the message
	// comes again. That nobody has subscribed is no error. The payload must not
	// be modified.
	Publish(ctx context.Context, m Message) error
}

// PublisherConfig is what a publisher needs. Broker must be set.
type PublisherConfig struct {
	Broker Broker
	// Inspector keeps the messages for operators; nil keeps none.
	Inspector *Inspector
	// Log gets what cannot be published; nil discards.
	Log *slog.Logger
	// Metrics is where the numbers of the publisher are registered; nil keeps none.
	Metrics prometheus.Registerer
}

// Publisher publishes what the engine's outbox owes to devices. It implements
// engine.Publisher.
type Publisher struct {
	broker    Broker
	inspector *Inspector
	log       *slog.Logger
	sent      *prometheus.CounterVec
}

var _ engine.Publisher = (*Publisher)(nil)

// NewPublisher returns a publisher. It fails if a metric's name is taken.
func NewPublisher(c PublisherConfig) (*Publisher, error) {
	p := &Publisher{
		broker: c.Broker, inspector: c.Inspector, sent: newNotificationMetrics(),
		log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
	}
	if c.Metrics == nil {
		return p, nil
	}
	return p, c.Metrics.Register(p.sent)
}

// Notify publishes the notifications that a thing's device must get: notify,
// then notify-next [jobs-comm-notifications]. If it fails half way, both come
// again.
func (p *Publisher) Notify(ctx context.Context, n engine.Notification) error {
	if n.Notice.List {
		inProgress, queued := summaries(n.Pending[:min(len(n.Pending), job.MaxListed)])
		err := p.publish(ctx, n, topic.Notify, wire.JobExecutionsChanged{
			Jobs: wire.PendingJobs{InProgress: inProgress, Queued: queued},
		})
		if err != nil {
			return err
		}
	}
	if !n.Notice.Next {
		return nil
	}
	var next wire.NextJobExecutionChanged
	if len(n.Pending) > 0 {
		if n.Document == "" {
			// The job is gone and takes its executions along, which will be told.
			// Devices rely on a document, so until then they are told nothing.
			return nil
		}
		next.Execution = execution(engine.Delivery{Execution: n.Pending[0], Document: n.Document, At: n.At})
	}
	return p.publish(ctx, n, topic.NotifyNext, next)
}

func (p *Publisher) publish(ctx context.Context, n engine.Notification, kind topic.Kind, body any) error {
	payload, err := wire.EncodeMessage(nil, n.At, body)
	if err != nil { // a damaged document: to try again would only keep everyone else from being told
		p.log.ErrorContext(ctx, "notification cannot be encoded", "thing", n.Thing, "err", err)
		return nil
	}
	t := topic.Topic{Kind: kind, Thing: n.Thing, Namespace: n.Namespace}
	m := Message{Topic: t.String(), Payload: payload, QoS: 1, Here: n.Here, Except: n.Except}
	err = p.broker.Publish(ctx, m)
	if err != nil {
		return err
	}
	p.inspector.notification(n.Thing, n.At, m)
	p.sent.WithLabelValues(kindLabel(kind)).Inc()
	return nil
}

func kindLabel(k topic.Kind) string {
	if k == topic.Notify {
		return "notify"
	}
	return "notify-next"
}
