package httpapi_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"muster/internal/httpapi"
)

// TestMessages asks for what was said to and by things; the messages themselves
// are whoever keeps them.
func TestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("iot", "POST", "/things/silent", "")
	w.Close()
	kept := []httpapi.Message{
		{Seq: 7, At: t0, Direction: "in", ClientID: "c", Topic: "$aws/things/a:b/jobs/get", QoS: 1, Payload: "", Size: 0},
		{Seq: 8, At: t0, Direction: "out", ClientID: "c", Topic: "$aws/things/a:b/jobs/get/rejected", Payload: "{", Size: 99, Code: "InvalidJson", Reason: "no"},
	}
	first := `{"seq":7,"at":1700000000.123,"direction":"in","clientId":"c","topic":"$aws/things/a:b/jobs/get","qos":1,"payload":"","size":0}`
	second := `{"seq":8,"at":1700000000.123,"direction":"out","clientId":"c","topic":"$aws/things/a:b/jobs/get/rejected","qos":0,"payload":"{","size":99,"code":"InvalidJson","reason":"no"}`
	w.Server = httptest.NewServer(w.api(byHeader{}, func(c *httpapi.Config) {
		c.Messages = func(_ context.Context, thing string, after int64) ([]httpapi.Message, bool) {
			if thing != "a:b" {
				return nil, after == 5
			}
			return kept[min(max(after, 6), 8)-6:], after == 5
		}
	}))
	tests := []struct {
		name, path string
		status     int
		want       string // in the body
	}{
		{"all that is kept", "/muster/v1/things/a%3Ab/messages", 200, `{"messages":[` + first + "," + second + `]}`},
		{"what is new", "/muster/v1/things/a:b/messages?after=7", 200, `{"messages":[` + second + `]}`},
		{"nothing new", "/muster/v1/things/a:b/messages?after=8", 200, `{"messages":[]}`},
		{"with a gap", "/muster/v1/things/a:b/messages?after=5", 200, `{"messages":[` + first + "," + second + `],"missing":true}`},
		{"a thing that has said nothing", "/muster/v1/things/silent/messages", 200, `{"messages":[]}`},
		{"a thing that is not there", "/muster/v1/things/none/messages", 404, `"ResourceNotFoundException"`},
		{"a name that is not one", "/muster/v1/things/a%2Fb/messages", 400, `"InvalidRequestException"`},
		{"after what is no number", "/muster/v1/things/silent/messages?after=x", 400, `"InvalidRequestException"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.send(t, "GET", tt.path, "", "Test-Service", "iot")
			got := r.body
			if r.status >= 400 {
				got = `"` + r.header.Get("X-Amzn-Errortype") + `"`
			}
			if r.status != tt.status || got != tt.want {
				t.Errorf("got %d %s, want %d %s", r.status, r.body, tt.status, tt.want)
			}
		})
	}
}
