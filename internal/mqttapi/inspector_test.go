package mqttapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"muster/internal/mqttapi"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// watched returns a world whose inspector keeps what c says.
func watched(t *testing.T, c mqttapi.InspectorConfig) *world {
	t.Helper()
	return newWorld(t, func(w *world) { w.inspector = mqttapi.NewInspector(c) })
}

// kept returns the topics and codes of the messages kept of a thing after a
// number, and the number of the last.
func (w *world) kept(thing string, after int64) (kept []string, last int64, missing bool) {
	w.t.Helper()
	messages, missing := w.inspector.Messages(thing, after)
	last = after
	for _, m := range messages {
		if m.Seq <= last {
			w.t.Errorf("message %d comes after %d", m.Seq, last)
		}
		last = m.Seq
		kept = append(kept, strings.TrimSpace(m.Direction.String()+" "+strings.TrimPrefix(m.Topic, b)+" "+m.Code))
	}
	return kept, last, missing
}

func TestTheInspectorKeepsBothDirections(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{})
	w.create("j", `{}`)
	w.settle()
	w.ask(b+"j/update", `{"status":"DONE","clientToken":"c"}`)
	got, missing := w.inspector.Messages("t1", 0)
	want := []mqttapi.Logged{
		{At: t0, Direction: mqttapi.ToDevice, Topic: b + "notify", QoS: 1, Size: 125,
			Payload: `{"timestamp":1700000000,"jobs":{"QUEUED":[{"jobId":"j","queuedAt":1700000000,"lastUpdatedAt":1700000000,"executionNumber":1,"versionNumber":1}]}}`},
		{At: t0, Direction: mqttapi.ToDevice, Topic: b + "notify-next", QoS: 1, Size: 170,
			Payload: `{"timestamp":1700000000,"execution":{"jobId":"j","status":"QUEUED","queuedAt":1700000000,"lastUpdatedAt":1700000000,"versionNumber":1,"executionNumber":1,"jobDocument":{}}}`},
		{At: t0, Direction: mqttapi.FromDevice, ClientID: "client-1", Topic: b + "j/update", QoS: 1,
			Payload: `{"status":"DONE","clientToken":"c"}`},
		{At: t0, Direction: mqttapi.ToDevice, ClientID: "client-1", Topic: b + "j/update/rejected", QoS: 1, Code: "InvalidRequest",
			Reason: "1 validation error detected: Value 'DONE' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [IN_PROGRESS, SUCCEEDED, FAILED, REJECTED]"},
	}
	want[3].Payload = `{"clientToken":"c","timestamp":1700000000,"code":"InvalidRequest","message":"` + want[3].Reason + `"}`
	for i := range want {
		want[i].Size = len(want[i].Payload)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(mqttapi.Logged{}, "Seq")); diff != "" || missing {
		t.Errorf("missing %v; kept (-want +got):\n%s", missing, diff)
	}
}

func TestTheInspectorKeepsTheLastOfEachThing(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{Messages: 3})
	w.things("t2")
	w.ask(b+"get", "")
	first, seq, _ := w.kept("t1", 0)
	if diff := cmp.Diff([]string{"in get", "out get/accepted"}, first); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	w.ask("$aws/things/t2/jobs/get", "")
	w.ask(b+"x/get", "")
	for after, want := range map[int64][]string{
		0:   {"out get/accepted", "in x/get", "out x/get/rejected ResourceNotFound"},
		seq: {"in x/get", "out x/get/rejected ResourceNotFound"},
	} {
		got, _, missing := w.kept("t1", after)
		if diff := cmp.Diff(want, got); diff != "" || missing {
			t.Errorf("after %d: missing %v; kept (-want +got):\n%s", after, missing, diff)
		}
	}
	w.ask(b+"y/get", "")
	got, _, missing := w.kept("t1", seq)
	if diff := cmp.Diff([]string{"out x/get/rejected ResourceNotFound", "in y/get", "out y/get/rejected ResourceNotFound"}, got); diff != "" || !missing {
		t.Errorf("missing %v, want that; kept (-want +got):\n%s", missing, diff)
	}
}

func TestTheInspectorForgetsTheThingsThatAreQuietLongest(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{Things: 2})
	ask := func(thing string) { w.ask("$aws/things/"+thing+"/jobs/get", "") }
	ask("a")
	_, seq, _ := w.kept("a", 0)
	ask("b")
	ask("a")
	ask("c") // b is the quietest
	if got, _, missing := w.kept("b", seq); len(got) != 0 || !missing {
		t.Errorf("b: got %v, missing %v", got, missing)
	}
	if got, _, missing := w.kept("a", seq); len(got) != 2 || missing {
		t.Errorf("a: got %v, missing %v", got, missing)
	}
	if got, _, missing := w.kept("never", 0); len(got) != 0 || missing {
		t.Errorf("never: got %v, missing %v", got, missing)
	}
	ask("b")
	if got, _, missing := w.kept("b", seq); len(got) != 2 || !missing {
		t.Errorf("b again: got %v, missing %v", got, missing)
	}
}

func TestPositionsOfAnEarlierProcessAreKnownToMissSomething(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{})
	w.ask(b+"get", "")
	_, old, _ := w.kept("t1", 0)
	w.inspector = mqttapi.NewInspector(mqttapi.InspectorConfig{})
	w.restart()
	if _, _, missing := w.kept("t1", old); !missing {
		t.Error("the restart is not noticed")
	}
	w.ask(b+"get", "")
	if got, last, missing := w.kept("t1", old); len(got) != 2 || !missing || last >= 1<<53 {
		t.Errorf("got %v up to %d, missing %v", got, last, missing)
	}
}

// TestTheInspectorIsBounded feeds it the longest that it can be fed.
func TestTheInspectorIsBounded(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{Things: 5, Messages: 4, Payload: 100})
	for i := range 50 {
		topic := "$aws/things/" + fmt.Sprint(i) + "/jobs/" + strings.Repeat("é/", 20_000)
		for range 5 {
			w.ask(topic, "x"+strings.Repeat("é", 60_000))
			w.ask(topic, strings.Repeat("\xff", 1000))
		}
	}
	w.ask("$aws/things/"+strings.Repeat("n", 129)+"/jobs/get", "")
	things, bytes := 0, 0
	for i := range 50 {
		messages, _ := w.inspector.Messages(fmt.Sprint(i), 0)
		if len(messages) > 4 {
			t.Errorf("%d messages", len(messages))
		}
		if len(messages) > 0 {
			things++
		}
		for _, m := range messages {
			bytes += len(m.Topic) + len(m.Payload) + len(m.Reason)
			if !utf8.ValidString(m.Topic + m.Payload) {
				t.Error("cut in the middle of a character")
			}
			if m.Direction == mqttapi.FromDevice && m.Size != 120_001 && m.Size != 1000 {
				t.Errorf("got size %d", m.Size)
			}
		}
	}
	if things != 5 || bytes > 5*4*(100+320+320) {
		t.Errorf("%d things and %d bytes", things, bytes)
	}
	if got, _ := w.inspector.Messages(strings.Repeat("n", 129), 0); len(got) > 0 {
		t.Error("a name that no thing has is kept")
	}
}

func TestNoInspector(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.inspector = nil })
	w.create("j", `{}`)
	w.settle()
	w.ask(b+"get", "")
	if got, missing := w.inspector.Messages("t1", 7); got != nil || missing {
		t.Errorf("got %v, %v", got, missing)
	}
}

func TestTheInspectorIsSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	w := watched(t, mqttapi.InspectorConfig{Things: 3, Messages: 5})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 50 {
				thing := fmt.Sprintf("t%d", i)
				w.ask("$aws/things/"+thing+"/jobs/get", "")
				w.kept(fmt.Sprintf("t%d", (i+1)%6), 0)
			}
		})
	}
	wg.Wait()
}
