package httpapi

import (
	"context"

	"muster/internal/apierr"
	"muster/internal/wire"
)

// Messages returns the job messages kept of a thing that came after the one
// with the number given, oldest first, and whether some that came after it are
// kept no longer. After 0 it returns all there are. It is called concurrently.
type Messages func(ctx context.Context, thing string, after int64) (messages []Message, missing bool)

// Message is a job message to or from a device, as operators see it afterwards.
type Message struct {
	// Seq orders the messages of a server. The next question is for those after it.
	Seq int64                  `json:"seq"`
	At  wire.FractionalSeconds `json:"at"`
	// Direction is in for what a device has sent, out for what it was sent.
	Direction string `json:"direction"`
	// ClientID is the client that sent it or got the reply; notifications go to
	// whoever has subscribed.
	ClientID string `json:"clientId,omitempty"`
	Topic    string `json:"topic"`
	QoS      int    `json:"qos"`
	// Payload is its beginning as text, of Size bytes in all.
	Payload string `json:"payload"`
	Size    int    `json:"size"`
	// Code and Reason say why a request was rejected, in its reply.
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type listMessagesRequest struct {
	ThingName string `json:"-" uri:"thingName" shape:"ThingName"`
	After     int64  `json:"-" query:"after"`
}

type messageList struct {
	Messages wire.List[Message] `json:"messages"`
	// Missing tells that some messages after the one asked for are gone.
	Missing bool `json:"missing,omitempty"`
}

// listMessages lists what was said lately, also by and to things that are not
// registered: their rejections are what an operator looks for. A name that
// nothing is known of is more likely misspelled than silent.
func (a *API) listMessages(c *call, in *listMessagesRequest) (messageList, error) {
	known, err := a.registry.MayListMessages(c.ctx, c.principal, in.ThingName)
	if err != nil {
		return messageList{}, err
	}
	var out messageList
	if a.messages != nil {
		out.Messages, out.Missing = a.messages(c.ctx, in.ThingName, in.After)
	}
	if !known && len(out.Messages) == 0 && in.After == 0 {
		return out, apierr.New(apierr.NotFound, "Thing %s not found.", in.ThingName)
	}
	return out, nil
}
