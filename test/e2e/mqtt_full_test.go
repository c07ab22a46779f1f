package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"muster/internal/mqtt"
)

// TestMQTTFullSession leaves a session alone until telemetry has filled its queue:
// what there is to do is told all the same.
func TestMQTTFullSession(t *testing.T) {
	t.Parallel()
	g := plainGateway(t, "")
	g.thing(t, "pump")
	d := dialing{version: 5, id: "pump", keep: true, plain: g.plain}
	l := connect(t, d)
	check(t, "subscribe", l.subscribe(t.Context(), "telemetry", pumpJobs+"notify", pumpJobs+"notify-next"))
	l.close()
	other := connect(t, dialing{version: 5, id: "other", plain: g.plain})
	for i := range mqtt.DefaultLimits().QueueMessages + 1 {
		check(t, "publish", other.publish(t.Context(), "telemetry", fmt.Sprint(i)))
	}
	check(t, "subscribe", other.subscribe(t.Context(), pumpJobs+"notify"))
	for _, id := range numbered("job-", 3) {
		g.job(t, id, "pump")
	}
	for listed := 0; listed < 3; { // until everything has been told
		listed = strings.Count(other.receive(t).payload, `"jobId":"job-`)
	}
	other.request(t, pumpJobs+"get", "")
	l = connect(t, d)
	for range mqtt.DefaultLimits().QueueMessages {
		if m := l.receive(t); m.topic != "telemetry" {
			t.Fatalf("got %v before what came before it", m)
		}
	}
	// Of the lists only the last one is there. What is next is behind it if all was told at once.
	next, list := l.receive(t), l.receive(t)
	if next.topic == pumpJobs+"notify" {
		next, list = list, next
	}
	if next.topic != pumpJobs+"notify-next" || !strings.Contains(next.payload, `"jobId":"job-0"`) {
		t.Errorf("next: got %v", next)
	}
	if list.topic != pumpJobs+"notify" || strings.Count(list.payload, `"jobId":"job-`) != 3 {
		t.Errorf("list: got %v", list)
	}
}
