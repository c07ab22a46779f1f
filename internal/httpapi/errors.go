package httpapi

import (
	"errors"
	"net/http"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/wire"
)

// spelling is how a plane tells a kind of error.
type spelling struct {
	exception string
	status    int
}

// spellings returns the error table of a plane.
func spellings(p auth.Plane) map[apierr.Kind]spelling {
	if p == auth.DataPlane {
		return dataErrors
	}
	return controlErrors
}

// controlErrors is the control plane's table: the exceptions of the iot model,
// and for what no model lists, those of the AWS general errors.
var controlErrors = map[apierr.Kind]spelling{
	apierr.Internal:          {"InternalFailureException", http.StatusInternalServerError},
	apierr.Invalid:           {"InvalidRequestException", http.StatusBadRequest},
	apierr.InvalidJSON:       {"InvalidRequestException", http.StatusBadRequest},
	apierr.InvalidTopic:      {"InvalidRequestException", http.StatusBadRequest},
	apierr.NotFound:          {"ResourceNotFoundException", http.StatusNotFound},
	apierr.AlreadyExists:     {"ResourceAlreadyExistsException", http.StatusConflict},
	apierr.InvalidTransition: {"InvalidStateTransitionException", http.StatusConflict},
	apierr.VersionMismatch:   {"VersionConflictException", http.StatusConflict},
	apierr.TerminalState:     {"InvalidStateTransitionException", http.StatusConflict},
	apierr.Conflict:          {"ConflictException", http.StatusConflict},
	apierr.LimitExceeded:     {"LimitExceededException", http.StatusGone},
	apierr.Throttled:         {"ThrottlingException", http.StatusBadRequest},
	apierr.Unavailable:       {"ServiceUnavailableException", http.StatusServiceUnavailable},
	apierr.TooLarge:          {"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge},
	apierr.Timeout:           {"RequestTimeoutException", http.StatusRequestTimeout},

	apierr.Denied:              {"AccessDeniedException", http.StatusForbidden},
	apierr.MissingToken:        {"MissingAuthenticationTokenException", http.StatusForbidden},
	apierr.IncompleteSignature: {"IncompleteSignatureException", http.StatusForbidden},
	apierr.UnknownKey:          {"UnrecognizedClientException", http.StatusForbidden},
	apierr.ExpiredToken:        {"ExpiredTokenException", http.StatusForbidden},
	apierr.InvalidSignature:    {"InvalidSignatureException", http.StatusForbidden},

	apierr.UnknownOperation: {"UnknownOperationException", http.StatusNotFound},
	apierr.NotImplemented:   {"NotImplementedException", http.StatusNotImplemented},
}

// dataErrors is the data plane's table: the exceptions of the iot-jobs-data
// model. The model has no version mismatch, so that one is told as the other
// conflict with the state of an execution [jobs-api, ErrorResponse], and no
// exception for a fault: SDKs retry any 5xx. Real endpoints answer every failed
// authentication and authorization with ForbiddenException.
var dataErrors = map[apierr.Kind]spelling{
	apierr.Internal:          {"InternalFailureException", http.StatusInternalServerError},
	apierr.Invalid:           {"InvalidRequestException", http.StatusBadRequest},
	apierr.InvalidJSON:       {"InvalidRequestException", http.StatusBadRequest},
	apierr.InvalidTopic:      {"InvalidRequestException", http.StatusBadRequest},
	apierr.NotFound:          {"ResourceNotFoundException", http.StatusNotFound},
	apierr.AlreadyExists:     {"ConflictException", http.StatusConflict},
	apierr.InvalidTransition: {"InvalidStateTransitionException", http.StatusConflict},
	apierr.VersionMismatch:   {"InvalidStateTransitionException", http.StatusConflict},
	apierr.TerminalState:     {"TerminalStateException", http.StatusGone},
	apierr.Conflict:          {"ConflictException", http.StatusConflict},
	apierr.LimitExceeded:     {"ServiceQuotaExceededException", http.StatusPaymentRequired},
	apierr.Throttled:         {"ThrottlingException", http.StatusTooManyRequests},
	apierr.Unavailable:       {"ServiceUnavailableException", http.StatusServiceUnavailable},
	apierr.TooLarge:          {"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge},
	apierr.Timeout:           {"RequestTimeoutException", http.StatusRequestTimeout},

	apierr.Denied:              {forbidden, http.StatusForbidden},
	apierr.MissingToken:        {forbidden, http.StatusForbidden},
	apierr.IncompleteSignature: {forbidden, http.StatusForbidden},
	apierr.UnknownKey:          {forbidden, http.StatusForbidden},
	apierr.ExpiredToken:        {forbidden, http.StatusForbidden},
	apierr.InvalidSignature:    {forbidden, http.StatusForbidden},

	apierr.UnknownOperation: {"UnknownOperationException", http.StatusNotFound},
	apierr.NotImplemented:   {"NotImplementedException", http.StatusNotImplemented},
}

const forbidden = "ForbiddenException"

// errorBody is the body of an answer that tells an error.
type errorBody struct {
	Message        string                  `json:"message"`
	ResourceID     string                  `json:"resourceId,omitempty"`
	ResourceARN    string                  `json:"resourceArn,omitempty"`
	ExecutionState *wire.JobExecutionState `json:"executionState,omitempty"`
	TraceID        string                  `json:"traceId,omitempty"`
}

// internalMessage is all that a caller is told of a fault of the server.
const internalMessage = "An internal failure occurred. The request id leads to its cause in the server's log."

// tellError returns how a plane tells err: the spelling and the body. What is
// not an *apierr.Error is a fault, whose text stays here.
func tellError(p auth.Plane, err error, requestID string) (spelling, errorBody) {
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		e = &apierr.Error{Kind: apierr.Internal}
	}
	s, ok := spellings(p)[e.Kind]
	if !ok || e.Kind == apierr.Internal {
		return spellings(p)[apierr.Internal], errorBody{Message: internalMessage}
	}
	body := errorBody{Message: e.Message, ResourceID: e.ResourceID, ResourceARN: e.ResourceARN}
	if p == auth.DataPlane { // [jobs-api, ErrorResponse] only devices are told
		body.ExecutionState = wire.StateOf(e.State)
	}
	if s.exception == forbidden {
		body.TraceID = requestID
	}
	return s, body
}
