package httpapi_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"muster/internal/httpapi"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite stories and generated files from what the code does")

// TestStories plays the files of testdata/story: requests at the margin, what
// they are answered below, byte for byte. A line at the margin is one of
//
//	iot PUT /jobs/j1 {"targets":[…]}   a request signed for that service, path and body as they go out
//	wait 5m                            the engine clock moves on and the loops run until nothing is due
//	hold, release                      rollouts and sweeps stand still, or go on
//
// Uuids, access keys and tokens are shown as names; $token in a request is the
// last nextToken, $key the last access key.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/story/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("-file +code:\n%s", diff)
			}
		})
	}
}

// TestStoriesTellEveryOperation keeps the stories complete: each operation is
// answered with success at least once.
func TestStoriesTellEveryOperation(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/story/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var last string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "\t200 ") {
				told[last] = true
			}
			last = operationOf(line)
		}
	}
	for _, r := range httpapi.Routes() {
		if !told[r.Action] {
			t.Errorf("no story of %s, %s", r.Action, r.Pattern)
		}
	}
}

// operationOf returns the action of the route that a line of a story asks for.
func operationOf(line string) string {
	field := strings.Fields(line)
	if len(field) < 3 || strings.HasPrefix(line, "\t") {
		return ""
	}
	path, _, _ := strings.Cut(field[2], "?")
	return httpapi.ActionAt(field[0], field[1], path)
}

// tell plays a story and returns it with the answers that it got.
func tell(t *testing.T, story string) string {
	t.Helper()
	w := newWorld(t)
	var out strings.Builder
	for line := range strings.Lines(story) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if answer := w.play(line); answer != "" {
			out.WriteString("\t" + answer + "\n")
		}
	}
	return out.String()
}

// play does what a line says and returns the answer, if it is a request.
func (w *world) play(line string) string {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			w.t.Fatal(err)
		}
		w.wait(d)
		return ""
	case "hold", "release":
		w.held.Store(word == "hold")
		return ""
	}
	part := strings.SplitN(w.names.Replace(rest), " ", 3)
	if len(part) < 2 {
		w.t.Fatalf("cannot play %q", line)
	}
	body := ""
	if len(part) == 3 {
		body = part[2]
	}
	return w.shown(w.send(w.t, part[0], part[1], body, "Test-Service", word))
}

var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	tokens  = regexp.MustCompile(`"nextToken":"([^"]+)"`)
	keys    = regexp.MustCompile(`AKIA[A-Z2-7]{16}`)
	secrets = regexp.MustCompile(`"secret":"[^"]{40}"`)
)

// shown returns an answer in one line, and remembers what it names.
func (w *world) shown(r reply) string {
	if m := tokens.FindStringSubmatch(r.body); m != nil {
		w.token = m[1]
	}
	if k := keys.FindString(r.body); k != "" && strings.Contains(r.body, `"secret"`) {
		w.key = k
	}
	w.names = strings.NewReplacer("$token", w.token, "$key", w.key)
	body := uuids.ReplaceAllString(r.body, "<uuid>")
	body = tokens.ReplaceAllString(body, `"nextToken":"<token>"`)
	body = secrets.ReplaceAllString(body, `"secret":"<secret>"`)
	body = keys.ReplaceAllString(body, "<key>")
	if code := r.header.Get("X-Amzn-Errortype"); code != "" {
		return fmt.Sprintf("%d %s %s", r.status, code, body)
	}
	return fmt.Sprintf("%d %s", r.status, body)
}

// ok sends a request that must succeed and returns the body of its answer.
func (w *world) ok(service, method, path, body string) string {
	w.t.Helper()
	r := w.send(w.t, method, path, body, "Test-Service", service)
	if r.status != http.StatusOK {
		w.t.Fatalf("%s %s: got %d %s", method, path, r.status, r.body)
	}
	return r.body
}

// wait moves the engine clock and lets the loops do what is due.
func (w *world) wait(d time.Duration) {
	w.t.Helper()
	w.clock.Add(d.Milliseconds())
	if err := w.engine.Settle(context.WithoutCancel(w.t.Context()), w.sweep); err != nil {
		w.t.Fatal(err)
	}
}
