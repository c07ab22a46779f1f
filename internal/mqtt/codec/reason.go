package codec

import "fmt"

// Reason is a reason code: the byte on the wire of MQTT 5 and an error at the
// same time. Codes from 0x80 are failures.
type Reason uint8

// The reason codes [MQTT 5, 2.4].
const (
	Success                     Reason = 0x00 // in DISCONNECT: a normal end; in SUBACK: QoS 0 granted
	GrantedQoS1                 Reason = 0x01
	GrantedQoS2                 Reason = 0x02
	DisconnectWithWill          Reason = 0x04
	NoMatchingSubscribers       Reason = 0x10
	NoSubscriptionExisted       Reason = 0x11
	ContinueAuthentication      Reason = 0x18
	Reauthenticate              Reason = 0x19
	UnspecifiedError            Reason = 0x80
	MalformedPacket             Reason = 0x81
	ProtocolError               Reason = 0x82
	ImplementationError         Reason = 0x83
	UnsupportedVersion          Reason = 0x84
	ClientIDNotValid            Reason = 0x85
	BadUserNameOrPassword       Reason = 0x86
	NotAuthorized               Reason = 0x87
	ServerUnavailable           Reason = 0x88
	ServerBusy                  Reason = 0x89
	Banned                      Reason = 0x8A
	ServerShuttingDown          Reason = 0x8B
	BadAuthenticationMethod     Reason = 0x8C
	KeepAliveTimeout            Reason = 0x8D
	SessionTakenOver            Reason = 0x8E
	TopicFilterInvalid          Reason = 0x8F
	TopicNameInvalid            Reason = 0x90
	PacketIDInUse               Reason = 0x91
	PacketIDNotFound            Reason = 0x92
	ReceiveMaximumExceeded      Reason = 0x93
	TopicAliasInvalid           Reason = 0x94
	PacketTooLarge              Reason = 0x95
	MessageRateTooHigh          Reason = 0x96
	QuotaExceeded               Reason = 0x97
	AdministrativeAction        Reason = 0x98
	PayloadFormatInvalid        Reason = 0x99
	RetainNotSupported          Reason = 0x9A
	QoSNotSupported             Reason = 0x9B
	UseAnotherServer            Reason = 0x9C
	ServerMoved                 Reason = 0x9D
	SharedNotSupported          Reason = 0x9E
	ConnectionRateExceeded      Reason = 0x9F
	MaximumConnectTime          Reason = 0xA0
	SubscriptionIDsNotSupported Reason = 0xA1
	WildcardsNotSupported       Reason = 0xA2
)

const inAcks = inPuback | inSuback | inUnsuback

// reasons says what each code is called and which packets may carry it.
var reasons = [...]struct {
	name string
	in   packets
}{
	Success:                     {"success", inConnack | inAcks | inDisconnect | inAuth},
	GrantedQoS1:                 {"granted QoS 1", inSuback},
	GrantedQoS2:                 {"granted QoS 2", inSuback},
	DisconnectWithWill:          {"disconnect with will", inDisconnect},
	NoMatchingSubscribers:       {"no matching subscribers", inPuback},
	NoSubscriptionExisted:       {"no subscription existed", inUnsuback},
	ContinueAuthentication:      {"continue authentication", inAuth},
	Reauthenticate:              {"reauthenticate", inAuth},
	UnspecifiedError:            {"unspecified error", inConnack | inAcks | inDisconnect},
	MalformedPacket:             {"malformed packet", inConnack | inDisconnect},
	ProtocolError:               {"protocol error", inConnack | inDisconnect},
	ImplementationError:         {"implementation specific error", inConnack | inAcks | inDisconnect},
	UnsupportedVersion:          {"unsupported protocol version", inConnack},
	ClientIDNotValid:            {"client id not valid", inConnack},
	BadUserNameOrPassword:       {"bad user name or password", inConnack},
	NotAuthorized:               {"not authorized", inConnack | inAcks | inDisconnect},
	ServerUnavailable:           {"server unavailable", inConnack},
	ServerBusy:                  {"server busy", inConnack | inDisconnect},
	Banned:                      {"banned", inConnack},
	ServerShuttingDown:          {"server shutting down", inDisconnect},
	BadAuthenticationMethod:     {"bad authentication method", inConnack},
	KeepAliveTimeout:            {"keep alive timeout", inDisconnect},
	SessionTakenOver:            {"session taken over", inDisconnect},
	TopicFilterInvalid:          {"topic filter invalid", inSuback | inUnsuback | inDisconnect},
	TopicNameInvalid:            {"topic name invalid", inConnack | inPuback | inDisconnect},
	PacketIDInUse:               {"packet id in use", inAcks},
	PacketIDNotFound:            {"packet id not found", 0}, // QoS 2 alone
	ReceiveMaximumExceeded:      {"receive maximum exceeded", inDisconnect},
	TopicAliasInvalid:           {"topic alias invalid", inDisconnect},
	PacketTooLarge:              {"packet too large", inConnack | inDisconnect},
	MessageRateTooHigh:          {"message rate too high", inDisconnect},
	QuotaExceeded:               {"quota exceeded", inConnack | inPuback | inSuback | inDisconnect},
	AdministrativeAction:        {"administrative action", inDisconnect},
	PayloadFormatInvalid:        {"payload format invalid", inConnack | inPuback | inDisconnect},
	RetainNotSupported:          {"retain not supported", inConnack | inDisconnect},
	QoSNotSupported:             {"QoS not supported", inConnack | inDisconnect},
	UseAnotherServer:            {"use another server", inConnack | inDisconnect},
	ServerMoved:                 {"server moved", inConnack | inDisconnect},
	SharedNotSupported:          {"shared subscriptions not supported", inSuback | inDisconnect},
	ConnectionRateExceeded:      {"connection rate exceeded", inConnack | inDisconnect},
	MaximumConnectTime:          {"maximum connect time", inDisconnect},
	SubscriptionIDsNotSupported: {"subscription ids not supported", inSuback | inDisconnect},
	WildcardsNotSupported:       {"wildcard subscriptions not supported", inSuback | inDisconnect},
}

// Error returns the name of the code in lower case, such as malformed packet.
func (r Reason) Error() string {
	if int(r) < len(reasons) && reasons[r].name != "" {
		return reasons[r].name
	}
	return fmt.Sprintf("reason 0x%02X", uint8(r))
}

// Failed reports whether r is a failure.
func (r Reason) Failed() bool { return r >= UnspecifiedError }

// In reports whether packets of type t may carry r in MQTT 5.
func (r Reason) In(t Type) bool { return t <= TypeAuth && r.in(1<<t) }

func (r Reason) in(p packets) bool {
	return int(r) < len(reasons) && reasons[r].in&p != 0
}

// returnCodes are the codes of CONNACK in MQTT 3.1.1 by their numbers.
var returnCodes = [...]Reason{
	Success, UnsupportedVersion, ClientIDNotValid, ServerUnavailable, BadUserNameOrPassword, NotAuthorized,
}

// ReturnCode returns what comes closest to r in a CONNACK of MQTT 3.1.1. It
// reports false if nothing does: then the connection is closed without a word
// [v3 MQTT-3.2.2-6].
func (r Reason) ReturnCode() (code byte, ok bool) {
	switch r {
	case Success:
		return 0, true
	case UnsupportedVersion:
		return 1, true
	case ClientIDNotValid:
		return 2, true
	case ServerUnavailable, ServerBusy, QuotaExceeded, UseAnotherServer, ServerMoved, ConnectionRateExceeded:
		return 3, true
	case BadUserNameOrPassword:
		return 4, true
	case NotAuthorized, Banned, BadAuthenticationMethod:
		return 5, true
	}
	return 0, false
}
