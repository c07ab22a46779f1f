package mqttapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestQuirks holds what clients that exist rely on. Each has its own world with
// a job j, queued, whose document is {"do":"it"}.
func TestQuirks(t *testing.T) {
	t.Parallel()
	const (
		queued    = `{"jobId":"j","status":"QUEUED","queuedAt":1700000000,"lastUpdatedAt":1700000000,"versionNumber":1,"executionNumber":1,"jobDocument":{"do":"it"}}`
		described = `$next/get/accepted {"timestamp":1700000000,"execution":` + queued + `}`
		updated   = `j/update/accepted {"timestamp":1700000000}`
		state     = `j/update/accepted {"timestamp":1700000000,"executionState":`
		withState = `"includeJobExecutionState":true`
	)
	tests := []struct {
		name, topic, payload, want string
	}{
		{"the C demo asks with no bytes at all", "$next/get", "", described},
		{"an empty object is no options", "$next/get", "{}", described},
		{"space around an object is nothing", "$next/get", " {} \n", described},
		{"an empty token comes back as it is", "$next/get", `{"clientToken":""}`,
			`$next/get/accepted {"clientToken":"","timestamp":1700000000,"execution":` + queued + `}`},
		{"a token is any text", "$next/get", `{"clientToken":"0:t1 <é\u0000\"&>"}`,
			`$next/get/accepted {"clientToken":"0:t1 <é\u0000\"&>","timestamp":1700000000,"execution":` + queued + `}`},
		{"a null token is none", "$next/get", `{"clientToken":null}`, described},
		{"a token of 1024 bytes is the longest", "get", `{"clientToken":"` + strings.Repeat("x", 1024) + `"}`,
			`get/accepted {"clientToken":"` + strings.Repeat("x", 1024) + `","timestamp":1700000000,"inProgressJobs":[],"queuedJobs":[{"jobId":"j","queuedAt":1700000000,"lastUpdatedAt":1700000000,"executionNumber":1,"versionNumber":1}]}`},
		{"the document can be left out", "j/get", `{"includeJobDocument":false,"executionNumber":1}`,
			`j/get/accepted {"timestamp":1700000000,"execution":` + strings.Replace(queued, `,"jobDocument":{"do":"it"}`, "", 1) + `}`},
		{"Python v1 sends numbers as strings", "j/update", `{"status":"IN_PROGRESS","expectedVersion":"1","executionNumber":"1","stepTimeoutInMinutes":"5","clientToken":"pyv1"}`,
			`j/update/accepted {"clientToken":"pyv1","timestamp":1700000000}`},
		{"embedded C sends no token", "j/update", `{"status":"SUCCEEDED","expectedVersion":"1"}`, updated},
		{"the names of the topic come in the body, too, and do not count", "$next/get", `{"thingName":"other","jobId":"k","includeJobDocument":true}`, described},
		{"also where they are no names", "j/update", `{"status":"IN_PROGRESS","thingName":7,"jobId":{"a":[]}}`, updated},
		{"unknown members are ignored", "j/update", `{"status":"IN_PROGRESS","x":{"y":[1,{"z":null}]}}`, updated},
		{"an empty map of details is none", "j/update", `{"status":"IN_PROGRESS","statusDetails":{},` + withState + `}`,
			state + `{"status":"IN_PROGRESS","versionNumber":2}}`},
		{"the JavaScript agent reports a number", "j/update", `{"status":"IN_PROGRESS","statusDetails":{"uptime":12.50,"ok":true},` + withState + `}`,
			state + `{"status":"IN_PROGRESS","statusDetails":{"ok":"true","uptime":"12.50"},"versionNumber":2}}`},
		{"the device client reports lines of output", "j/update", `{"status":"SUCCEEDED","statusDetails":{"stdout":"a\n\tb\r\n"},` + withState + `}`,
			state + `{"status":"SUCCEEDED","statusDetails":{"stdout":"a\n\tb\r\n"},"versionNumber":2}}`},
		{"details are counted in characters", "j/update", `{"status":"IN_PROGRESS","statusDetails":{"k":"` + strings.Repeat("é", 1024) + `"}}`, updated},
		{"the document comes as an object, after the state", "j/update", `{"status":"FAILED",` + withState + `,"includeJobDocument":true}`,
			state + `{"status":"FAILED","versionNumber":2},"jobDocument":{"do":"it"}}`},
		{"a queued job may end without a start", "j/update", `{"status":"REJECTED"}`, updated},
		{"minus one stops a timer that does not run", "j/update", `{"status":"IN_PROGRESS","stepTimeoutInMinutes":-1}`, updated},
		{"a job may be named like a verb", "get/get", "", `get/get/rejected {"timestamp":1700000000,"code":"ResourceNotFound","message":"Job get not found."}`},
		{"whatever the verb", "start-next/update", `{"status":"FAILED"}`, `start-next/update/rejected {"timestamp":1700000000,"code":"ResourceNotFound","message":"Job start-next not found."}`},
		{"or like a notification", "notify/get", "", `notify/get/rejected {"timestamp":1700000000,"code":"ResourceNotFound","message":"Job notify not found."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create("j", ` { "do" : "it" } `)
			if got := w.ask(b+tt.topic, tt.payload); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestJobsNamedLikeVerbsAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, id := range []string{"get", "start-next", "notify", "notify-next", "update", "accepted", "jobs", "022"} {
		w.create(id, `{}`)
		want := fmt.Sprintf(`%s/update/accepted {"timestamp":1700000000,"executionState":{"status":"IN_PROGRESS","versionNumber":2}}`, id)
		if got := w.ask(b+id+"/update", `{"status":"IN_PROGRESS","includeJobExecutionState":true}`); got != want {
			t.Errorf("%d: got %s, want %s", i, got, want)
		}
		if got := w.ask(b+id+"/get", `{"includeJobDocument":false}`); !strings.Contains(got, `"jobId":"`+id+`"`) {
			t.Errorf("%d: got %s", i, got)
		}
	}
}

func TestThingsWithAColon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.things("t:1")
	want := `$aws/things/t:1/jobs/get/accepted {"timestamp":1700000000,"inProgressJobs":[],"queuedJobs":[]}`
	if got := w.ask("$aws/things/t:1/jobs/get", ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDocumentsThatAreNoObjectsAreEmbeddedAsTheyAre(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`[1, 2]`:              `[1,2]`,
		`"text"`:              `"text"`,
		`7`:                   `7`,
		`null`:                `null`,
		`{"a":"<&>", "b":{}}`: `{"a":"<&>","b":{}}`,
	} {
		w := newWorld(t)
		w.create("j", document)
		if got := w.ask(b+"$next/get", ""); !strings.HasSuffix(got, `,"jobDocument":`+want+`}}`) {
			t.Errorf("%s: got %s", document, got)
		}
	}
}

func TestTenEntriesAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 12 {
		w.create(fmt.Sprintf("j%02d", i), `{}`)
		w.wait(time.Second)
	}
	w.ask(b+"j11/update", `{"status":"IN_PROGRESS"}`)
	w.settle()
	var list struct {
		Jobs struct {
			InProgress []struct{ JobID string } `json:"IN_PROGRESS"`
			Queued     []struct{ JobID string } `json:"QUEUED"`
		} `json:"jobs"`
		InProgressJobs, QueuedJobs []struct{ JobID string }
	}
	_, payload, _ := strings.Cut(w.ask(b+"get", ""), " ")
	w.must(json.Unmarshal([]byte(payload), &list))
	w.must(json.Unmarshal(w.broker.take()[0].Payload, &list))
	if n, m := len(list.InProgressJobs), len(list.QueuedJobs); n != 1 || m != 9 || list.InProgressJobs[0].JobID != "j11" || list.QueuedJobs[8].JobID != "j08" {
		t.Errorf("get: got %d in progress and %d queued: %s", n, m, payload)
	}
	if n, m := len(list.Jobs.InProgress), len(list.Jobs.Queued); n != 1 || m != 9 || list.Jobs.InProgress[0].JobID != "j11" || list.Jobs.Queued[8].JobID != "j08" {
		t.Errorf("notify: got %d in progress and %d queued: %+v", n, m, list.Jobs)
	}
}

func TestStrictServersRefuseToDescribeTheFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.conf.StrictTerminal = true })
	w.create("j", `{}`)
	w.ask(b+"j/update", `{"status":"SUCCEEDED"}`)
	want := `j/get/rejected {"clientToken":"c","timestamp":1700000000,"code":"TerminalStateReached","message":"Job execution is in terminal status SUCCEEDED."}`
	if got := w.ask(b+"j/get", `{"clientToken":"c"}`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := w.ask(b+"$next/get", ""); got != `$next/get/accepted {"timestamp":1700000000}` {
		t.Errorf("next: got %s", got)
	}
}

// TestTheFirstStartOfTwoCounts shows what a repeated start-next gets: the same
// execution, once started.
func TestTheFirstStartOfTwoCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("j", `{}`)
	first := w.ask(b+"start-next", `{"statusDetails":{"k":"1"}}`)
	if again := w.ask(b+"start-next", `{"statusDetails":{"k":"2"},"stepTimeoutInMinutes":3}`); again != first {
		t.Errorf("got %s, then %s", first, again)
	}
}
