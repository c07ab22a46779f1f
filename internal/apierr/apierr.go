// Package apierr holds the one error type that crosses package borders.
//
// Pure packages, the engine, the registry and the stores return *Error for
// everything a caller may be told. Each surface (HTTP control plane, HTTP data
// plane, MQTT) owns one table from Kind to its own spelling and status. An
// error that is not an *Error is an internal fault: surfaces log its text and
// answer with a generic message.
package apierr

import (
	"errors"
	"fmt"
)

// Kind says what went wrong, independent of any surface.
type Kind uint8

// The kinds. Every surface must know how to spell every one of them.
const (
	// Internal is a fault of the server. Its text is for logs only.
	Internal Kind = iota
	// Invalid is a request whose content breaks a rule; the text names the member.
	Invalid
	// InvalidJSON is a body that is not UTF-8 JSON of the expected form.
	InvalidJSON
	// InvalidTopic is a publish in the jobs namespace that maps to no API.
	InvalidTopic
	// NotFound is a thing, group, job, execution or other resource that does not exist.
	NotFound
	// AlreadyExists is a create under a name that is taken. ResourceID and ResourceARN name the holder.
	AlreadyExists
	// InvalidTransition is a state change that the transition table does not list. State holds the current one.
	InvalidTransition
	// VersionMismatch is an expected version that is not the current one. State holds the current one for executions.
	VersionMismatch
	// TerminalState is a read that strict mode refuses because the execution is finished.
	TerminalState
	// Conflict is a request that collides with another resource or operation.
	Conflict
	// LimitExceeded is a request that would pass a quota.
	LimitExceeded
	// Throttled is a request over a rate limit. The caller may retry.
	Throttled
	// Unavailable is a passing fault, such as a full disk. The caller may retry.
	Unavailable
	// TooLarge is a body over the size limit.
	TooLarge
	// Timeout is a request that did not arrive in time. The caller may retry.
	Timeout
	// Denied is an authenticated principal without the right.
	Denied
	// MissingToken is a request without credentials.
	MissingToken
	// IncompleteSignature is a malformed Authorization header or query.
	IncompleteSignature
	// UnknownKey is an access key that does not exist or is disabled.
	UnknownKey
	// ExpiredToken is a session token that has expired.
	ExpiredToken
	// InvalidSignature is a signature, scope, date or payload hash that does not verify.
	InvalidSignature
	// UnknownOperation is a method and path that no API has.
	UnknownOperation
	// NotImplemented is an AWS operation that Muster does not have.
	NotImplemented

	kinds // number of kinds
)

var kindNames = [kinds]string{
	"internal", "invalid", "invalid json", "invalid topic", "not found", "already exists",
	"invalid transition", "version mismatch", "terminal state", "conflict", "limit exceeded",
	"throttled", "unavailable", "too large", "timeout", "denied", "missing token", "incomplete signature",
	"unknown key", "expired token", "invalid signature", "unknown operation", "not implemented",
}

// String returns the kind in lower-case words, for logs and test failures.
func (k Kind) String() string {
	if k >= kinds {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// Kinds returns every kind, so that a surface's test can show that its table is complete.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// ExecutionState is what a device is told about an execution when its request
// is refused with InvalidTransition or VersionMismatch.
type ExecutionState struct {
	// Status is the wire spelling, such as IN_PROGRESS.
	Status string
	// StatusDetails is nil when the execution has none. It must not be modified.
	StatusDetails map[string]string
	// Version is the current version number.
	Version int64
}

// Error is an error that may be shown to a caller. Its message is safe: it
// holds no secrets and no internals. The wrapped cause, if any, is for logs.
type Error struct {
	// Kind selects the wire spelling.
	Kind Kind
	// Message is one sentence for people, naming the member and the limit where one is broken.
	Message string
	// State is set for InvalidTransition and VersionMismatch of an execution, else nil.
	State *ExecutionState
	// ResourceID and ResourceARN are set for AlreadyExists, else empty.
	ResourceID  string
	ResourceARN string
	// Cause is the internal error behind it, or nil. Surfaces log it and never send it.
	Cause error
}

// New returns an error of kind k with a message formatted like fmt.Sprintf.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error of kind k with a safe message and an internal cause.
func Wrap(k Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// WithState returns a copy of e that carries the execution's current state.
func (e *Error) WithState(s ExecutionState) *Error {
	c := *e
	c.State = &s
	return &c
}

// Error returns the safe message, followed by the cause, if any. It is for
// logs; surfaces send Message alone.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first *Error in err's chain, or Internal if
// there is none. It must not be called with nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err's chain holds an *Error of kind k.
func Is(err error, k Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == k
}
