package mqtt

import (
	"cmp"
	"time"
)

// Limits bounds what clients may ask for and what they cost. Zero fields take
// the defaults of DefaultLimits, which are those of AWS IoT where it has one.
type Limits struct {
	// Payload is the most bytes of a published message.
	Payload int
	// Packet is the most bytes of a packet, header included. MQTT 5 clients are told.
	Packet int
	// ConnectPacket is the most bytes of a CONNECT, read before anybody is authenticated.
	ConnectPacket int
	// ClientID is the most bytes of a client identifier.
	ClientID int
	// Topic is the most bytes of a topic or filter, TopicSlashes the most
	// slashes. Topics that begin with $aws/ are exempt from the latter.
	Topic        int
	TopicSlashes int
	// SubscribeFilters is the most filters in one SUBSCRIBE, Subscriptions the
	// most that a session holds.
	SubscribeFilters int
	Subscriptions    int
	// UserProperties is the most bytes of all user properties of a message.
	UserProperties int
	// InFlight is the most unacknowledged QoS 1 messages in each direction. A
	// client's Receive Maximum may lower the one to it.
	InFlight int
	// TopicAliases is the highest alias that a client may set.
	TopicAliases int
	// QueueMessages and QueueBytes bound what waits for one client, connected
	// or not. What finds the queue full is refused: the oldest are kept.
	QueueMessages int
	QueueBytes    int
	// ReserveMessages and ReserveBytes bound what is kept beyond that of messages
	// that tell all that there is to know, by the hook Whole: of each topic the last
	// one that has not been sent. By default there are twice as many as a session may
	// have subscriptions: none of them is lost, unless wildcards stand for more topics.
	ReserveMessages int
	ReserveBytes    int
	// OutBytes is how many encoded bytes may wait for a client's socket before
	// nothing more is taken from its queue, or read from it.
	OutBytes int
	// RetainedMessages and RetainedBytes bound the retained messages of the server.
	RetainedMessages int
	RetainedBytes    int
	// PublishRate is how many messages a second one connection may publish;
	// beyond it the server reads slower. 0 does not limit.
	PublishRate float64
	// Pending is how many connections may wait to be authenticated. If there are
	// more, one is closed: the oldest of the address, or of the network of 64 bits
	// in IPv6, that has the most.
	Pending int

	// ConnectTimeout is how long a client may take from the first byte of the
	// transport to a complete CONNECT, TLS handshake included.
	ConnectTimeout time.Duration
	// KeepAliveMin and KeepAliveMax clamp what clients ask for; 0 asks for the maximum.
	KeepAliveMin, KeepAliveMax time.Duration
	// PacketTimeout is how long a packet that has begun may take to arrive, on
	// top of a second for each KiB of it.
	PacketTimeout time.Duration
	// WriteTimeout is how long a client may refuse to take what is sent to it.
	WriteTimeout time.Duration
	// SessionExpiry is the longest that a session is kept after its connection
	// has ended, and how long that of a 3.1.1 client is.
	SessionExpiry time.Duration
	// MessageExpiryMax caps the Message Expiry Interval.
	MessageExpiryMax time.Duration
	// SlowWait is how long a client that publishes waits for a subscriber whose
	// queue is more than half full. It goes on when the queue is almost empty, at
	// most an eighth full. Once is enough: nobody waits again for a subscriber
	// that has not caught up by then, until it has. What the server publishes
	// waits for nobody.
	SlowWait time.Duration
}

// DefaultLimits returns the limits of a server that was told nothing.
func DefaultLimits() Limits {
	return Limits{
		Payload:          128 << 10,
		Packet:           149504,
		ConnectPacket:    8 << 10,
		ClientID:         128,
		Topic:            256,
		TopicSlashes:     7,
		SubscribeFilters: 8,
		Subscriptions:    50,
		UserProperties:   8 << 10,
		InFlight:         100,
		TopicAliases:     8,
		QueueMessages:    1000,
		QueueBytes:       4 << 20,
		ReserveMessages:  100,
		ReserveBytes:     4 << 20,
		OutBytes:         64 << 10,
		RetainedMessages: 5000,
		RetainedBytes:    64 << 20,
		Pending:          4096,
		ConnectTimeout:   10 * time.Second,
		KeepAliveMin:     30 * time.Second,
		KeepAliveMax:     1200 * time.Second,
		PacketTimeout:    30 * time.Second,
		WriteTimeout:     30 * time.Second,
		SessionExpiry:    time.Hour,
		MessageExpiryMax: 604800 * time.Second,
		SlowWait:         100 * time.Millisecond,
	}
}

// withDefaults returns l with its zero fields filled.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		have *int
		want int
	}{
		{&l.Payload, d.Payload},
		{&l.Packet, d.Packet},
		{&l.ConnectPacket, d.ConnectPacket},
		{&l.ClientID, d.ClientID},
		{&l.Topic, d.Topic},
		{&l.TopicSlashes, d.TopicSlashes},
		{&l.SubscribeFilters, d.SubscribeFilters},
		{&l.Subscriptions, d.Subscriptions},
		{&l.UserProperties, d.UserProperties},
		{&l.InFlight, d.InFlight},
		{&l.TopicAliases, d.TopicAliases},
		{&l.QueueMessages, d.QueueMessages},
		{&l.QueueBytes, d.QueueBytes},
		{&l.ReserveMessages, 2 * cmp.Or(l.Subscriptions, d.Subscriptions)},
		{&l.ReserveBytes, d.ReserveBytes},
		{&l.OutBytes, d.OutBytes},
		{&l.RetainedMessages, d.RetainedMessages},
		{&l.RetainedBytes, d.RetainedBytes},
		{&l.Pending, d.Pending},
	} {
		*f.have = cmp.Or(*f.have, f.want)
	}
	for _, f := range []struct {
		have *time.Duration
		want time.Duration
	}{
		{&l.ConnectTimeout, d.ConnectTimeout},
		{&l.KeepAliveMin, d.KeepAliveMin},
		{&l.KeepAliveMax, d.KeepAliveMax},
		{&l.PacketTimeout, d.PacketTimeout},
		{&l.WriteTimeout, d.WriteTimeout},
		{&l.SessionExpiry, d.SessionExpiry},
		{&l.MessageExpiryMax, d.MessageExpiryMax},
		{&l.SlowWait, d.SlowWait},
	} {
		*f.have = cmp.Or(*f.have, f.want)
	}
	// Ids are 16 bits, and a session's queue shares them with what is in flight.
	l.InFlight = min(l.InFlight, 1<<15)
	l.QueueMessages = min(l.QueueMessages, 1<<14)
	l.ReserveMessages = min(l.ReserveMessages, 1<<13)
	return l
}

// keepAlive returns the interval that is held against a client that asked for
// the given number of seconds [AWS IoT Core endpoints and quotas, keep-alive].
func (l *Limits) keepAlive(seconds uint16) time.Duration {
	if seconds == 0 {
		return l.KeepAliveMax
	}
	return min(max(time.Duration(seconds)*time.Second, l.KeepAliveMin), l.KeepAliveMax)
}
