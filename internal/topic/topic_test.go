package topic_test

import (
	"testing"

	"muster/internal/topic"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const b = "$aws/things/t1/jobs"
	tests := []struct {
		name string
		in   string
		want topic.Topic
	}{
		{"list", b + "/get", topic.Topic{Kind: topic.GetPending, Thing: "t1"}},
		{"list accepted", b + "/get/accepted", topic.Topic{Kind: topic.GetPending, Thing: "t1", Reply: topic.Accepted}},
		{"list rejected", b + "/get/rejected", topic.Topic{Kind: topic.GetPending, Thing: "t1", Reply: topic.Rejected}},
		{"start next", b + "/start-next", topic.Topic{Kind: topic.StartNext, Thing: "t1"}},
		{"start next accepted", b + "/start-next/accepted", topic.Topic{Kind: topic.StartNext, Thing: "t1", Reply: topic.Accepted}},
		{"describe", b + "/j1/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "j1"}},
		{"describe rejected", b + "/j1/get/rejected", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "j1", Reply: topic.Rejected}},
		{"describe next", b + "/$next/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: topic.Next}},
		{"describe next accepted", b + "/$next/get/accepted", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: topic.Next, Reply: topic.Accepted}},
		{"update", b + "/j1/update", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "j1"}},
		{"update accepted", b + "/j1/update/accepted", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "j1", Reply: topic.Accepted}},
		{"notify", b + "/notify", topic.Topic{Kind: topic.Notify, Thing: "t1"}},
		{"notify next", b + "/notify-next", topic.Topic{Kind: topic.NotifyNext, Thing: "t1"}},

		{"a job named get", b + "/get/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "get"}},
		{"a job named get is accepted", b + "/get/get/accepted", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "get", Reply: topic.Accepted}},
		{"a job named start-next", b + "/start-next/update", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "start-next"}},
		{"a job named notify", b + "/notify/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "notify"}},
		{"a job named notify-next", b + "/notify-next/update/rejected", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "notify-next", Reply: topic.Rejected}},
		{"a job named accepted", b + "/accepted/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "accepted"}},
		{"a job named like a namespace", b + "/namespace-x/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "namespace-x"}},
		{"a thing named jobs", "$aws/things/jobs/jobs/get", topic.Topic{Kind: topic.GetPending, Thing: "jobs"}},
		{"a thing with a colon", "$aws/things/a:b/jobs/get", topic.Topic{Kind: topic.GetPending, Thing: "a:b"}},

		{"describe next in a namespace", b + "/$next/namespace-aws-gg-deployment/get", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: topic.Next, Namespace: "aws-gg-deployment"}},
		{"describe in a namespace", b + "/j1/namespace-n/get/accepted", topic.Topic{Kind: topic.Describe, Thing: "t1", Job: "j1", Namespace: "n", Reply: topic.Accepted}},
		{"update in a namespace", b + "/j1/namespace-n/update", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "j1", Namespace: "n"}},
		{"update in a namespace rejected", b + "/j1/namespace-n/update/rejected", topic.Topic{Kind: topic.Update, Thing: "t1", Job: "j1", Namespace: "n", Reply: topic.Rejected}},
		{"notify in a namespace", b + "/notify-namespace-aws-gg-deployment", topic.Topic{Kind: topic.Notify, Thing: "t1", Namespace: "aws-gg-deployment"}},
		{"notify next in a namespace", b + "/notify-next-namespace-n", topic.Topic{Kind: topic.NotifyNext, Thing: "t1", Namespace: "n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := topic.Parse(tt.in)
			if !ok || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, ok, tt.want)
			}
			if got := tt.want.String(); got != tt.in {
				t.Errorf("got %q, want %q", got, tt.in)
			}
		})
	}
}

func TestParseReportsWhatMapsToNoAPI(t *testing.T) {
	t.Parallel()
	const b = "$aws/things/t1/jobs"
	for _, in := range []string{
		b, b + "/", b + "/x", b + "/Get", b + "/get/", b + "//get", b + "/get/x", b + "/$next/update",
		b + "/$next/namespace-n/update", b + "/j1/get/x", b + "/j1/start-next", b + "/j1", b + "/j1/accepted",
		b + "/notify/accepted", b + "/notify-next/rejected", b + "/notifyx", b + "/notify-namespace-",
		b + "/notify-next-namespace-", b + "/notify-next-", b + "/j1/namespace-/get", b + "/j1/namespace-n",
		b + "/j1/namespace-n/start-next", b + "/j1/namespace-n/x/get", b + "/namespace-n/get/get",
		b + "/start-next/namespace-n", b + "/get/accepted/accepted", b + "/accepted", "$aws/things//jobs/get",
	} {
		got, ok := topic.Parse(in)
		if !ok || got.Kind != topic.Invalid || got.String() != in {
			t.Errorf("%s: got %+v, %v; want an invalid topic", in, got, ok)
		}
	}
}

func TestParseLeavesOtherTopicsAlone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "/", "a/b", "$aws", "$aws/things", "$aws/things/", "$aws/things/t1", "$aws/things/t1/", "$aws/things/t1/shadow/get",
		"$aws/things/t1/jobsx/get", "$aws/things/t1/x/jobs/get", "$AWS/things/t1/jobs/get", "/$aws/things/t1/jobs/get",
		"$aws/thing/t1/jobs/get", "aws/things/t1/jobs/get", "$aws/things/t1/Jobs/get",
	} {
		if got, ok := topic.Parse(in); ok {
			t.Errorf("%s: got %+v, want not ours", in, got)
		}
	}
}

func TestAnswersGoToTheTopicAsPublished(t *testing.T) {
	t.Parallel()
	const b = "$aws/things/t1/jobs"
	for in, request := range map[string]bool{
		b + "/get":                      true,
		b + "/start-next":               true,
		b + "/$next/get":                true,
		b + "/j1/update":                true,
		b + "/j1/namespace-n/update":    true,
		b + "/get/accepted":             false,
		b + "/notify":                   false,
		b + "/notify-next-namespace-n":  false,
		b + "/$next/update":             false,
		b + "/j1/namespace-n/start-now": false,
		b:                               false,
	} {
		got, _ := topic.Parse(in)
		if got.Request() != request {
			t.Errorf("%s: got request %v, want %v", in, got.Request(), request)
		}
		if a, r := got.Answer(topic.Accepted).String(), got.Answer(topic.Rejected).String(); a != in+"/accepted" || r != in+"/rejected" {
			t.Errorf("%s: got %q and %q", in, a, r)
		}
		if again, _ := topic.Parse(got.Answer(topic.Rejected).String()); again != got.Answer(topic.Rejected) {
			t.Errorf("%s: the answer reads back as %+v", in, again)
		}
	}
}

func TestEveryTopicReadsBack(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[a-zA-Z0-9_-]{1,8}|get|update|start-next|notify|accepted|jobs`)
	rapid.Check(t, func(t *rapid.T) {
		want := topic.Topic{Kind: rapid.SampledFrom([]topic.Kind{
			topic.GetPending, topic.StartNext, topic.Describe, topic.Update, topic.Notify, topic.NotifyNext,
		}).Draw(t, "kind"), Thing: name.Draw(t, "thing")}
		switch want.Kind {
		case topic.Describe, topic.Update:
			want.Job = name.Draw(t, "job")
			fallthrough
		case topic.Notify, topic.NotifyNext:
			want.Namespace = rapid.OneOf(rapid.Just(""), name).Draw(t, "namespace")
		}
		if want.Kind != topic.Notify && want.Kind != topic.NotifyNext {
			want.Reply = rapid.SampledFrom([]topic.Reply{topic.None, topic.Accepted, topic.Rejected}).Draw(t, "reply")
		}
		if got, ok := topic.Parse(want.String()); !ok || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", want, got, ok, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("$aws/things/t1/jobs/$next/namespace-n/get/accepted")
	f.Add("$aws/things/t1/jobs/notify-next-namespace-n")
	f.Add("$aws/things//jobs//get/rejected/accepted")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := topic.Parse(s)
		if ok && got.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, got.String())
		}
		if again, _ := topic.Parse(got.String()); ok && again != got {
			t.Errorf("Parse(%q) = %+v, then %+v", s, got, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := topic.Parse("$aws/things/sensor-0042/jobs/firmware-7/update"); !ok {
			b.Fatal("not ours")
		}
	}
}
