package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

func TestLifecycleEventsNameTheThing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	muster(t, "things", "create", "pump", "--data", data).ok(t)
	urls, err := os.ReadFile(filepath.Join(data, deviceEndpointName))
	if err != nil {
		t.Fatal(err)
	}
	connect := func(id string) paho.Client {
		t.Helper()
		c := paho.NewClient(paho.NewClientOptions().AddBroker(strings.Fields(string(urls))[0]).SetClientID(id))
		if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
			t.Fatalf("connect %s: %v", id, tok.Error())
		}
		t.Cleanup(func() { c.Disconnect(0) })
		return c
	}
	type event struct{ ClientID, ThingName string }
	events := make(chan event, 2)
	tok := connect("watcher").Subscribe("$aws/events/presence/connected/+", 1, func(_ paho.Client, m paho.Message) {
		var e event
		if err := json.Unmarshal(m.Payload(), &e); err != nil {
			t.Errorf("event %s: %v", m.Payload(), err)
		}
		events <- e
	})
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("subscribe: %v", tok.Error())
	}
	for _, want := range []event{{"pump", "pump"}, {"nothing", ""}} {
		connect(want.ClientID)
		select {
		case got := <-events:
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(patience):
			t.Fatal("no event")
		}
	}
}
