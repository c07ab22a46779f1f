package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"muster/internal/client"
	"muster/internal/wire"
)

// deviceAPI is how a device speaks with its server: by [client.Client] over
// HTTP, or by a courier over MQTT.
type deviceAPI interface {
	StartNextPendingJobExecution(context.Context, *wire.StartNextPendingJobExecutionRequest) (*wire.StartNextPendingJobExecutionResponse, error)
	UpdateJobExecution(context.Context, *wire.UpdateJobExecutionRequest) (*wire.UpdateJobExecutionResponse, error)
	DeviceDescribeJobExecution(context.Context, *wire.DeviceDescribeJobExecutionRequest) (*wire.DeviceDescribeJobExecutionResponse, error)
}

// courier makes requests for devices over MQTT, one at a time. It notes what the
// server tells of its own accord.
type courier struct {
	dialing
	link    *link
	fronts  map[string]front // what is next, as told last, by thing
	told    int              // how often
	answers int
	tokens  int
	// patience is how long it waits for an answer; 0 is soon.
	patience time.Duration
}

// front is the execution that is next on a thing; zero if none is.
type front struct {
	job    string
	number int64
}

func frontOf(x *wire.DeviceJobExecution) front {
	if x == nil {
		return front{}
	}
	return front{x.JobID, x.ExecutionNumber}
}

func newCourier(d dialing) *courier { return &courier{dialing: d, fronts: make(map[string]front)} }

// connect connects, again if need be. What came before is not lost.
func (c *courier) connect(ctx context.Context) error {
	if c.link != nil {
		c.drain()
	}
	l, err := dial(ctx, c.dialing)
	if err == nil {
		c.link = l
	}
	return err
}

// errSilent is a server that gives no answer. One that has gone is another matter.
var errSilent = errors.New("no answer in time")

// refused is a refusal that came over MQTT: the error that HTTP would have
// given, and what it would not have told.
type refused struct {
	error
	state *wire.JobExecutionState
}

func (r refused) Unwrap() error { return r.error }

// exceptions are the names that HTTP has for codes.
var exceptions = map[string]string{
	"InvalidStateTransition": "InvalidStateTransitionException",
	"VersionMismatch":        "InvalidStateTransitionException",
	"ResourceNotFound":       "ResourceNotFoundException",
	"InvalidRequest":         "InvalidRequestException",
}

// ask makes a request on a topic of a thing's jobs and decodes the answer into
// out. Unless the error is a refusal, nobody knows what became of the request.
func (c *courier) ask(ctx context.Context, thing, topic string, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(c.patience, soon), errSilent)
	defer cancel()
	members, err := json.Marshal(in)
	if err != nil {
		return err
	}
	c.tokens++
	token := fmt.Sprintf("%s-%d", c.id, c.tokens)
	payload := fmt.Sprintf(`{"clientToken":%q}`, token)
	if string(members) != "{}" {
		payload = payload[:len(payload)-1] + "," + string(members[1:])
	}
	topic = "$aws/things/" + thing + "/jobs/" + topic
	if err := c.link.publish(ctx, topic, payload); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	for {
		m, err := c.receive(ctx)
		if err != nil {
			return err
		}
		verdict, mine := strings.CutPrefix(m.topic, topic+"/")
		var head struct {
			ClientToken string
			wire.RequestRejected
		}
		if err := json.Unmarshal([]byte(m.payload), &head); err != nil {
			return fmt.Errorf("%+v: %w", m, err)
		}
		switch {
		case !mine || head.ClientToken != token: // to a request that was given up
		case verdict == "accepted":
			c.answers++
			return json.Unmarshal([]byte(m.payload), out)
		case verdict == "rejected":
			c.answers++
			return refused{&client.Error{Code: cmp.Or(exceptions[head.Code], head.Code), Message: head.Message}, head.ExecutionState}
		}
	}
}

// receive returns the next message that is no notification.
func (c *courier) receive(ctx context.Context) (message, error) {
	for {
		select {
		case m := <-c.link.inbox:
			if !c.note(m) {
				return m, nil
			}
		case <-c.link.over.Done():
			return message{}, context.Cause(c.link.over)
		case <-ctx.Done():
			return message{}, context.Cause(ctx)
		}
	}
}

// drain notes the notifications that have come.
func (c *courier) drain() {
	for {
		select {
		case m := <-c.link.inbox:
			c.note(m)
		default:
			return
		}
	}
}

// note notes a notification, and reports whether the message is one.
func (c *courier) note(m message) bool {
	thing, ok := strings.CutSuffix(strings.TrimPrefix(m.topic, "$aws/things/"), "/jobs/notify-next")
	if !ok {
		return false
	}
	var next wire.NextJobExecutionChanged
	if err := json.Unmarshal([]byte(m.payload), &next); err != nil {
		next.Execution = &wire.DeviceJobExecution{JobID: err.Error()}
	}
	c.fronts[thing] = frontOf(next.Execution)
	c.told++
	return true
}

// The requests, as those of the other door.

func (c *courier) StartNextPendingJobExecution(ctx context.Context, in *wire.StartNextPendingJobExecutionRequest) (*wire.StartNextPendingJobExecutionResponse, error) {
	out := new(wire.StartNextPendingJobExecutionResponse)
	return out, c.ask(ctx, in.ThingName, "start-next", in, out)
}

func (c *courier) UpdateJobExecution(ctx context.Context, in *wire.UpdateJobExecutionRequest) (*wire.UpdateJobExecutionResponse, error) {
	out := new(wire.UpdateJobExecutionResponse)
	return out, c.ask(ctx, in.ThingName, in.JobID+"/update", in, out)
}

func (c *courier) DeviceDescribeJobExecution(ctx context.Context, in *wire.DeviceDescribeJobExecutionRequest) (*wire.DeviceDescribeJobExecutionResponse, error) {
	out := new(wire.DeviceDescribeJobExecutionResponse)
	return out, c.ask(ctx, in.ThingName, in.JobID+"/get", in, out)
}
