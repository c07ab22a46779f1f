package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
)

// outputFlags say in which form a command prints what it has got.
type outputFlags struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"Form of the output: table for people, json as the API has it."`
}

func (f outputFlags) json() bool { return f.Output == "json" }

// printJSON writes a value for programs to read.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// done prints the answer of a change: the sentence for people, or the API's.
func (f outputFlags) done(sys system, answer any, sentence string, args ...any) error {
	if f.json() {
		return printJSON(sys.stdout, answer)
	}
	_, err := fmt.Fprintf(sys.stdout, sentence+"\n", args...)
	return err
}

// each does something to one name after another, up to the first that fails, and
// prints what came of it: a sentence each as it happens, or one list of the
// answers under the given key, of those that were done if one fails.
func each[T any](sys system, f outputFlags, key string, names []string, do func(name string) (T, error), sentence func(name string) string) error {
	done := make([]T, 0, len(names))
	var failed error
	for _, name := range names {
		var answer T
		if answer, failed = do(name); failed != nil {
			break
		}
		done = append(done, answer)
		if !f.json() {
			fmt.Fprintln(sys.stdout, sentence(name))
		}
	}
	if f.json() {
		return errors.Join(failed, printJSON(sys.stdout, map[string][]T{key: done}))
	}
	return failed
}

// pageSize is how many elements of a list are asked for at a time: as many as
// every list allows.
const pageSize = 250

// fields writes names and values in two columns. Rows without a value are left out.
func fields(w io.Writer, rows [][2]string) error {
	t := newTable(w)
	for _, r := range rows {
		if r[1] != "" {
			t.row(r[0], r[1])
		}
	}
	return t.flush()
}

// table writes columns as wide as they must be, without spaces at the ends of lines.
type table struct {
	w    io.Writer
	text *strings.Builder // what the rows since the last flush have come to
	rows *tabwriter.Writer
}

func newTable(w io.Writer) table {
	text := new(strings.Builder)
	return table{w: w, text: text, rows: tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)}
}

func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = clean(c)
	}
	fmt.Fprintln(t.rows, strings.Join(cells, "\t"))
}

func (t table) flush() error {
	if err := t.rows.Flush(); err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(t.text.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	t.text.Reset()
	_, err := io.WriteString(t.w, out.String())
	return err
}

// tableChunk is how many rows share the widths of their columns. A list may be
// too long to be held.
const tableChunk = pageSize

// list prints elements as they come: in a table, one row each, or as the API's
// list with the given name.
func list[T any](sys system, f outputFlags, name string, elements iter.Seq2[T, error], header []string, row func(T) []string) error {
	if f.json() {
		return listJSON(sys.stdout, name, elements)
	}
	t := newTable(sys.stdout)
	n := 0
	for e, err := range elements {
		if err != nil {
			_ = t.flush() // what there is, though the list is not complete
			return err
		}
		if n == 0 {
			t.row(header...)
		}
		t.row(row(e)...)
		if n++; n%tableChunk == 0 {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		fmt.Fprintf(sys.stderr, "no %s\n", strings.ToLower(header[0])+"s")
	}
	return t.flush()
}

func listJSON[T any](w io.Writer, name string, elements iter.Seq2[T, error]) error {
	fmt.Fprintf(w, "{\n  %q: [", name)
	separator := "\n    "
	for e, err := range elements {
		if err != nil {
			return err // the text stays incomplete, so that nobody takes it for all
		}
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("    ", "  ")
		if err := enc.Encode(e); err != nil {
			return err
		}
		fmt.Fprint(w, separator, strings.TrimSpace(b.String()))
		separator = ",\n    "
	}
	_, err := fmt.Fprint(w, "\n  ]\n}\n")
	return err
}

// all yields the elements of a list that came in one piece.
func all[T any](elements []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, e := range elements {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// timestamp returns a time in milliseconds since the Unix epoch for people, ""
// for never.
func timestamp[T ~int64](ms T) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05Z")
}

// nameOf returns the last part of an ARN: the name of a thing, group or job.
func nameOf(arn string) string {
	return arn[strings.LastIndexByte(arn, '/')+1:]
}
