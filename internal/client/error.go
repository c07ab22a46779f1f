package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an answer that is not a success.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the name of the exception, such as ResourceNotFoundException. It
	// is empty if the answer has none, which means that it is not Muster's own.
	Code string
	// Message is the server's text for people.
	Message string
	// RequestID is the server's name for the request in its log.
	RequestID string
}

// Error returns all of it in one line.
func (e *Error) Error() string {
	s := cmp.Or(e.Code, fmt.Sprintf("HTTP %d", e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// throttled reports whether the server refused the request for its rate alone.
// The control plane says so by name, with status 400; the data plane also by status.
func (e *Error) throttled() bool {
	return e.Status == http.StatusTooManyRequests || e.Code == "ThrottlingException"
}

// Code returns the name of the exception that err carries, or "" if it carries none.
func Code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// newError reads an answer that is not a success in any of the forms that AWS
// services use: the code in a header, as "code" or as "__type", with or without
// a namespace before and a URL behind it.
func newError(resp *http.Response, body []byte) *Error {
	var b struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // also matches Message
	}
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Amzn-Requestid")}
	if err := json.Unmarshal(body, &b); err != nil {
		b.Message = excerpt(body) // of a proxy, perhaps
	}
	e.Code, _, _ = strings.Cut(cmp.Or(resp.Header.Get("X-Amzn-Errortype"), b.Code, b.Type), ":")
	e.Code = e.Code[strings.LastIndexByte(e.Code, '#')+1:]
	e.Message = cmp.Or(b.Message, http.StatusText(resp.StatusCode))
	return e
}

// excerpt returns the start of a text that was not expected, on one line.
func excerpt(body []byte) string {
	const most = 200
	s := strings.ToValidUTF8(string(body[:min(len(body), most)]), "")
	return strings.Join(strings.Fields(s), " ")
}
