package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"muster/internal/client"
)

// speaker returns what publishes as a device of the server on a data folder.
func speaker(t *testing.T, data string) func(topic, payload string) {
	t.Helper()
	urls, err := os.ReadFile(filepath.Join(data, deviceEndpointName))
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Fields(string(urls))[0]
	c := paho.NewClient(paho.NewClientOptions().AddBroker(plain).SetClientID("dev-1"))
	done := func(tok paho.Token) {
		t.Helper()
		if !tok.WaitTimeout(patience) || tok.Error() != nil {
			t.Fatalf("mqtt: %v", tok.Error())
		}
	}
	done(c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	return func(topic, payload string) {
		t.Helper()
		done(c.Publish(topic, 1, false, payload))
	}
}

func TestThingsMessages(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	messages := func(args ...string) result {
		t.Helper()
		return muster(t, append([]string{"things", "messages", "pump", "--data", data}, args...)...)
	}
	if r := messages(); r.code != exitFailure || !strings.Contains(r.stderr, "ResourceNotFoundException") {
		t.Errorf("no such thing: got %+v", r)
	}
	muster(t, "things", "create", "pump", "--data", data).ok(t)
	if r := messages(); r.code != 0 || r.stdout != "" || r.stderr != "no messages\n" {
		t.Errorf("silence: got %+v", r)
	}
	follower := start(t, "things", "messages", "pump", "--data", data, "--follow", "--interval", "10ms")
	lines := start(t, "things", "messages", "pump", "--data", data, "--follow", "--interval", "10ms", "-o", "json")
	speak := speaker(t, data)
	speak("$aws/things/pump/jobs/get", "")
	speak("$aws/things/pump/jobs/none/update", `{"status":`)
	follower.stdout.wait(t, "update/rejected")
	table := regexp.MustCompile(" {2,}").ReplaceAllString(follower.stdout.String(), " ") // widths depend on what came together
	for _, text := range []string{
		"TIME WAY", "Z in dev-1 $aws/things/pump/jobs/get\n", "Z out dev-1 $aws/things/pump/jobs/get/accepted {",
		"$aws/things/pump/jobs/none/update/rejected InvalidJson: ",
	} {
		if strings.Count(table, text) != 1 {
			t.Errorf("got %s, want %q once", table, text)
		}
	}
	lines.stdout.wait(t, `"code":"InvalidJson"`)
	for line := range strings.Lines(lines.stdout.String()) {
		var m client.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Seq == 0 || m.ClientID != "dev-1" {
			t.Errorf("line %q: got %+v, %v", line, m, err)
		}
	}
	var all struct{ Messages []client.Message }
	if err := json.Unmarshal([]byte(messages("-o", "json").ok(t)), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Messages) != 4 || all.Messages[2].Payload != `{"status":` {
		t.Errorf("got %+v, want two requests and two replies", all.Messages)
	}
	if table := messages().ok(t); strings.Count(table, "\n") != 5 {
		t.Errorf("got %s, want four messages and a header", table)
	}
	if _, ok := follower.stop(t).(*exitError); !ok { //nolint:errorlint // run itself has made it
		t.Errorf("the follower ends with %v, want as interrupted", follower.err)
	}
	if r := messages("--follow", "--interval", "0s"); r.code != exitFailure {
		t.Errorf("without an interval: got %+v", r)
	}
}

// answer answers with a body.
func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// TestFollowMessages loses messages, and a server for a while.
func TestFollowMessages(t *testing.T) {
	t.Parallel()
	url := fakeJob(t,
		answer(`{"messages":[{"seq":7,"topic":"first"}]}`),
		answer(`{"messages":[{"seq":9,"topic":"second","payload":"{","size":9}],"missing":true}`),
		refusal(503, "ServiceUnavailableException"), refusal(503, "ServiceUnavailableException"),
		refusal(503, "ServiceUnavailableException"), refusal(503, "ServiceUnavailableException"),
		answer(`{"messages":[{"seq":10,"topic":"third"}]}`),
		refusal(403, "UnrecognizedClientException"),
	)
	got := musterWith(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x"}, "",
		"things", "messages", "t", "--endpoint", url, "--follow", "--interval", "1ms")
	if got.code != exitFailure || !strings.Contains(got.stderr, "some messages are missing") || !strings.Contains(got.stderr, "UnrecognizedClient") {
		t.Errorf("got exit code %d, %s", got.code, got.stderr)
	}
	for _, text := range []string{"first", "second  {… (9 bytes)", "third"} {
		if strings.Count(got.stdout, text) != 1 {
			t.Errorf("got %s, want %s once", got.stdout, text)
		}
	}
}
