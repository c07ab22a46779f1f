package mqttapi

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"muster/internal/apierr"
	"muster/internal/topic"
	"muster/internal/wire"
)

// exchange is a request on its way to its reply.
type exchange struct {
	Request
	topic topic.Topic
	start time.Time
	at    int64   // the engine's time of arrival, in milliseconds since the epoch
	token *string // of the payload; nil if it has none or cannot be read
	// release ends the engine's hold on the thing; nil if there is none.
	release func()
}

// afterMax is how long a device is not notified if nobody says that it has its
// reply, in wall-clock time.
const afterMax = time.Second

// after returns what is to be called after the reply, if anything.
func (x *exchange) after() func() {
	if x.release == nil {
		return nil
	}
	forgotten := time.AfterFunc(afterMax, x.release)
	return func() {
		forgotten.Stop()
		x.release()
	}
}

// op returns the operation's name for logs and metrics.
func (x *exchange) op() string {
	if !x.topic.Request() {
		return "unknown"
	}
	switch x.topic.Kind {
	case topic.GetPending:
		return "GetPendingJobExecutions"
	case topic.StartNext:
		return "StartNextPendingJobExecution"
	case topic.Describe:
		return "DescribeJobExecution"
	default:
		return "UpdateJobExecution"
	}
}

// decode returns the request that the topic and the payload make. It keeps the
// client's token also where it refuses the rest.
func decode[In any](x *exchange) (*In, error) {
	in := new(In)
	names := wire.Params{{Name: "thingName", Value: x.topic.Thing}, {Name: "jobId", Value: x.topic.Job}}
	var err error
	x.token, err = wire.DecodeMessage(in, names, x.Payload)
	return in, err
}

// guard is serve that returns a panic as an error: one message must not end the server.
func (a *API) guard(ctx context.Context, x *exchange) (body any, err error) {
	defer func() {
		if v := recover(); v != nil {
			body, err = nil, fmt.Errorf("mqttapi: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return a.serve(ctx, x)
}

// serve carries the request out and returns the body of the answer.
func (a *API) serve(ctx context.Context, x *exchange) (any, error) {
	if !x.topic.Request() {
		_, _ = decode[wire.Empty](x) // for the token: what else it says is no matter
		return nil, apierr.New(apierr.InvalidTopic, "The topic maps to no operation of the jobs API.")
	}
	switch x.topic.Kind {
	case topic.GetPending:
		return a.getPending(ctx, x)
	case topic.StartNext:
		return a.startNext(ctx, x)
	case topic.Describe:
		return a.describe(ctx, x)
	default:
		return a.update(ctx, x)
	}
}

// answer makes the reply, and accounts for the request. An answer that cannot be
// encoded is a fault like others.
func (a *API) answer(ctx context.Context, x *exchange, body any, err error) Reply {
	at := a.engine.Now().UnixMilli()
	var payload []byte
	if err == nil {
		payload, err = wire.EncodeMessage(x.token, at, body)
	}
	verdict, told := topic.Accepted, wire.RequestRejected{}
	if err != nil {
		verdict, told = topic.Rejected, reject(err)
		payload, _ = wire.EncodeMessage(x.token, at, told) // text and numbers cannot fail
	}
	reply := Reply{Topic: x.topic.Answer(verdict).String(), Payload: payload, QoS: x.QoS, After: x.after()}
	a.inspector.exchange(x, reply, told, at)
	a.account(ctx, x, told.Code, err)
	return reply
}

// account writes the request's log line and metrics. code is empty on success.
func (a *API) account(ctx context.Context, x *exchange, code string, err error) {
	took := time.Since(x.start)
	a.metrics.observe(x.op(), code, took)
	level := slog.LevelDebug
	if code == internalError {
		level = slog.LevelError
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	a.log.LogAttrs(ctx, level, "mqtt request",
		slog.String("op", x.op()), slog.Duration("dur", took), slog.String("client", x.ClientID),
		slog.String("principal", x.Principal.ID), slog.String("thing", x.topic.Thing), slog.String("job", x.topic.Job),
		slog.String("code", code), slog.Any("err", err))
}
