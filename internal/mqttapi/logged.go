package mqttapi

import (
	"strings"
	"unicode/utf8"

	"muster/internal/wire"
)

// Direction says who sent a message.
type Direction uint8

// The directions.
const (
	// FromDevice is a request.
	FromDevice Direction = iota + 1
	// ToDevice is a reply or a notification.
	ToDevice
)

// String returns in or out, as the server sees it.
func (d Direction) String() string {
	if d == FromDevice {
		return "in"
	}
	return "out"
}

// Logged is a job message as an operator sees it afterwards.
type Logged struct {
	// Seq orders the messages of a server. It grows over restarts, too, unless
	// the clock is set back, and is exact as a JSON number.
	Seq int64
	// At is the engine's time, in milliseconds since the Unix epoch.
	At        int64
	Direction Direction
	// ClientID is the client that sent it or got the reply; empty for
	// notifications, which go to whoever has subscribed.
	ClientID string
	Topic    string
	QoS      byte
	// Payload is the beginning of the payload, cut at a character; Size is the
	// number of bytes of the whole.
	Payload string
	Size    int
	// Code and Reason say why a request was rejected, in its reply; else empty.
	Code, Reason string
}

const (
	// maxName is the length of the longest thing name: what is longer names no
	// thing that an operator could ask for.
	maxName = 128
	// maxText is how many bytes are kept of a topic or a reason.
	maxText = 320
)

// exchange keeps a request and its reply.
func (i *Inspector) exchange(x *exchange, reply Reply, told wire.RequestRejected, at int64) {
	if i == nil || len(x.topic.Thing) > maxName {
		return
	}
	i.record(x.topic.Thing, Logged{
		At: x.at, Direction: FromDevice, ClientID: x.ClientID, Topic: clip(x.Topic, maxText), QoS: x.QoS,
		Payload: clip(x.Payload, i.payload), Size: len(x.Payload),
	}, Logged{
		At: at, Direction: ToDevice, ClientID: x.ClientID, Topic: clip(reply.Topic, maxText), QoS: reply.QoS,
		Payload: clip(reply.Payload, i.payload), Size: len(reply.Payload),
		Code: told.Code, Reason: clip(told.Message, maxText),
	})
}

// notification keeps a message that the broker has taken.
func (i *Inspector) notification(thing string, at int64, m Message) {
	if i == nil || len(thing) > maxName {
		return
	}
	i.record(thing, Logged{
		At: at, Direction: ToDevice, Topic: clip(m.Topic, maxText), QoS: m.QoS,
		Payload: clip(m.Payload, i.payload), Size: len(m.Payload),
	})
}

// clip returns a copy of at most limit bytes of text, in valid UTF-8.
func clip[T string | []byte](text T, limit int) string {
	cut := min(len(text), limit)
	if cut < len(text) {
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
	}
	s := string(text[:cut])
	if cut < len(text) {
		s = strings.Clone(s) // let go of the rest
	}
	return strings.ToValidUTF8(s, "?")
}
