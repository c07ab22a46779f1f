package mqtt

import (
	"muster/internal/mqtt/codec"
)

// ending is why a connection ends. A nil *ending means that it goes on.
type ending struct {
	// reason is what a client of MQTT 5 is told; Success tells it nothing.
	reason codec.Reason
	// event is the reason that the lifecycle event names.
	event string
	// byClient is whether the client has ended it.
	byClient bool
	// noWill is whether the will is not to be published: the client has taken it back,
	// or was refused.
	noWill bool
	// err is for the log; nil if there is nothing to say.
	err error
}

// The reasons of disconnected events [AWS IoT Core, Lifecycle events].
const (
	eventAuthError       = "AUTH_ERROR"
	eventClientInitiated = "CLIENT_INITIATED_DISCONNECT"
	eventClientError     = "CLIENT_ERROR"
	eventLost            = "CONNECTION_LOST"
	eventDuplicate       = "DUPLICATE_CLIENTID"
	eventKeepAlive       = "MQTT_KEEP_ALIVE_TIMEOUT"
	eventServerError     = "SERVER_ERROR"
	eventServerInitiated = "SERVER_INITIATED_DISCONNECT"
	eventThrottled       = "THROTTLED"
)

// clientError is a packet that breaks the protocol or a limit.
func clientError(err error) *ending {
	reason := codec.ReasonOf(err)
	if reason == codec.PacketTooLarge {
		// Not among the codes that AWS IoT sends; the client has passed a quota.
		reason = codec.QuotaExceeded
	}
	return &ending{reason: reason, event: eventClientError, err: err}
}

// serverError is a fault of ours.
func serverError(err error) *ending {
	return &ending{reason: codec.UnspecifiedError, event: eventServerError, err: err}
}
