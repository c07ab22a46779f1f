package codec

import "fmt"

// Type is the kind of a packet: the upper four bits of its first byte.
type Type uint8

// The types [MQTT 5, 2.1.2]. Zero is reserved, and so is TypeAuth in MQTT 3.1.1.
const (
	TypeConnect Type = iota + 1
	TypeConnack
	TypePublish
	TypePuback
	TypePubrec
	TypePubrel
	TypePubcomp
	TypeSubscribe
	TypeSuback
	TypeUnsubscribe
	TypeUnsuback
	TypePingreq
	TypePingresp
	TypeDisconnect
	TypeAuth
)

var typeNames = [...]string{
	TypeConnect: "CONNECT", TypeConnack: "CONNACK", TypePublish: "PUBLISH", TypePuback: "PUBACK",
	TypePubrec: "PUBREC", TypePubrel: "PUBREL", TypePubcomp: "PUBCOMP", TypeSubscribe: "SUBSCRIBE",
	TypeSuback: "SUBACK", TypeUnsubscribe: "UNSUBSCRIBE", TypeUnsuback: "UNSUBACK", TypePingreq: "PINGREQ",
	TypePingresp: "PINGRESP", TypeDisconnect: "DISCONNECT", TypeAuth: "AUTH",
}

// String returns the name that the standard uses, such as PUBLISH.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Version is the version of the protocol, as CONNECT spells it.
type Version uint8

// The versions. Everything below V5 is read and written like V311.
const (
	V311 Version = 4
	V5   Version = 5
)

// String returns the version for people, such as 3.1.1.
func (v Version) String() string {
	switch v {
	case V311:
		return "3.1.1"
	case V5:
		return "5"
	}
	return fmt.Sprintf("level %d", uint8(v))
}

// QoS is a quality of service.
type QoS uint8

// The levels. QoS2 occurs in subscriptions alone.
const (
	QoS0 QoS = iota // at most once
	QoS1            // at least once
	QoS2            // exactly once
)

// packets is a set of packet types, for the tables that say what may occur where.
type packets uint16

const (
	inWill        packets = 1 // the properties of a will, which have no type of their own
	inConnect     packets = 1 << TypeConnect
	inConnack     packets = 1 << TypeConnack
	inPublish     packets = 1 << TypePublish
	inPuback      packets = 1 << TypePuback
	inSubscribe   packets = 1 << TypeSubscribe
	inSuback      packets = 1 << TypeSuback
	inUnsubscribe packets = 1 << TypeUnsubscribe
	inUnsuback    packets = 1 << TypeUnsuback
	inDisconnect  packets = 1 << TypeDisconnect
	inAuth        packets = 1 << TypeAuth
)
