package mqttapi

import (
	"errors"

	"muster/internal/apierr"
	"muster/internal/wire"
)

// internalError is the code of a fault, which clients retry.
const internalError = "InternalError"

// internalMessage is all that a device is told of a fault of the server.
const internalMessage = "An internal failure occurred. The server's log has its cause."

// codes is the table of error codes [jobs-mqtt-api, RejectedErrorCode]. Below
// the line is what no operation for devices answers or what the API has no code
// of its own for: a request that should not be repeated is InvalidRequest.
var codes = map[apierr.Kind]string{
	apierr.Internal:          internalError,
	apierr.Unavailable:       internalError,
	apierr.Invalid:           "InvalidRequest",
	apierr.InvalidJSON:       "InvalidJson",
	apierr.InvalidTopic:      "InvalidTopic",
	apierr.NotFound:          "ResourceNotFound",
	apierr.InvalidTransition: "InvalidStateTransition",
	apierr.VersionMismatch:   "VersionMismatch",
	apierr.TerminalState:     "TerminalStateReached",
	apierr.Throttled:         "RequestThrottled",

	apierr.Denied:              "InvalidRequest",
	apierr.TooLarge:            "InvalidRequest",
	apierr.Timeout:             "InvalidRequest",
	apierr.LimitExceeded:       "InvalidRequest",
	apierr.AlreadyExists:       "InvalidRequest",
	apierr.Conflict:            "InvalidRequest",
	apierr.MissingToken:        "InvalidRequest",
	apierr.IncompleteSignature: "InvalidRequest",
	apierr.UnknownKey:          "InvalidRequest",
	apierr.ExpiredToken:        "InvalidRequest",
	apierr.InvalidSignature:    "InvalidRequest",
	apierr.UnknownOperation:    "InvalidTopic",
	apierr.NotImplemented:      "InvalidTopic",
}

// reject returns what a device is told of err. What is not an *apierr.Error is a
// fault, whose text stays here, as does that of a store that is down.
func reject(err error) wire.RequestRejected {
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		e = &apierr.Error{Kind: apierr.Internal}
	}
	code, ok := codes[e.Kind]
	if !ok || code == internalError {
		return wire.RequestRejected{Code: internalError, Message: internalMessage}
	}
	// [jobs-mqtt-api, ErrorResponse] executionState is "included only when the code
	// field has the value InvalidStateTransition or VersionMismatch": no other
	// error has one.
	return wire.RequestRejected{Code: code, Message: e.Message, ExecutionState: wire.StateOf(e.State)}
}
