package mqttapi_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/job"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the output in testdata/stories")

// TestStories plays the stories in testdata/stories. A line at the margin is a
// command, a comment or empty; below it stands what goes over the wire, indented
// by a tab: < is a reply, for the requester alone, and * a notification, for
// whoever has subscribed. B/ is $aws/things/t1/jobs/. With -update the output is
// rewritten: the diff is to be read as a change of the protocol.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			story, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played, err := play(t, string(story))
			if err != nil {
				t.Fatalf("%s:%v", file, err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(strings.Split(string(story), "\n"), strings.Split(played, "\n")); d != "" {
				t.Errorf("%s tells another story (-want +got):\n%s", file, d)
			}
		})
	}
}

// play returns the story with what its commands put on the wire now.
func play(t *testing.T, story string) (string, error) {
	t.Helper()
	p := &player{world: newWorld(t)}
	for i, line := range strings.Split(strings.TrimSuffix(story, "\n"), "\n") {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		p.out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.run(line); err != nil {
			return "", fmt.Errorf("%d: %s: %w", i+1, line, err)
		}
	}
	return p.out.String(), nil
}

// player plays one story.
type player struct {
	*world
	out strings.Builder
	lag time.Duration // between a change and the run of the loops
}

// commands are what can stand at the margin.
var commands = map[string]func(*player, line) error{
	">": (*player).request,
	// the clock and the registry
	"at": (*player).at, "wait": (*player).waitFor, "lag": (*player).lagBy, "restart": (*player).start,
	"thing": (*player).addThing, "delete-thing": (*player).removeThing,
	// the operator
	"create": (*player).createJob, "cancel-job": (*player).cancelJob, "delete-job": (*player).deleteJob,
	"cancel": (*player).cancelExecution, "delete": (*player).deleteExecution,
}

// line is a command: words, name=value options, and JSON to the end of the line.
type line struct {
	words   []string
	options map[string]string
	json    string
}

func (p *player) run(text string) error {
	l := line{options: make(map[string]string)}
	if at := strings.IndexAny(text, `{[`); at >= 0 {
		text, l.json = text[:at], text[at:]
	}
	fields := strings.Fields(text)
	for _, f := range fields[1:] {
		if name, value, ok := strings.Cut(f, "="); ok {
			l.options[name] = value
			continue
		}
		l.words = append(l.words, f)
	}
	l.words = append(l.words, "", "") // so that a story that says too little ends in an error of the API
	do := commands[fields[0]]
	if do == nil {
		return errors.New("no such command")
	}
	if err := do(p, l); err != nil {
		return err
	}
	if fields[0] != "at" && fields[0] != "lag" {
		p.wait(p.lag)
	}
	p.settle()
	for _, m := range p.broker.take() {
		p.print("*", m.Topic, m.Payload)
	}
	return nil
}

func (p *player) print(sign, topic string, payload []byte) {
	fmt.Fprintf(&p.out, "\t%s %s %s\n", sign, strings.Replace(topic, b, "B/", 1), payload)
}

func (p *player) request(l line) error {
	r := p.publish(strings.Replace(l.words[0], "B/", b, 1), l.json)
	p.print("<", r.Topic, r.Payload)
	if r.After != nil {
		r.After()
	}
	return nil
}

func (p *player) at(l line) error {
	s, err := strconv.ParseInt(l.words[0], 10, 64)
	p.set(s * 1000)
	return err
}

func (p *player) waitFor(l line) error {
	d, err := time.ParseDuration(l.words[0])
	p.wait(d)
	return err
}

func (p *player) lagBy(l line) (err error) {
	p.lag, err = time.ParseDuration(l.words[0])
	return err
}

func (p *player) start(line) error {
	p.restart()
	return nil
}

func (p *player) addThing(l line) error {
	p.things(l.words[0])
	return nil
}

func (p *player) removeThing(l line) error {
	p.deleteThing(l.words[0])
	return nil
}

func (p *player) createJob(l line) error {
	var minutes int64
	var err error
	if m, ok := l.options["timeout"]; ok {
		minutes, err = strconv.ParseInt(m, 10, 64)
	}
	p.create(l.words[0], l.json, func(s *job.Spec) {
		s.Namespace, s.TimeoutMinutes = l.options["namespace"], minutes
	})
	return err
}

func (p *player) cancelJob(l line) error {
	_, err := p.engine.CancelJob(p.t.Context(), operator, l.words[0], job.CancelJob{Force: l.words[1] == "force"})
	return err
}

func (p *player) deleteJob(l line) error {
	return p.engine.DeleteJob(p.t.Context(), operator, l.words[0], l.options["namespace"], l.words[1] == "force")
}

func (p *player) cancelExecution(l line) error {
	return p.engine.CancelJobExecution(p.t.Context(), operator, "t1", l.words[0], job.Cancel{Force: l.words[1] == "force"})
}

func (p *player) deleteExecution(l line) error {
	return p.engine.DeleteJobExecution(p.t.Context(), operator, "t1", l.words[0], 1, l.options["namespace"], l.words[1] == "force")
}
