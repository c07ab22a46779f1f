package job_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the output in testdata/scenarios")

// TestScenarios plays the stories in testdata/scenarios. A line at the margin
// is a command, a comment or empty; what a command puts out stands below it,
// indented by a tab. With -update the output is rewritten: the diff is to be
// read as a change of the specification.
//
// Each command prints what it changed, then what its caller was refused or
// told beyond that, then what devices are told, then what became of jobs.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			story, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played, err := play(string(story))
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

// play returns the story with the output that its commands have now.
func play(story string) (string, error) {
	var out strings.Builder
	w := newWorld()
	for i, text := range strings.Split(strings.TrimSuffix(story, "\n"), "\n") {
		if strings.HasPrefix(text, "\t") {
			continue
		}
		out.WriteString(text + "\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if text == "begin" { // another story in the same file
			w = newWorld()
			continue
		}
		if err := w.run(parseLine(text)); err != nil {
			return "", fmt.Errorf("%d: %s: %w", i+1, text, err)
		}
		for _, o := range w.taken() {
			out.WriteString("\t" + o + "\n")
		}
	}
	return out.String(), nil
}

// line is a command: a verb, words, name=value options and {name=value,…} details.
type line struct {
	verb    string
	words   []string
	options map[string]string
	details map[string]string
}

func parseLine(text string) line {
	fields := strings.Fields(text)
	l := line{verb: fields[0], options: make(map[string]string)}
	for _, f := range fields[1:] {
		name, value, isOption := strings.Cut(f, "=")
		switch {
		case strings.HasPrefix(f, "{") && strings.HasSuffix(f, "}"):
			l.details = make(map[string]string)
			for pair := range strings.SplitSeq(strings.Trim(f, "{}"), ",") {
				if k, v, ok := strings.Cut(pair, "="); ok {
					l.details[k] = v
				}
			}
		case isOption:
			l.options[name] = value
		default:
			l.words = append(l.words, f)
		}
	}
	return l
}

// word returns the i-th word after the verb; empty if there is none.
func (l line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

// has reports whether a word such as force stands in the line.
func (l line) has(word string) bool {
	return slices.Contains(l.words, word)
}

// number returns an option that is a number; 0 if it is not given or is none.
func (l line) number(name string) int64 {
	n, _ := strconv.ParseInt(l.options[name], 10, 64)
	return n
}

// version returns the expected version, if the line names one.
func (l line) version() *int64 {
	if _, ok := l.options["v"]; !ok {
		return nil
	}
	n := l.number("v")
	return &n
}
