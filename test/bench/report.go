package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// verdict says whether a goal was met.
type verdict string

const (
	noGoal verdict = ""
	met    verdict = "met"
	missed verdict = "MISSED"
)

// judge returns the verdict of a condition.
func judge(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

// entry is one line of the report.
type entry struct {
	row, what, raw, muster, ratio, goal string
	verdict                             verdict
	p50, p99                            string
}

var heads = []string{"row", "measured", "raw limit", "Muster", "ratio", "goal", "", "p50", "p99"}

func (e entry) cells() []string {
	return []string{e.row, e.what, e.raw, e.muster, e.ratio, e.goal, string(e.verdict), e.p50, e.p99}
}

// report is what a run has found.
type report struct {
	conditions []string
	entries    []entry
	notes      []string // what stands behind the figures, a line each
}

func (r *report) add(e entry) { r.entries = append(r.entries, e) }

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// missed returns how many goals were missed.
func (r *report) missed() int {
	n := 0
	for _, e := range r.entries {
		if e.verdict == missed {
			n++
		}
	}
	return n
}

// text prints the report for a terminal.
func (r *report) text(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", strings.Join(r.conditions, "\n"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(heads, "\t"))
	for _, e := range r.entries {
		fmt.Fprintln(t, strings.Join(dashed(e.cells()), "\t"))
	}
	err := t.Flush()
	fmt.Fprintf(w, "\n%s\n", strings.Join(r.notes, "\n"))
	return err
}

// markdown prints the report as a part of a document.
func (r *report) markdown(w io.Writer) error {
	for _, c := range r.conditions {
		fmt.Fprintf(w, "- %s\n", c)
	}
	rule := slices.Repeat([]string{"---"}, len(heads))
	fmt.Fprintf(w, "\n| %s |\n| %s |\n", strings.Join(heads, " | "), strings.Join(rule, " | "))
	for _, e := range r.entries {
		fmt.Fprintf(w, "| %s |\n", strings.Join(e.cells(), " | "))
	}
	fmt.Fprintln(w)
	for _, n := range r.notes {
		fmt.Fprintf(w, "- %s\n", n)
	}
	return nil
}

// dashed puts a dash where a cell is empty, for the eye.
func dashed(cells []string) []string {
	for i, c := range cells {
		if c == "" {
			cells[i] = "-"
		}
	}
	return cells
}

// perSecond prints a rate.
func perSecond(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.1fk/s", v/1000)
	}
	return fmt.Sprintf("%.0f/s", v)
}

// short prints a duration with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
}

// spread prints the median of some values and, if there are several, the least and the greatest.
func spread(values []float64, print func(float64) string) string {
	if len(values) < 2 {
		return print(middle(values))
	}
	return fmt.Sprintf("%s (%s–%s)", print(middle(values)), print(slices.Min(values)), print(slices.Max(values)))
}

// ratio prints a ratio.
func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

// duration prints seconds as a duration.
func duration(seconds float64) string { return short(time.Duration(seconds * float64(time.Second))) }

// mebibytes prints a size; "" if it is unknown.
func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}
