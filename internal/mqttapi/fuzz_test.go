package mqttapi_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"muster/internal/mqttapi"
)

// FuzzHandle shows that whatever a client publishes is either not handled or
// answered once, on the topic of the request, by an object in compact JSON that
// carries the request's token, and never by a fault.
func FuzzHandle(f *testing.F) {
	for _, topic := range []string{
		b + "get", b + "start-next", b + "$next/get", b + "j/get", b + "j/update", b + "j/namespace-n/get", b + "$next/update",
		b + "get/accepted", b + "notify", "$aws/things//jobs/get", "$aws/things/t1/jobs", "$aws/things/nobody/jobs/x/y/z", "a/b",
	} {
		for _, payload := range []string{
			``, `{}`, `[]`, `null`, `{"clientToken":""}`, "{\"clientToken\":\"\xff\"}", `{"clientToken":"a\u0000\ud800","status":"IN_PROGRESS"}`,
			`{"status":"IN_PROGRESS","expectedVersion":"2","executionNumber":1,"stepTimeoutInMinutes":-1,"includeJobDocument":true}`,
			`{"status":"FAILED","statusDetails":{"a":1e400,"b":true,"c":"\n"},"includeJobExecutionState":true,"expectedVersion":-1}`,
			`{"executionNumber":99999999999999999999,"includeJobDocument":false}`, `{"clientToken":{"a":[1]},"clientToken":"last"}`,
		} {
			f.Add(topic, []byte(payload))
		}
	}
	w := newWorld(f)
	w.create("j", `{"do":["it"]}`)
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		r, ok, err := w.Handle(t.Context(), mqttapi.Request{Principal: device, ClientID: "c", Topic: topic, Payload: payload, QoS: 1})
		if err != nil {
			t.Fatalf("%q %q: %v", topic, payload, err)
		}
		if !ok {
			if mqttapi.CanPublish(topic) {
				t.Errorf("%q may be published to and is not handled", topic)
			}
			return
		}
		if r.After != nil {
			r.After()
		}
		checkReply(t, topic, payload, r)
	})
}

// halves finds halves of characters, in pairs or alone.
var halves = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

func checkReply(t *testing.T, topic string, payload []byte, r mqttapi.Reply) {
	t.Helper()
	accepted := r.Topic == topic+"/accepted"
	if !accepted && r.Topic != topic+"/rejected" {
		t.Errorf("%q is answered on %q", topic, r.Topic)
	}
	var got struct {
		ClientToken   *string
		Timestamp     int64
		Code, Message string
	}
	if err := json.Unmarshal(r.Payload, &got); err != nil || strings.ContainsAny(string(r.Payload), "\n\t") {
		t.Fatalf("%q %q: got %q, %v", topic, payload, r.Payload, err)
	}
	if got.Timestamp != t0/1000 || accepted != (got.Code == "") || accepted != (got.Message == "") || got.Code == "InternalError" {
		t.Errorf("%q %q: got %s", topic, payload, r.Payload)
	}
	var sent map[string]json.RawMessage // exact names, unlike a struct
	var token *string
	if halves.Match(payload) && got.ClientToken == nil {
		return // maybe one without the other, which is no text
	}
	if utf8.Valid(payload) && json.Unmarshal(payload, &sent) == nil && json.Unmarshal(sent["clientToken"], &token) == nil && token != nil && got.Code != "InvalidJson" {
		if len(*token) <= 1024 && (got.ClientToken == nil || *got.ClientToken != *token) {
			t.Errorf("%q %q: the token is not in %s", topic, payload, r.Payload)
		}
	} else if got.ClientToken != nil {
		t.Errorf("%q %q: got the token %q", topic, payload, *got.ClientToken)
	}
}
