package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string // empty for what belongs to the package itself
	Output  string
}

// test is what is known of one test, or of a package, which is the parent of its tests.
type test struct {
	name   string
	result string // pass, fail, skip, or empty while it runs
	output []string
	parent *test
	inner  bool // has subtests, which are counted instead
	blamed bool // a subtest failed and was counted
}

// pkg is a package that runs: its tests in order of appearance, itself first.
type pkg struct {
	tests  []*test
	byName map[string]*test
}

// test returns the named test, made at its first mention.
func (p *pkg) test(name string) *test {
	t := p.byName[name]
	if t == nil {
		t = &test{name: name}
		if name != "" {
			t.parent = p.test(outer(name))
			t.parent.inner = true
		}
		p.byName[name] = t
		p.tests = append(p.tests, t)
	}
	return t
}

// outer returns the name of the test that name is a subtest of, or "" for the package.
func outer(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '/'))]
}

// report collects the events of packages that run side by side, prints each
// package when it ends, and counts.
type report struct {
	w                       io.Writer
	running                 map[string]*pkg
	skips                   []string
	passed, failed, skipped int
}

func newReport(w io.Writer) *report {
	return &report{w: w, running: make(map[string]*pkg)}
}

func (r *report) print(s string) {
	fmt.Fprint(r.w, s)
}

// add takes the next event.
func (r *report) add(e event) {
	if e.Package == "" {
		r.print(e.Output) // of the compiler
		return
	}
	p := r.running[e.Package]
	if p == nil {
		p = &pkg{byName: make(map[string]*test)}
		r.running[e.Package] = p
	}
	t := p.test(e.Test)
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.result = e.Action
		if e.Test == "" {
			delete(r.running, e.Package)
			r.finishPackage(e.Package, p)
		}
	}
}

// finishPackage prints a package that has ended, its failures first, and adds
// it to the totals.
func (r *report) finishPackage(name string, p *pkg) {
	self := p.test("")
	for _, t := range p.tests {
		if t.result == "" {
			t.result = self.result // cut short by a panic, an exit or the time limit
		}
		if t != self && t.result == "fail" {
			r.printOutput(t, "=== ")
		}
	}
	r.printOutput(self, "PASS\n", "FAIL\n", "?   ")
	for _, t := range slices.Backward(p.tests) { // subtests before those that they excuse
		r.count(name, t)
	}
}

// printOutput prints what t said, without the lines that start with one of skip.
func (r *report) printOutput(t *test, skip ...string) {
	for _, line := range t.output {
		if !slices.ContainsFunc(skip, func(s string) bool { return strings.HasPrefix(line, s) }) {
			r.print(line)
		}
	}
}

// count adds t to the totals. What has subtests counts only when it failed and
// none of them did; so does a package, which can fail to build, panic or exit.
func (r *report) count(pkg string, t *test) {
	switch {
	case t.result == "fail":
		if !t.blamed {
			r.failed++
		}
		if t.parent != nil {
			t.parent.blamed = true
		}
	case t.inner || t.parent == nil:
	case t.result == "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", pkg, t.name, t.reason()))
	default:
		r.passed++
	}
}

// reason returns what a skipped test said last.
func (t *test) reason() string {
	for _, line := range slices.Backward(t.output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return "no reason given"
}

// finish prints the skipped tests and the totals.
func (r *report) finish(took time.Duration) {
	for _, s := range r.skips {
		r.print("skipped: " + s + "\n")
	}
	r.print(fmt.Sprintf("%d passed, %d failed, %d skipped in %s\n", r.passed, r.failed, r.skipped, took.Round(time.Second)))
}
