package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []string
		want string
	}{
		{
			name: "subtests are counted instead of their parents",
			in: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"run","Package":"p","Test":"TestA/y"}`,
				`{"Action":"output","Package":"p","Test":"TestA/y","Output":"noise\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/y"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: "ok  \tp\t0.1s\n2 passed, 0 failed, 0 skipped in 0s\n",
		},
		{
			name: "a failed subtest shows its output and is counted once",
			in: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"output","Package":"p","Test":"TestA/x","Output":"=== RUN   TestA/x\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA/x","Output":"    got 1, want 2\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "    got 1, want 2\nFAIL\tp\t0.1s\n0 passed, 1 failed, 0 skipped in 0s\n",
		},
		{
			name: "a parent that fails beside its passing subtests counts, whatever else failed",
			in: []string{
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p","Test":"TestB"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "1 passed, 2 failed, 0 skipped in 0s\n",
		},
		{
			name: "a package that does not build is one failure",
			in: []string{
				`{"ImportPath":"p","Action":"build-output","Output":"x.go:1: undefined: y\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			},
			want: "x.go:1: undefined: y\nFAIL\tp [build failed]\n0 passed, 1 failed, 0 skipped in 0s\n",
		},
		{
			name: "a test cut short by a panic shows what it said",
			in: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "panic: boom\nFAIL\tp\t0.1s\n0 passed, 1 failed, 0 skipped in 0s\n",
		},
		{
			name: "a skipped test is named with its reason",
			in: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:9: needs root\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: "skipped: p TestA: a_test.go:9: needs root\n0 passed, 0 failed, 1 skipped in 0s\n",
		},
		{
			name: "packages without tests are not worth a line",
			in: []string{
				`{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}`,
				`{"Action":"skip","Package":"p"}`,
			},
			want: "0 passed, 0 failed, 0 skipped in 0s\n",
		},
		{
			name: "lines that are not events are shown as they are",
			in:   []string{"go: downloading x"},
			want: "go: downloading x\n0 passed, 0 failed, 0 skipped in 0s\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r := newReport(&out)
			if err := read(r, strings.NewReader(strings.Join(tt.in, "\n")+"\n")); err != nil {
				t.Fatal(err)
			}
			r.finish(time.Millisecond)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	var got [][]string
	for g := range groups([]string{"-v", "./a", "--", "-race", "./b"}) {
		got = append(got, g)
	}
	if diff := cmp.Diff([][]string{{"-v", "./a"}, {"-race", "./b"}}, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestVariablesComeBeforeArguments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, vars, rest string }{
		{"", "", ""},
		{"-race ./...", "", "-race ./..."},
		{"-run=A=B ./...", "", "-run=A=B ./..."},
		{"A=1 B= -run=C ./...", "A=1 B=", "-run=C ./..."},
		{"A=1", "A=1", ""},
	} {
		vars, rest := environment(strings.Fields(tt.args))
		if got := strings.Join(vars, " "); got != tt.vars {
			t.Errorf("%q: got variables %q, want %q", tt.args, got, tt.vars)
		}
		if got := strings.Join(rest, " "); got != tt.rest {
			t.Errorf("%q: got arguments %q, want %q", tt.args, got, tt.rest)
		}
	}
}
