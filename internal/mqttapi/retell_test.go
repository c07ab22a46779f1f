package mqttapi_test

import (
	"slices"
	"testing"

	"muster/internal/job"
	"muster/internal/mqttapi"
)

func TestSubjectOfATopic(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		b + "notify": b + "notify", b + "notify-next": b + "notify",
		b + "notify-namespace-ns": b + "notify-namespace-ns", b + "notify-next-namespace-ns": b + "notify-namespace-ns",
		b + "notify-namespace-": b + "notify-namespace-",
		b + "#":                 "", b + "get": "", b + "j/get": "", b + "notify/x": "", "$aws/things/+/jobs/notify": "",
		"$aws/things/+/jobs/notify-namespace-": "", "$aws/things//jobs/notify-namespace-": "",
		"$share/g/" + b + "notify": "", "plant/1": "", "$aws/things/": "", "": "",
	} {
		if got := mqttapi.Subject(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestRetellOfWhatADeviceTakes tells a device again what it has subscribed to by
// one filter.
func TestRetellOfWhatADeviceTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("plain", `{}`)
	w.create("inside", `{}`, func(s *job.Spec) { s.Namespace = "ns" })
	w.settle()
	w.broker.take()
	for _, x := range []struct {
		filter string
		want   []string
	}{
		{b + "notify", []string{b + "notify", b + "notify-next"}},
		{b + "notify-next", []string{b + "notify", b + "notify-next"}},
		{b + "notify-next-namespace-ns", []string{b + "notify-namespace-ns", b + "notify-next-namespace-ns"}},
		{b + "#", []string{b + "notify", b + "notify-next", b + "notify-namespace-ns", b + "notify-next-namespace-ns"}},
		{"$aws/things/+/jobs/#", nil},
	} {
		var subjects, got []string
		for _, name := range append(mqttapi.Notifications(x.filter), x.filter) {
			if s := mqttapi.Subject(name); s != "" && !slices.Contains(subjects, s) {
				subjects = append(subjects, s)
			}
		}
		for _, s := range subjects {
			w.must(w.Retell(t.Context(), s))
		}
		for _, m := range w.broker.take() {
			if !m.Here {
				t.Errorf("%s goes everywhere", m.Topic)
			}
			got = append(got, m.Topic)
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: got %q, want %q", x.filter, got, x.want)
		}
	}
}
