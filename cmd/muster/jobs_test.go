package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// session runs commands against one server and keeps what they print.
type session struct {
	t    *testing.T
	data string
	text strings.Builder
}

// do runs a command that must end with the exit code.
func (s *session) do(code int, args ...string) string {
	s.t.Helper()
	got := muster(s.t, append(args, "--data", s.data)...)
	if got.code != code {
		s.t.Errorf("muster %s: got exit code %d, want %d; it says: %s", strings.Join(args, " "), got.code, code, got.stderr)
	}
	s.text.WriteString("$ muster " + strings.Join(args, " ") + "\n" + got.stdout + got.stderr)
	return got.stdout
}

// scrub replaces what differs from run to run.
func scrub(text string) string {
	for _, r := range []struct{ what, by string }{
		{`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "<uuid>"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "YYYY-MM-DDThh:mm:ssZ"},
		{`(At"|Date"): [0-9.]+`, "$1: <time>"},
	} {
		text = regexp.MustCompile(r.what).ReplaceAllString(text, r.by)
	}
	return text
}

// TestOperatorCommands tells the life of a fleet in commands; the golden file
// shows what people see.
func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	document := filepath.Join(t.TempDir(), "document.json")
	if err := os.WriteFile(document, []byte(`{"operation":"reboot"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, data: data}
	s.do(0, "groups", "create", "fleet", "--description", "all of them")
	s.do(0, "groups", "create", "north", "--parent", "fleet")
	s.do(0, "things", "create", "t1", "t2", "--attribute", "site=a=b", "--attribute", "rack=7", "--group", "north")
	s.do(0, "things", "create", "t3")
	s.do(0, "groups", "add", "fleet", "t3")
	s.do(0, "things", "list")
	s.do(0, "things", "list", "--attribute", "rack=7", "-o", "json")
	s.do(0, "groups", "list", "--parent", "fleet")
	s.do(0, "groups", "members", "fleet", "--recursive")
	s.do(0, "groups", "members", "fleet", "-o", "json")
	s.do(0, "jobs", "list")
	s.do(0, "jobs", "list", "-o", "json")
	s.do(0, "jobs", "create", "j1", "--targets", "group/north", "thing/t3", "--document", `{"operation":"<update>"}`, "--timeout-minutes", "5", "--description", "first")
	s.do(0, "jobs", "describe", "j1")
	s.do(0, "jobs", "document", "j1")
	s.do(0, "jobs", "executions", "j1", "--status", "queued")
	s.do(0, "jobs", "cancel", "j1", "--reason", "MISTAKE", "--comment", "wrong one")
	s.do(0, "jobs", "describe", "j1", "-o", "json")
	s.do(0, "things", "describe", "t1")
	s.do(0, "groups", "remove", "fleet", "t3")
	s.do(0, "things", "delete", "t3", "never-there")
	s.do(0, "jobs", "list", "--status", "canceled")
	s.do(0, "jobs", "delete", "j1")
	s.do(0, "groups", "delete", "north")
	s.do(1, "jobs", "describe", "j1")
	s.do(1, "jobs", "create", "j2", "--targets", "group/none", "--document", "{}")
	s.do(1, "jobs", "create", "j2", "--targets", "crate/none", "--document", "{}")
	golden(t, "session.txt", scrub(s.text.String()))

	made := s.do(0, "jobs", "create", "--targets", "thing/t1", "--targets", "thing/t2", "--document", "@"+document, "--continuous", "-o", "json")
	var ref struct{ JobID string }
	if err := json.Unmarshal([]byte(made), &ref); err != nil {
		t.Fatal(err)
	}
	if got, want := s.do(0, "jobs", "document", ref.JobID), `{"operation":"reboot"}`+"\n"; got != want {
		t.Errorf("got document %q, want %q", got, want)
	}
	if got := s.do(0, "jobs", "describe", ref.JobID); !strings.Contains(got, "CONTINUOUS") || !strings.Contains(got, "thing/t1, thing/t2") {
		t.Errorf("got %q, want a continuous job for t1 and t2", got)
	}
}

func TestDocumentFromStandardInput(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	muster(t, "things", "create", "t", "--data", data).ok(t)
	musterWith(t, nil, `{"from":"stdin"}`, "jobs", "create", "--targets", "thing/t", "j", "--document", "@-", "--data", data).ok(t)
	if got, want := muster(t, "jobs", "document", "j", "--data", data).ok(t), `{"from":"stdin"}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestChangesOfSeveralAreOneJSONValue also where one of them fails: what was done
// before is in it.
func TestChangesOfSeveralAreOneJSONValue(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	muster(t, "groups", "create", "g", "--data", data).ok(t)
	for _, tt := range []struct {
		code    int
		command string
		want    string // without ids and white space
	}{
		{0, "things create a b c", `{"things":[{"thingName":"a"},{"thingName":"b"},{"thingName":"c"}]}`},
		{1, "things create d a! e", `{"things":[{"thingName":"d"}]}`},
		{0, "groups add g a b", `{"things":[{"thingName":"a"},{"thingName":"b"}]}`},
		{1, "groups add g c nobody", `{"things":[{"thingName":"c"}]}`},
		{0, "groups remove g a b", `{"things":[{"thingName":"a"},{"thingName":"b"}]}`},
		{0, "things delete a b", `{"things":[{"thingName":"a"},{"thingName":"b"}]}`},
		{1, "things delete c!", `{"things":[]}`},
		{0, "groups delete g h", `{"thingGroups":[{"groupName":"g"},{"groupName":"h"}]}`},
	} {
		got := muster(t, append(strings.Fields(tt.command), "--data", data, "-o", "json")...)
		var value map[string][]map[string]string
		if err := json.Unmarshal([]byte(got.stdout), &value); err != nil {
			t.Errorf("muster %s: got %q, want one JSON value: %v", tt.command, got.stdout, err)
			continue
		}
		for _, entry := range value["things"] {
			delete(entry, "thingId")
			delete(entry, "thingArn")
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if got.code != tt.code || string(text) != tt.want {
			t.Errorf("muster %s: got %d %s %s, want %d %s", tt.command, got.code, text, got.stderr, tt.code, tt.want)
		}
	}
}

// TestListsOfSeveralPages shows that a list is complete and its JSON one value.
func TestListsOfSeveralPages(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data)
	names := []string{"things", "create", "--data", data}
	for i := range 2*pageSize + 1 {
		names = append(names, fmt.Sprintf("t%03d", i))
	}
	muster(t, names...).ok(t)
	var out struct{ Things []struct{ ThingName string } }
	if err := json.Unmarshal([]byte(muster(t, "things", "list", "--data", data, "-o", "json").ok(t)), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := len(out.Things), 2*pageSize+1; got != want {
		t.Errorf("got %d things, want %d", got, want)
	}
	lines := strings.Count(muster(t, "things", "list", "--data", data).ok(t), "\n")
	if want := 2*pageSize + 2; lines != want {
		t.Errorf("got %d lines, want %d with the header", lines, want)
	}
}
