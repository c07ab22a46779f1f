package wire

import "strconv"

// maxClientToken bounds the clientToken of a message, in bytes. AWS publishes
// no bound.
const maxClientToken = 1024

// DecodeMessage fills dst like [Decode] from the names in the topic and the
// payload of an MQTT request. It also returns the payload's clientToken, nil
// if it has none, even when the rest of the payload is refused: the refusal
// must carry it. Only a payload that is not JSON has no token to carry.
func DecodeMessage(dst any, p Params, payload []byte) (token *string, err error) {
	if err := checkJSON(payload); err != nil {
		return nil, err
	}
	token, err = clientToken(payload)
	if err != nil {
		return nil, err
	}
	return token, Decode(dst, p, nil, payload)
}

// clientToken returns the token of a valid payload.
func clientToken(payload []byte) (*string, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	var raw []byte
	for name, value := range members(payload[skipSpace(payload, 0):]) {
		if string(name) == "clientToken" {
			raw = value
		}
	}
	if raw == nil || isNull(raw) {
		return nil, nil
	}
	if raw[0] != '"' {
		return nil, wrongType(raw, "a string").under("clientToken").err()
	}
	token := string(unescape(raw))
	limit := shape{max: maxClientToken, bytes: true}
	if bad := limit.checkLength(token); bad != nil {
		return nil, bad.under("clientToken").err()
	}
	return &token, nil
}

// EncodeMessage returns the payload of a reply or notification: the
// clientToken of the request unless nil, the time of sending in milliseconds
// since the Unix epoch, written as whole seconds, and the members of body, a
// response struct, in that order. Job documents are embedded as JSON values
// and executions are without their thing's name.
func EncodeMessage(token *string, sentAt int64, body any) ([]byte, error) {
	if m, ok := body.(messenger); ok {
		body = m.message()
	}
	members, err := Encode(body)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(members)+64)
	out = append(out, '{')
	if token != nil {
		quoted, err := Encode(*token)
		if err != nil {
			return nil, err
		}
		out = append(out, `"clientToken":`...)
		out = append(out, quoted...)
		out = append(out, ',')
	}
	out = append(out, `"timestamp":`...)
	out = strconv.AppendInt(out, sentAt/1000, 10)
	if len(members) > len("{}") {
		out = append(out, ',')
	}
	return append(out, members[1:]...), nil
}

// messenger is a response whose MQTT form differs from its HTTP form.
type messenger interface {
	// message returns a copy in MQTT form.
	message() any
}

// message returns a copy of x in MQTT form, or nil.
func (x *DeviceJobExecution) message() *DeviceJobExecution {
	if x == nil {
		return nil
	}
	m := *x
	m.ThingName = ""
	m.JobDocument = m.JobDocument.embed()
	return &m
}

func (r DeviceDescribeJobExecutionResponse) message() any {
	return DeviceDescribeJobExecutionResponse{Execution: r.Execution.message()}
}

func (r StartNextPendingJobExecutionResponse) message() any {
	return StartNextPendingJobExecutionResponse{Execution: r.Execution.message()}
}

func (r UpdateJobExecutionResponse) message() any {
	r.JobDocument = r.JobDocument.embed()
	return r
}

func (n NextJobExecutionChanged) message() any {
	return NextJobExecutionChanged{Execution: n.Execution.message()}
}
