package mqtt_test

import (
	"context"
	"regexp"
	"testing"

	"muster/internal/auth"
	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestLifecycleEvents(t *testing.T) {
	t.Parallel()
	e := start(t, mqtt.Config{Hooks: mqtt.Hooks{
		Connect: func(_ context.Context, r *mqtt.ConnectRequest) (auth.Principal, error) {
			if r.ClientID == "bad" {
				return auth.Principal{}, mqtt.NotAuthorized
			}
			return auth.Principal{ID: "cert-of-" + r.ClientID}, nil
		},
		Thing: func(_ context.Context, c mqtt.Client) string {
			if c.ID != "c" {
				return ""
			}
			return "pump"
		},
	}})
	w := e.connect(codec.V5, "w")
	w.subscribe(codec.QoS1, "$aws/events/presence/+/c", "$aws/events/presence/connect_failed/+", "$aws/events/subscriptions/+/c")
	ids := map[string]string{} // what differs from run to run, by where it was first seen
	event := func(topic, want string) {
		t.Helper()
		m := expect[*codec.Publish](w)
		w.ack(m)
		body := regexp.MustCompile(`"timestamp":\d{13}`).ReplaceAllString(string(m.Payload), `"timestamp":0`)
		body = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllStringFunc(body, func(id string) string {
			if ids[id] == "" {
				ids[id] = string(rune('A' + len(ids)))
			}
			return ids[id]
		})
		if string(m.Topic) != "$aws/events/"+topic || body != want {
			t.Errorf("got  %s %s\nwant %s %s", m.Topic, body, "$aws/events/"+topic, want)
		}
	}
	const connected = `,"principalIdentifier":"cert-of-c","ipAddress":"127.0.0.1","versionNumber":`
	p := e.connect(codec.V5, "c")
	event("presence/connected/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"connected","sessionIdentifier":"A"`+connected+`0}`)
	p.subscribe(codec.QoS1, "a", "b")
	event("subscriptions/subscribed/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"subscribed","sessionIdentifier":"A","principalIdentifier":"cert-of-c","topics":["a","b"]}`)
	p.send(&codec.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("a"), []byte("never")}})
	event("subscriptions/unsubscribed/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"unsubscribed","sessionIdentifier":"A","principalIdentifier":"cert-of-c","topics":["a"]}`)
	expect[*codec.Unsuback](p)
	p.send(&codec.Disconnect{})
	disconnected := func(session, byClient, reason, n string) {
		t.Helper()
		event("presence/disconnected/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"disconnected","clientInitiatedDisconnect":`+byClient+
			`,"disconnectReason":"`+reason+`","sessionIdentifier":"`+session+`","principalIdentifier":"cert-of-c","versionNumber":`+n+`}`)
	}
	disconnected("A", "true", "CLIENT_INITIATED_DISCONNECT", "0")

	again := func(session, n string) *peer {
		t.Helper()
		p := e.connect(codec.V5, "c")
		event("presence/connected/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"connected","sessionIdentifier":"`+session+`"`+connected+n+`}`)
		return p
	}
	_ = again("B", "1").nc.Close()
	disconnected("B", "false", "CONNECTION_LOST", "1")
	again("C", "2").write([]byte{0xFF, 0})
	disconnected("C", "false", "CLIENT_ERROR", "2")
	again("D", "3")
	e.connect(codec.V5, "c")
	disconnected("D", "false", "DUPLICATE_CLIENTID", "3")
	event("presence/connected/c", `{"clientId":"c","thingName":"pump","timestamp":0,"eventType":"connected","sessionIdentifier":"E"`+connected+`4}`)

	bad := e.dial(codec.V5)
	bad.send(&codec.Connect{Version: 5, ClientID: []byte("bad")})
	event("presence/connect_failed/bad", `{"clientId":"bad","timestamp":0,"eventType":"connect_failed","connectFailureReason":"AUTHORIZATION_FAILED","sessionIdentifier":"F","principalIdentifier":"","ipAddress":"127.0.0.1"}`)
	e.connect(codec.V5, "c+d") // has no events, and no topic that they could go to
	w.quiet()
}
