// Command gotest runs go test and prints what a person wants to know: a line a
// package, the full output of every test that failed, which tests were skipped
// and why, and the totals.
//
// Usage:
//
//	gotest [NAME=VALUE]... ARGS... [-- [NAME=VALUE]... ARGS...]...
//
// Each group of arguments is one run of go test, in an environment with those
// variables; all of them are run, and the last line counts over all: "812 passed, 0 failed, 2 skipped in 3m4s". The
// exit code is 1 if anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	start := time.Now()
	r := newReport(os.Stdout)
	ok := true
	for group := range groups(os.Args[1:]) {
		if err := goTest(r, group); err != nil {
			ok = false
			fmt.Fprintln(os.Stderr, "gotest:", err)
		}
	}
	r.finish(time.Since(start))
	if !ok || r.failed > 0 {
		os.Exit(1)
	}
}

// groups yields the runs of args between the "--".
func groups(args []string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			i := slices.Index(args, "--")
			if i < 0 {
				yield(args)
				return
			}
			if !yield(args[:i]) {
				return
			}
			args = args[i+1:]
		}
	}
}

// goTest runs go test once and hands its events to r. It returns an error if
// the run did not end well, also when no test can be blamed.
func goTest(r *report, args []string) error {
	vars, args := environment(args)
	if len(vars) > 0 {
		r.print("== with " + strings.Join(vars, " ") + "\n")
	}
	args = append([]string{"test", "-json"}, args...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), vars...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := read(r, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go %v: %w", args, err)
	}
	return readErr
}

// environment splits variables, NAME=VALUE, off the arguments that follow them.
func environment(args []string) (vars, rest []string) {
	i := slices.IndexFunc(args, func(a string) bool {
		name, _, ok := strings.Cut(a, "=")
		return !ok || name == "" || strings.HasPrefix(name, "-")
	})
	if i < 0 {
		return args, nil
	}
	return args[:i], args[i:]
}

// read feeds every line of in to r. Lines that are not events are shown as they are.
func read(r *report, in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				r.add(e)
			} else {
				r.print(string(line))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
