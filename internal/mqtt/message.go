package mqtt

import (
	"math"

	"muster/internal/mqtt/codec"
)

// Message is an application message. It is shared by everyone it goes to:
// once handed over, neither it nor what it points to may be modified.
type Message struct {
	// Topic is where it was published, never empty and never a filter.
	Topic string
	// Payload is the body, possibly empty.
	Payload []byte
	// QoS is 0 or 1: what the publisher asked for. A subscription may lower it.
	QoS byte
	// Retain asks to keep the message for those who subscribe later.
	Retain bool
	// Expires is when it is no longer worth delivering, in milliseconds since
	// the Unix epoch; 0 is never.
	Expires int64
	// Properties is what MQTT 5 forwards beside the payload; nil if there is none.
	Properties *Properties
	// From is the client id of the publisher, for the No Local option; empty
	// for what the server itself publishes.
	From string
	// Stamp orders the retained messages of a topic, whatever node they were
	// published on; 0 if the server is alone.
	Stamp int64

	topic []byte // Topic, for the codec; nil if it has not been made
}

// Properties is the part of a PUBLISH of MQTT 5 that is passed on to the
// receivers as it came. Receivers that speak 3.1.1 do not see it.
type Properties struct {
	// PayloadIsText announces a payload in UTF-8.
	PayloadIsText bool
	// ContentType, ResponseTopic and CorrelationData are nil if absent.
	ContentType     []byte
	ResponseTopic   []byte
	CorrelationData []byte
	// User are pairs that mean something to the clients alone.
	User codec.UserProperties
}

// received returns the message that a client has sent, in memory of its own.
// topic is the one that the packet names or stands for.
func received(m *codec.Message, topic topicName, from string) *Message {
	own := *m
	own.Topic = nil // topic has it
	own = own.Clone()
	out := message(&own, topic, from)
	return &out
}

// message returns a message that shares the memory of c.
func message(c *codec.Message, topic topicName, from string) Message {
	out := Message{
		Topic: topic.text, topic: topic.bytes, Payload: c.Payload, QoS: byte(c.QoS), Retain: c.Retain, From: from,
	}
	if c.PayloadIsText || c.ContentType != nil || c.ResponseTopic != nil || c.CorrelationData != nil || c.User.Size() > 0 {
		out.Properties = &Properties{
			PayloadIsText: c.PayloadIsText, ContentType: c.ContentType, ResponseTopic: c.ResponseTopic,
			CorrelationData: c.CorrelationData, User: c.User,
		}
	}
	return out
}

// topicName is a topic in both forms, made once and used by many.
type topicName struct {
	text  string
	bytes []byte
}

func newTopicName(b []byte) topicName {
	text := string(b)
	return topicName{text: text, bytes: []byte(text)}
}

// packet returns what is sent to a client at now: the message as it is, but for
// how long it is still worth delivering [MQTT-3.3.2-6].
func (m *Message) packet(now int64) codec.Message {
	c := codec.Message{Topic: m.topic, Payload: m.Payload, QoS: codec.QoS(m.QoS), Retain: m.Retain}
	if c.Topic == nil {
		c.Topic = []byte(m.Topic)
	}
	if m.Expires != 0 {
		c.HasExpiry, c.Expiry = true, uint32(min(max(1, (m.Expires-now+999)/1000), math.MaxUint32))
	}
	if p := m.Properties; p != nil {
		c.PayloadIsText, c.ContentType, c.ResponseTopic = p.PayloadIsText, p.ContentType, p.ResponseTopic
		c.CorrelationData, c.User = p.CorrelationData, p.User
	}
	return c
}

// messageOverhead is what a queued message is counted for beside its payload
// and topic: the structures around it.
const messageOverhead = 128

// size returns the bytes that the message is counted for in bounded queues.
func (m *Message) size() int {
	n := messageOverhead + len(m.Topic) + len(m.Payload)
	if p := m.Properties; p != nil {
		n += len(p.ContentType) + len(p.ResponseTopic) + len(p.CorrelationData) + p.User.Size()
	}
	return n
}

// expired reports whether the message must no longer be delivered at now.
func (m *Message) expired(now int64) bool {
	return m.Expires != 0 && now >= m.Expires
}
