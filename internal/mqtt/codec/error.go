package codec

import "errors"

// Error is a packet that breaks the rules.
type Error struct {
	// Reason is what to tell the peer, where its version can say so.
	Reason Reason
	// Rule is the clause that was broken, such as MQTT-3.3.1-4, or empty.
	Rule string
	// Text says in a few words what is wrong. It holds nothing of the packet.
	Text string
}

// Error returns reason, text and rule.
func (e *Error) Error() string {
	s := e.Reason.Error() + ": " + e.Text
	if e.Rule != "" {
		s += " [" + e.Rule + "]"
	}
	return s
}

// Unwrap returns the reason, so that errors.Is(err, MalformedPacket) works.
func (e *Error) Unwrap() error { return e.Reason }

// ReasonOf returns the reason in err's chain, or UnspecifiedError if there is
// none. It must not be called with nil.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[Reason](err); ok {
		return r
	}
	return UnspecifiedError
}

func malformed(rule, text string) *Error {
	return &Error{Reason: MalformedPacket, Rule: rule, Text: text}
}

func protocolError(rule, text string) *Error {
	return &Error{Reason: ProtocolError, Rule: rule, Text: text}
}

func errShort() *Error { return malformed("", "packet ends inside a field") }

func errZeroID() *Error { return protocolError("MQTT-2.2.1-3", "packet id is 0") }

func errHuge() *Error {
	return &Error{Reason: PacketTooLarge, Text: "packet is longer than the protocol allows"}
}

// Errors of Append: the caller has built something that is not a packet.
var (
	errTooLong     = errors.New("codec: field is longer than 65535 bytes")
	errPacketID    = errors.New("codec: packet id does not fit: it must be there with QoS 1 and acknowledgements, and only there")
	errQoS         = errors.New("codec: QoS is not 0 or 1")
	errSubscribe   = errors.New("codec: subscription options are out of range")
	errEmptyList   = errors.New("codec: list is empty")
	errDup         = errors.New("codec: QoS 0 is never sent again")
	errNoTopic     = errors.New("codec: message has neither topic nor alias")
	errReason      = errors.New("codec: reason does not belong into this packet, or the version cannot say it")
	errVersion     = errors.New("codec: version has no such packet")
	errCredentials = errors.New("codec: a password needs a user name in MQTT 3.1.1")
	errClientID    = errors.New("codec: an empty client id needs a clean session in MQTT 3.1.1")
	errAuth        = errors.New("codec: authentication data need a method")
	errPresent     = errors.New("codec: a refused connection has no session")
	errRange       = errors.New("codec: number is out of range")
)
