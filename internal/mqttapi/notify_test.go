package mqttapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/mqttapi"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// owed is a notification of one queued execution, with everything owed.
func owed() engine.Notification {
	return engine.Notification{
		Thing: "t1", At: t0, Notice: job.Notice{List: true, Next: true}, Document: `{ "a": 1 }`,
		Pending: []job.Execution{{
			Thing: "t1", Job: &job.Brief{UID: 1, ID: "j"}, Number: 2, Status: job.InProgress, Version: 3,
			Details: map[string]string{"k": "v"}, QueuedAt: t0 - 2000, StartedAt: t0 - 1000, UpdatedAt: t0, StepDeadline: t0 + 60_000,
		}},
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	const (
		list = `{"timestamp":1700000000,"jobs":{"IN_PROGRESS":[{"jobId":"j","queuedAt":1699999998,"lastUpdatedAt":1700000000,"startedAt":1699999999,"executionNumber":2,"versionNumber":3}]}}`
		next = `{"timestamp":1700000000,"execution":{"jobId":"j","status":"IN_PROGRESS","statusDetails":{"k":"v"},"queuedAt":1699999998,"startedAt":1699999999,"lastUpdatedAt":1700000000,"versionNumber":3,"executionNumber":2,"approximateSecondsBeforeTimedOut":59,"jobDocument":{"a":1}}}`
	)
	message := func(topic, payload string) mqttapi.Message {
		return mqttapi.Message{Topic: b + topic, Payload: []byte(payload), QoS: 1}
	}
	tests := []struct {
		name string
		edit func(*engine.Notification)
		want []mqttapi.Message
	}{
		{"the list, then the next", func(*engine.Notification) {}, []mqttapi.Message{message("notify", list), message("notify-next", next)}},
		{"the list alone", func(n *engine.Notification) { n.Notice.Next = false }, []mqttapi.Message{message("notify", list)}},
		{"the next alone", func(n *engine.Notification) { n.Notice.List = false }, []mqttapi.Message{message("notify-next", next)}},
		{"an empty queue", func(n *engine.Notification) { n.Pending, n.Document = nil, "" }, []mqttapi.Message{
			message("notify", `{"timestamp":1700000000,"jobs":{}}`), message("notify-next", `{"timestamp":1700000000}`)}},
		{"other nodes tell their own", func(n *engine.Notification) { n.Notice.Next, n.Except = false, []string{"b"} }, []mqttapi.Message{
			{Topic: b + "notify", Payload: []byte(list), QoS: 1, Except: []string{"b"}},
		}},
		{"this node tells its own", func(n *engine.Notification) { n.Notice.Next, n.Here = false, true }, []mqttapi.Message{
			{Topic: b + "notify", Payload: []byte(list), QoS: 1, Here: true},
		}},
		{"a namespace has topics of its own", func(n *engine.Notification) { n.Namespace = "ns" }, []mqttapi.Message{
			message("notify-namespace-ns", list), message("notify-next-namespace-ns", next)}},
		{"no execution without a document", func(n *engine.Notification) { n.Document = "" }, []mqttapi.Message{message("notify", list)}},
		{"a damaged document holds nobody up", func(n *engine.Notification) { n.Document = "{" }, []mqttapi.Message{message("notify", list)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := &broker{}
			p, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: to})
			if err != nil {
				t.Fatal(err)
			}
			n := owed()
			tt.edit(&n)
			if err := p.Notify(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, to.take()); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatTheBrokerDoesNotTakeComesAgain(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	to, reg := &broker{}, prometheus.NewRegistry()
	p, err := mqttapi.NewPublisher(mqttapi.PublisherConfig{Broker: to, Metrics: reg, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	calls := 0
	to.around = func(deliver func() error) error {
		if calls++; calls == 2 {
			return down
		}
		return deliver()
	}
	if err := p.Notify(t.Context(), owed()); !errors.Is(err, down) {
		t.Errorf("got %v, want that the broker is down", err)
	}
	if err := p.Notify(t.Context(), owed()); err != nil {
		t.Error(err)
	}
	var topics []string
	for _, m := range to.take() {
		topics = append(topics, strings.TrimPrefix(m.Topic, b))
	}
	if diff := cmp.Diff([]string{"notify", "notify", "notify-next"}, topics); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"notify": 2, "notify-next": 1}, counted(t, reg, "muster_mqtt_notifications_total")); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	n := owed()
	n.Document = "{"
	if err := p.Notify(t.Context(), n); err != nil || !strings.Contains(log.String(), "thing=t1") {
		t.Errorf("a damaged document: got %v and %q in the log", err, log.String())
	}
}

// told is what a device makes of what it is sent.
type told struct {
	list map[string]int64 // versions by job, from the last notify
	next string           // job of the last notify-next; empty if there was none or it was bare
}

// pendingJobs is the payload of a notify or get/accepted.
type pendingJobs struct {
	Jobs                       map[string][]summary
	InProgressJobs, QueuedJobs []summary
}

type summary struct {
	JobID         string
	VersionNumber int64
}

// versions returns the versions by job.
func (p pendingJobs) versions() map[string]int64 {
	out := make(map[string]int64)
	for _, list := range [][]summary{p.Jobs["IN_PROGRESS"], p.Jobs["QUEUED"], p.InProgressJobs, p.QueuedJobs} {
		for _, s := range list {
			out[s.JobID] = s.VersionNumber
		}
	}
	return out
}

// nextJob is the payload of a notify-next, $next/get/accepted or start-next/accepted.
type nextJob struct {
	Execution *struct {
		summary
		Status      string
		JobDocument json.RawMessage
	}
}

func parse[T any](t testing.TB, payload []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return v
}

// hear takes in notifications of t1.
func (d *told) hear(t testing.TB, messages []mqttapi.Message) {
	t.Helper()
	for _, m := range messages {
		switch m.Topic {
		case b + "notify":
			d.list = parse[pendingJobs](t, m.Payload).versions()
		case b + "notify-next":
			d.next = ""
			if x := parse[nextJob](t, m.Payload).Execution; x != nil {
				d.next = x.JobID
			}
		default:
			t.Fatalf("told on %s", m.Topic)
		}
	}
}
