package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"muster/internal/wire"
)

// Message is a job message to or from a device, as the server keeps it.
type Message struct {
	// Seq orders the messages of a server, also over restarts.
	Seq int64 `json:"seq"`
	// At is the server's time.
	At wire.FractionalSeconds `json:"at"`
	// Direction is in for what a device has sent, out for what it was sent.
	Direction string `json:"direction"`
	// ClientID is the client that sent it or got the reply; empty for
	// notifications, which go to whoever has subscribed.
	ClientID string `json:"clientId,omitempty"`
	Topic    string `json:"topic"`
	QoS      int    `json:"qos"`
	// Payload is its beginning, as text; Size is the number of bytes of the whole.
	Payload string `json:"payload"`
	Size    int    `json:"size"`
	// Code and Reason say why a request was rejected, in its reply.
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Messages returns what the server keeps of a thing's job messages after the
// one with the number given, oldest first, and whether some are missing in
// between. After 0 it returns all that is kept, and nothing counts as missing.
// It fails with ResourceNotFoundException, after 0, for a thing that does not
// exist and was never spoken of.
func (c *Client) Messages(ctx context.Context, thing string, after int64) (messages []Message, missing bool, err error) {
	var out struct {
		Messages []Message `json:"messages"`
		Missing  bool      `json:"missing"`
	}
	query := url.Values{"after": {strconv.FormatInt(after, 10)}}
	err = c.Do(ctx, control, http.MethodGet, "/muster/v1/things/"+url.PathEscape(thing)+"/messages", query, nil, &out)
	return out.Messages, out.Missing, err
}
