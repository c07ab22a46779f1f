package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/client"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.RequestURI, "/muster/v1/things/a%2Fb/messages?after=6"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		_, _ = w.Write([]byte(`{"messages":[{"seq":7,"at":1.5,"direction":"out","topic":"x","qos":1,"payload":"{","size":9,"code":"C","reason":"R"}],"missing":true}`))
	}))
	t.Cleanup(server.Close)
	got, missing, err := newClient(t, server.URL).Messages(t.Context(), "a/b", 6)
	want := []client.Message{{Seq: 7, At: 1500, Direction: "out", Topic: "x", QoS: 1, Payload: "{", Size: 9, Code: "C", Reason: "R"}}
	if diff := cmp.Diff(want, got); diff != "" || !missing || err != nil {
		t.Errorf("got missing %t, %v; messages (-want +got):\n%s", missing, err, diff)
	}
}
