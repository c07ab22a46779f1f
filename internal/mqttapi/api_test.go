package mqttapi_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/mqttapi"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// refusing makes the engine refuse whatever *err says, unless that is nil.
func refusing(err *error) func(*world) {
	return func(w *world) {
		w.conf.Authorize = func(_ context.Context, p auth.Principal, _, _ string) error {
			if p == operator {
				return nil
			}
			return *err
		}
	}
}

func TestEveryKindOfErrorHasACode(t *testing.T) {
	t.Parallel()
	const internal = `"InternalError","message":"An internal failure occurred. The server's log has its cause."`
	codes := map[apierr.Kind]string{
		apierr.Internal: internal, apierr.Unavailable: internal,
		apierr.Invalid:           `"InvalidRequest","message":"why"`,
		apierr.InvalidJSON:       `"InvalidJson","message":"why"`,
		apierr.InvalidTopic:      `"InvalidTopic","message":"why"`,
		apierr.UnknownOperation:  `"InvalidTopic","message":"why"`,
		apierr.NotImplemented:    `"InvalidTopic","message":"why"`,
		apierr.NotFound:          `"ResourceNotFound","message":"why"`,
		apierr.InvalidTransition: `"InvalidStateTransition","message":"why"`,
		apierr.VersionMismatch:   `"VersionMismatch","message":"why"`,
		apierr.TerminalState:     `"TerminalStateReached","message":"why"`,
		apierr.Throttled:         `"RequestThrottled","message":"why"`,
	}
	var refusal error
	w := newWorld(t, refusing(&refusal))
	check := func(name, code string) {
		t.Helper()
		for topic, payload := range map[string]string{
			"get": `{"clientToken":"c"}`, "start-next": `{"clientToken":"c"}`, "$next/get": `{"clientToken":"c"}`,
			"j/get": `{"clientToken":"c"}`, "j/update": `{"status":"FAILED","clientToken":"c"}`,
		} {
			want := topic + `/rejected {"clientToken":"c","timestamp":1700000000,"code":` + code + `}`
			if got := w.ask(b+topic, payload); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
	for _, kind := range apierr.Kinds() {
		refusal = apierr.Wrap(kind, errors.New("secret"), "why")
		code, ok := codes[kind]
		if !ok { // no operation for devices answers it, and to repeat the request is no use
			code = `"InvalidRequest","message":"why"`
		}
		check(kind.String(), code)
	}
	refusal = errors.New("secret")
	check("any other error", internal)
}

func TestFaultsAreLoggedAndCounted(t *testing.T) {
	t.Parallel()
	refusal := errors.New("disk on fire")
	w := newWorld(t, refusing(&refusal))
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	var err error
	w.API, err = mqttapi.New(mqttapi.Config{Engine: w.engine, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: reg})
	w.must(err)
	w.ask(b+"get", "")
	w.ask(b+"nonsense", "")
	refusal = nil
	w.ask(b+"get", "")
	w.ask(b+"j/update", `{"status":"FAILED"}`)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "op=GetPendingJobExecutions") ||
		!strings.Contains(log.String(), "thing=t1") || !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("got %d lines, want one of the fault: %s", n, log.String())
	}
	want := map[string]float64{
		"InternalError GetPendingJobExecutions": 1, "InvalidTopic unknown": 1,
		"ResourceNotFound UpdateJobExecution": 1, "accepted GetPendingJobExecutions": 1,
	}
	if diff := cmp.Diff(want, counted(t, reg, "muster_mqtt_requests_total")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if _, err := mqttapi.New(mqttapi.Config{Engine: w.engine, Metrics: reg}); err == nil {
		t.Error("two APIs could register the same metrics")
	}
}

// counted returns the counts of a metric by the values of its labels.
func counted(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return counts
}

func TestAPanicIsAFaultOfOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.conf.Authorize = func(_ context.Context, p auth.Principal, action, _ string) error {
		if action == "iotjobsdata:UpdateJobExecution" {
			panic("broken")
		}
		return nil
	}
	w.restart()
	want := `j/update/rejected {"clientToken":"c","timestamp":1700000000,"code":"InternalError","message":"An internal failure occurred. The server's log has its cause."}`
	if got := w.ask(b+"j/update", `{"status":"FAILED","clientToken":"c"}`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOtherTopicsAreNotHandled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, topic := range []string{
		"", "a/b", "$aws", "$aws/things/t1", "$aws/things/t1/shadow/get", "$aws/things/t1/jobsx/get", "$aws/events/job/j/completed",
		"$aws/commands/things/t1/executions/e/response/json", "aws/things/t1/jobs/get", "$AWS/things/t1/jobs/get",
	} {
		r, ok, err := w.Handle(t.Context(), mqttapi.Request{Principal: device, Topic: topic})
		if ok || err != nil || r.Topic != "" || r.After != nil {
			t.Errorf("%q: got %+v, %v, %v", topic, r, ok, err)
		}
	}
}

func TestAReplyHasTheQoSOfItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, qos := range []byte{0, 1} {
		r, _, err := w.Handle(t.Context(), mqttapi.Request{Principal: device, Topic: b + "get", QoS: qos})
		if err != nil || r.QoS != qos {
			t.Errorf("got %d, %v; want %d", r.QoS, err, qos)
		}
	}
}

func TestARequestThatNobodyWaitsForIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("j", `{}`)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for _, topic := range []string{"get", "start-next", "j/get", "j/update"} {
		_, ok, err := w.Handle(ctx, mqttapi.Request{Principal: device, Topic: b + topic, Payload: []byte(`{"status":"FAILED"}`)})
		if !ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, %v; want an error, so that it is not acknowledged", topic, ok, err)
		}
	}
	if got := w.ask(b+"j/get", `{"includeJobDocument":false}`); !strings.Contains(got, `"QUEUED"`) {
		t.Errorf("it changed: %s", got)
	}
}

func TestAStoreThatIsClosedIsARetryableFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("j", `{}`)
	w.must(w.store.Close())
	for topic, payload := range map[string]string{"get": "", "start-next": "", "$next/get": "", "j/update": `{"status":"FAILED"}`} {
		if got := w.ask(b+topic, payload); !strings.HasPrefix(got, topic+`/rejected {"timestamp":1700000000,"code":"InternalError",`) {
			t.Errorf("%s: got %s", topic, got)
		}
	}
	w.open()
}

func TestCanPublish(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]bool{
		b + "get": true, b + "start-next": true, b + "$next/get": true, b + "j/get": true, b + "j/update": true,
		b + "j/namespace-n/update": true, b + "$next/namespace-n/get": true,
		// These are answered with InvalidTopic.
		b + "$next/update": true, b + "j/cancel": true, b + "j/get/now": true, "$aws/things/t1/jobs": true,
		// These are the server's.
		b + "get/accepted": false, b + "get/rejected": false, b + "start-next/accepted": false, b + "j/update/accepted": false,
		b + "$next/get/rejected": false, b + "j/namespace-n/get/accepted": false,
		b + "notify": false, b + "notify-next": false, b + "notify-namespace-n": false, b + "notify-next-namespace-n": false,
		// These are not about jobs.
		"$aws/things/t1/shadow/update": false, "$aws/events/presence/connected/c": false, "dt/t1": false, "": false,
	} {
		if got := mqttapi.CanPublish(topic); got != want {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
}

func TestCanSubscribe(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		// What clients that exist subscribe to.
		b + "get/+": true, b + "start-next/+": true, b + "j/get/+": true, b + "j/update/+": true, b + "notify": true, b + "notify-next": true,
		b + "#": true, b + "$next/get/accepted": true, b + "+/update/accepted": true, b + "+/get/accepted": true, b + "start-next/rejected": true,
		"$aws/things/+/jobs/#": true, "$aws/things/+/jobs/+/get/accepted": true, b + "$next/namespace-aws-gg-deployment/get/accepted": true,
		b + "notify-namespace-aws-gg-deployment": true, b + "get": true,
		// Wildcards that reach the jobs of things among others.
		"$aws/#": true, "$aws/things/#": true, "$aws/things/t1/#": true, "$aws/+/+/+/+": true, "$aws/+/t1/jobs/get/accepted": true,
		// No topic of the jobs API matches these.
		"#": false, "+/things/t1/jobs/get/accepted": false, "$aws": false, "$aws/things": false, "$aws/things/t1": false,
		"$aws/things/t1/jobs": false, "$aws/things/t1/jobs/": false, "$aws/things//jobs/get": false, "$aws/things/t1/shadow/#": false,
		"$aws/things/#/jobs/get": false, "$aws/events/#": false, "$AWS/things/t1/jobs/#": false, "$aws/things/t1/job/#": false, "": false,
	} {
		if got := mqttapi.CanSubscribe(filter); got != want {
			t.Errorf("%s: got %v, want %v", filter, got, want)
		}
	}
}

func TestCanMatchMessages(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		b + "notify": true, b + "notify-next": true, b + "notify-namespace-ns": true, b + "#": true, b + "+": true,
		"$aws/things/+/jobs/#": true, "$aws/things/+/jobs/notify": true, "$aws/things/#": true, "$aws/#": true, "$aws/things/t1/#": true,
		"$aws/+/t1/jobs/get/accepted": true, // not worth a closer look
		"$aws/events/#":               true, "plant/+/state": true, "#": true, "$aws/things/t1/shadow/#": true,
		b + "get/+": false, b + "get/accepted": false, b + "$next/get/accepted": false, b + "+/update/+": false, b + "j/#": false,
		b + "start-next/rejected": false, "$aws/things/+/jobs/+/get/accepted": false, b + "get": false,
	} {
		if got := mqttapi.CanMatchMessages(filter); got != want {
			t.Errorf("%s: got %v, want %v", filter, got, want)
		}
	}
}

func TestNotificationsOfAFilter(t *testing.T) {
	t.Parallel()
	all := []string{b + "notify", b + "notify-next", b + "notify-namespace-"}
	for filter, want := range map[string][]string{
		b + "#": all, b + "+": all, "$aws/things/t1/#": all,
		b + "notify": nil, b + "get/+": nil, "$aws/things/+/jobs/#": nil, "$aws/things/#": nil, "$aws/#": nil, "$aws/things/t1/shadow/#": nil,
		"$share/g/$aws/things/t1/#": nil, "t1/jobs/#": nil, "": nil,
	} {
		if got := mqttapi.Notifications(filter); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", filter, got, want)
		}
	}
}

// TestWhoMustBeToldOfAChange has devices with one subscription each. A device that
// takes all topics of its jobs must be told of every namespace, too.
func TestWhoMustBeToldOfAChange(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		filter, namespace string
		want              bool
	}{
		{b + "notify", "", true},
		{b + "notify-next", "", true},
		{b + "notify", "ns", false},
		{b + "notify-namespace-ns", "ns", true},
		{b + "notify-next-namespace-ns", "ns", true},
		{b + "notify-namespace-ns", "", false},
		{b + "notify-namespace-ns", "other", false},
		{b + "#", "", true},
		{b + "#", "ns", true},
		{b + "+", "ns", true},
		{"$aws/things/t1/#", "ns", true},
		{"$aws/things/t2/#", "ns", false},
		{"$aws/things/+/jobs/#", "ns", false},
	} {
		held := append(mqttapi.Notifications(x.filter), x.filter)
		got := slices.ContainsFunc(mqttapi.Holders("t1", x.namespace), func(topic string) bool { return slices.Contains(held, topic) })
		if got != x.want {
			t.Errorf("%s of namespace %q: got %v, want %v", x.filter, x.namespace, got, x.want)
		}
	}
}
