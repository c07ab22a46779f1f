package archtest_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestImports holds the code to the table.
func TestImports(t *testing.T) {
	t.Parallel()
	problems, err := check(os.DirFS(".."), table)
	if err != nil {
		t.Fatal(err)
	}
	spare, err := unused(os.DirFS(".."), table)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat(problems, spare) {
		t.Error(p)
	}
}

// TestTable holds the table to itself: every row gives a reason, and what it
// allows is listed, not itself impure below a pure package, and never a circle.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, pkg := range slices.Sorted(maps.Keys(table)) {
		r := table[pkg]
		if r.why == "" {
			t.Errorf("%s: no reason given", pkg)
		}
		if !slices.IsSorted(r.imports) {
			t.Errorf("%s: imports are not sorted", pkg)
		}
		for _, imp := range r.imports {
			if _, ok := table[imp]; !ok {
				t.Errorf("%s: may import %s, which is not in the table", pkg, imp)
			}
			if r.pure && !table[imp].pure {
				t.Errorf("%s: is pure and may import %s, which is not", pkg, imp)
			}
		}
		if circle := reaches(pkg, pkg, nil); circle != nil {
			t.Errorf("%s: imports itself by %s", pkg, strings.Join(circle, " → "))
		}
	}
}

// TestEngineAndRegistryNeverMeet keeps the two from knowing each other by any way round.
func TestEngineAndRegistryNeverMeet(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"engine", "registry"}, {"registry", "engine"}} {
		if way := reaches(pair[0], pair[1], nil); way != nil {
			t.Errorf("%s reaches %s by %s", pair[0], pair[1], strings.Join(way, " → "))
		}
	}
}

// reaches returns a way from one package to another through the table, or nil.
func reaches(from, to string, way []string) []string {
	if slices.Contains(way, from) {
		return nil
	}
	way = append(way, from)
	for _, imp := range table[from].imports {
		if imp == to {
			return append(way, to)
		}
		if found := reaches(imp, to, way); found != nil {
			return found
		}
	}
	return nil
}

// TestCheck holds the checker to what it promises, since a checker that sees
// nothing passes everything.
func TestCheck(t *testing.T) {
	t.Parallel()
	rules := map[string]rule{
		"noun":         {pure: true, imports: []string{"fault"}, why: "the rules"},
		"fault":        {pure: true, why: "errors"},
		"engine":       {imports: []string{"noun"}, why: "transactions"},
		"still/absent": {why: "comes later"},
	}
	tests := []struct {
		name string
		file string
		src  string
		want string // part of the one problem; empty for none
	}{
		{"what the table allows passes", "noun/a.go", `package noun; import ("muster/internal/fault"; "net/url"; "time"); var _ time.Duration`, ""},
		{"an import outside the table is named with the reason", "noun/a.go", `package noun; import "muster/internal/engine"`, "internal/noun/a.go:1:22: noun must not import engine (noun: the rules)"},
		{"an unlisted package is told where to add itself", "extra/a.go", `package extra`, "internal/extra is not in the table: add a row"},
		{"an unlisted package below a listed one counts as unlisted", "noun/deep/a.go", `package deep`, "internal/noun/deep is not in the table"},
		{"nothing below internal imports a program", "engine/a.go", `package engine; import "muster/cmd/muster"`, "must not import muster/cmd/muster"},
		{"pure packages do no I/O", "noun/a.go", `package noun; import "os"`, "noun is pure and must not import os"},
		{"pure packages do no I/O by a subpackage", "noun/a.go", `package noun; import "net/http/httptest"`, "must not import net/http/httptest"},
		{"pure packages log nothing", "noun/a.go", `package noun; import "log/slog"`, "must not import log/slog"},
		{"pure packages use nothing foreign", "noun/a.go", `package noun; import "example.com/x"`, "only the standard library"},
		{"pure packages start no goroutine", "noun/a.go", `package noun; func f() { go f() }`, "starts no goroutine"},
		{"pure packages read no clock", "noun/a.go", `package noun; import "time"; var now = time.Now`, "time.Now"},
		{"pure packages read no clock under another name", "noun/a.go", `package noun; import clock "time"; func f() { clock.Sleep(1) }`, "time.Sleep"},
		{"a method that is called like a clock is none", "noun/a.go", `package noun; func f(x interface{ Now() int }) { x.Now() }`, ""},
		{"other packages have clocks, goroutines and I/O", "engine/a.go", `package engine; import ("os"; "time"; "example.com/x"); func f() { go f(); time.Now() }`, ""},
		{"tests import what they like", "noun/a_test.go", `package noun_test; import ("os"; "muster/internal/engine")`, ""},
		{"testdata is not code", "noun/testdata/a.go", `package x; import "os"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := check(fstest.MapFS{tt.file: {Data: []byte(tt.src)}}, rules)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("got %q, want no problem", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one problem with %q", got, tt.want)
			}
		})
	}
}

// TestUnused holds the search for spare rights to what it promises.
func TestUnused(t *testing.T) {
	t.Parallel()
	rules := map[string]rule{
		"engine": {imports: []string{"noun", "store"}},
		"noun":   {},
		"store":  {imports: []string{"noun"}},
		"gone":   {},
	}
	got, err := unused(fstest.MapFS{
		"engine/a.go":      {Data: []byte(`package engine; import "muster/internal/noun"`)},
		"engine/a_test.go": {Data: []byte(`package engine; import "muster/internal/store"`)},
		"noun/a.go":        {Data: []byte(`package noun`)},
		"store/a.go":       {Data: []byte(`package store`)},
		"store/b.go":       {Data: []byte(`package store; import n "muster/internal/noun"`)},
	}, rules)
	want := []string{
		"engine may import store and does not: take the right out",
		"gone is in the table and has no code: take its row out",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
}
