package mqtt

import (
	"errors"

	"muster/internal/mqtt/codec"
)

// publish serves a message of the client.
func (k *conn) publish(f codec.Frame) *ending {
	var p codec.Publish
	err := p.Decode(f, k.version)
	if err == nil {
		err = p.CheckClient()
	}
	if err != nil {
		return clientError(err)
	}
	k.srv.metrics.in.Inc()
	topic, end := k.topic(&p)
	if end != nil {
		return end
	}
	k.throttle()
	l := &k.srv.limits
	switch {
	case len(p.Payload) > l.Payload:
		return clientError(&codec.Error{Reason: codec.QuotaExceeded, Text: "payload is longer than the limit"})
	case !l.fits(topic.text):
		return k.deny(&p, codec.TopicNameInvalid, eventClientError, errTopic)
	case p.User.Size() > l.UserProperties:
		return k.deny(&p, codec.QuotaExceeded, eventClientError, errUser)
	}
	if may := k.srv.cfg.Hooks.CanPublish; may != nil && !may(k.who, topic.text) {
		return k.deny(&p, codec.NotAuthorized, eventAuthError, errDenied)
	}
	if reserved(topic.text) {
		return k.request(&p, topic)
	}
	m := received(&p.Message, topic, k.who.ID)
	if p.HasExpiry {
		m.Expires = k.srv.now().Add(l.messageExpiry(p.Expiry)).UnixMilli()
	}
	wait := new(pending)
	if m.Retain {
		m.Retain = k.srv.retain(m, wait)
		if !m.Retain && p.QoS > 0 && k.version == codec.V5 {
			return k.deny(&p, codec.QuotaExceeded, eventClientError, errRetain)
		} // to others nobody can tell, so it goes at least to those who are there
	}
	behind := k.srv.spread(m, k.client, wait, Reach{})
	end = k.acknowledge(&p, wait)
	k.srv.await(k.srv.ctx, behind)
	return end
}

var (
	errTopic  = errors.New("topic is too long or has too many levels")
	errUser   = errors.New("user properties are too long")
	errRetain = errors.New("no room for another retained message")
	errDenied = errors.New("not authorized to publish")
	errNobody = errors.New("topic is reserved")
)

// topic returns the topic of a message, which the client may have abbreviated.
// Everything after it sees the topic itself.
func (k *conn) topic(p *codec.Publish) (topicName, *ending) {
	if p.Alias == 0 {
		return k.named(p.Topic), nil
	}
	if int(p.Alias) > k.srv.limits.TopicAliases {
		return topicName{}, clientError(&codec.Error{Reason: codec.TopicAliasInvalid, Rule: "MQTT-3.3.2-9", Text: "topic alias is above the maximum"})
	}
	if len(p.Topic) == 0 {
		if int(p.Alias) > len(k.aliases) || k.aliases[p.Alias-1].text == "" {
			return topicName{}, clientError(&codec.Error{Reason: codec.ProtocolError, Rule: "MQTT-3.3.4", Text: "topic alias stands for nothing"})
		}
		return k.aliases[p.Alias-1], nil
	}
	if k.aliases == nil {
		k.aliases = make([]topicName, k.srv.limits.TopicAliases)
	}
	k.aliases[p.Alias-1] = k.named(p.Topic)
	return k.aliases[p.Alias-1], nil
}

// named returns a topic in both forms. A client often publishes to the same one.
func (k *conn) named(b []byte) topicName {
	if string(b) != k.recent.text {
		k.recent = newTopicName(b)
	}
	return k.recent
}

// deny refuses a message. Only MQTT 5 can refuse one and go on, if it is to be
// acknowledged.
func (k *conn) deny(p *codec.Publish, reason codec.Reason, event string, err error) *ending {
	if k.version == codec.V5 && p.QoS > 0 {
		return k.enqueue(ack{id: p.PacketID, reason: reason})
	}
	return &ending{reason: reason, event: event, err: err}
}

// request hands a message to the server's own topics to the hook. The client's
// message is acknowledged when the hook returns, before the replies.
func (k *conn) request(p *codec.Publish, topic topicName) *ending {
	handle := k.srv.cfg.Hooks.Handle
	if handle == nil {
		return k.deny(p, codec.TopicNameInvalid, eventClientError, errNobody)
	}
	if end := k.settle(); end != nil {
		return end
	}
	k.flush()
	r, err := handle(k.srv.ctx, &Request{Client: k.who, Topic: topic.text, Payload: p.Payload, QoS: byte(p.QoS)})
	if err != nil {
		k.srv.log.Error("mqtt: request failed", "client", k.who.ID, "topic", topic.text, "err", err)
		return k.deny(p, codec.UnspecifiedError, eventServerError, err)
	}
	if !r.Handled {
		return k.deny(p, codec.TopicNameInvalid, eventClientError, errNobody)
	}
	if p.QoS > 0 {
		k.sendPuback(p.PacketID, codec.Success)
	}
	if len(r.Replies) > 0 {
		k.client.reply(k, r.Replies, byte(p.QoS))
	}
	if r.After != nil {
		r.After()
	}
	return nil
}

// ack is an acknowledgement that waits for something to become durable.
type ack struct {
	id     uint16 // 0 for a message of QoS 0, of which the client is told nothing
	reason codec.Reason
	wait   *pending
}

// maxAcks is how many acknowledgements may wait at once. They share a commit of
// the store, if the client sends one message after another.
const maxAcks = 64

// acknowledge acknowledges a message when all of it is durable. If it is of QoS 0,
// but retained, there is something to wait for, too: a client must not publish more
// than can be kept, whatever it wants to know of that.
func (k *conn) acknowledge(p *codec.Publish, wait *pending) *ending {
	if p.QoS == 0 && wait.over() {
		return nil
	}
	return k.enqueue(ack{id: p.PacketID, wait: wait})
}

// enqueue sends an acknowledgement, or keeps it until those before it have been
// sent: they must go in the order of the messages [MQTT-4.6.0-2].
func (k *conn) enqueue(a ack) *ending {
	if len(k.acks) == 0 && (a.wait == nil || a.wait.over()) {
		k.answer(a)
		return nil
	}
	k.acks = append(k.acks, a)
	if len(k.acks) >= maxAcks {
		return k.settle()
	}
	return nil
}

// settle sends the acknowledgements that wait. What could not be made durable is
// not acknowledged, so that the client sends it again.
func (k *conn) settle() *ending {
	for i, a := range k.acks {
		if a.wait != nil {
			if err := a.wait.wait(k.srv.ctx); err != nil {
				if k.version < codec.V5 && a.id != 0 {
					k.acks = nil
					return serverError(err)
				}
				k.srv.log.Error("mqtt: message cannot be kept", "client", k.who.ID, "err", err)
				a.reason = codec.UnspecifiedError
			}
		}
		k.answer(a)
		k.acks[i] = ack{}
	}
	k.acks = k.acks[:0]
	if cap(k.acks) > 8 {
		k.acks = nil
	}
	return nil
}

func (k *conn) answer(a ack) {
	if a.id != 0 {
		k.sendPuback(a.id, a.reason)
	}
}
