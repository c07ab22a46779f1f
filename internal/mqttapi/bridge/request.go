package bridge

import (
	"context"
	"time"

	"muster/internal/auth"
	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
	"muster/internal/topic"
)

// filters match every request of the jobs API, each request once, and no reply
// and no notification: what the bridge publishes ends in other words. Namespaces
// are levels of their own.
func filters(mode Mode) []string {
	jobs := "$aws/things/+/jobs/"
	if mode == Shared {
		jobs = "$share/" + group + "/" + jobs
	}
	return []string{
		jobs + "get", jobs + "start-next", jobs + "+/get", jobs + "+/update", jobs + "+/+/get", jobs + "+/+/update",
	}
}

// received takes a message of a device. It waits while there is no room for it.
func (b *Bridge) received(c *conn, p *codec.Publish) {
	name := string(p.Topic)
	t, ok := topic.Parse(name)
	if !ok {
		t.Thing = name
	}
	b.metrics.request(p)
	r := task{thing: t.Thing, request: mqttapi.Request{
		Principal: auth.Principal{
			Kind: auth.Bridge, ID: t.Thing, Account: b.cfg.Account, Region: b.cfg.Region, Service: "iotdevicegateway",
		},
		Topic: name, Payload: p.Payload, QoS: byte(p.QoS),
	}}
	if p.QoS == codec.QoS1 {
		r.entry = b.ledger.arrive(p)
		if r.entry == nil {
			return
		}
	}
	if !b.pool.put(c.life, r) && r.entry != nil { // the connection has ended, and it comes again
		b.ledger.forget(r.entry)
	}
}

// serve answers a request and acknowledges it.
func (b *Bridge) serve(t task) {
	if mqttapi.CanPublish(t.request.Topic) {
		reply, handled, err := b.handle(b.work, t.request)
		if err != nil {
			return // nobody knows what was done, so the broker must keep it
		}
		if handled {
			b.reply(reply)
		}
		if reply.After != nil {
			reply.After()
		}
	}
	if t.entry != nil {
		b.ledger.done(t.entry)
	}
}

// replyEvery is how long a reply waits before it is tried again.
const replyEvery = 50 * time.Millisecond

// reply publishes a reply, again if the connection is lost, and gives up after
// a while: the change that it tells of is made.
func (b *Bridge) reply(r mqttapi.Reply) {
	ctx, cancel := context.WithTimeoutCause(b.work, replyWait, errSilent)
	defer cancel()
	for {
		c, err := b.out.await(ctx)
		if err == nil {
			err = c.publish(ctx, mqttapi.Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS})
		}
		if err == nil || b.refused(r.Topic, err) {
			return
		}
		if ctx.Err() != nil || r.QoS == 0 {
			b.metrics.failed.WithLabelValues("reply").Inc()
			b.log.Warn("mqtt reply is lost", "topic", r.Topic, "err", err)
			return
		}
		pause(ctx, replyEvery)
	}
}
