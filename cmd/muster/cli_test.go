package main

import (
	"strings"
	"testing"
)

func TestHelpIsTheManual(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"help.txt":             nil,
		"help-serve.txt":       {"serve", "--help"},
		"help-demo.txt":        {"demo", "--help"},
		"help-keys-create.txt": {"keys", "create", "--help"},
		"help-migrate.txt":     {"migrate", "--help"},
		"help-jobs-create.txt": {"jobs", "create", "--help"},
		"help-jobs-watch.txt":  {"jobs", "watch", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, muster(t, args...).ok(t))
		})
	}
}

func TestUsageErrorsSayWhatIsWrongInOneLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"an unknown command", []string{"frobnicate"}, "unexpected argument frobnicate"},
		{"an unknown flag", []string{"serve", "--frob"}, "unknown flag --frob"},
		{"a missing argument", []string{"jobs", "describe"}, `expected "<id>"`},
		{"a form of output that does not exist", []string{"jobs", "list", "-o", "xml"}, "--output must be one of"},
		{"a job without targets", []string{"jobs", "create", "j", "--document", "{}"}, "missing flags: --targets=TARGET"},
		{"a job with two ids", []string{"jobs", "create", "j", "--targets", "thing/t", "k", "--document", "{}"}, "unexpected argument k"},
		{"a document that is not there", []string{"jobs", "create", "j", "--targets", "thing/t", "--document", "@/none"}, "document: open /none"},
		{"a malformed attribute", []string{"things", "list", "--attribute", "x"}, "must be NAME=VALUE"},
		{"an interval of nothing", []string{"jobs", "watch", "j", "--endpoint", "http://127.0.0.1:1", "--interval", "0s"}, "no credentials found"},
		{"a demo without devices", []string{"demo", "--devices", "0"}, "--devices must be from 1 to 5000"},
		{"a demo out of time", []string{"demo", "--speed", "NaN"}, "--speed must be from 0.1 to 100"},
		{"a server that does not run", []string{"jobs", "list", "--data", "/none"}, "no server runs on the data folder /none: start one with muster serve"},
		{"an endpoint that is no URL", []string{"jobs", "list", "--endpoint", "localhost"}, "no credentials found"},
		{"a setting that is out of bounds", []string{"serve", "--account", "1"}, `account = "1" (flag --account): must be 12 digits`},
		{"a configuration file that is not there", []string{"serve", "--config", "/none"}, "/none"},
		{"keys of no folder", []string{"keys", "list", "--data", "/none"}, "/none is not a data folder; muster init makes one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := muster(t, tt.args...)
			if got.code != exitFailure || !strings.Contains(got.stderr, tt.want) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got exit code %d and %q, want %d and one line with %q", got.code, got.stderr, exitFailure, tt.want)
			}
			if got.stdout != "" {
				t.Errorf("got output %q, want none", got.stdout)
			}
		})
	}
}

func TestVersionSaysWhatThisIs(t *testing.T) {
	t.Parallel()
	if got := muster(t, "version").ok(t); !strings.HasPrefix(got, "muster dev (go") {
		t.Errorf("got %q, want muster dev (go…", got)
	}
}

func TestNoServerIsSaidSo(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x", "MUSTER_ENDPOINT_URL": "http://127.0.0.1:1"}
	got := musterWith(t, env, "", "jobs", "list")
	want := "muster: no answer from http://127.0.0.1:1: connection refused; is the server running, and is this its address?\n"
	if got.code != exitFailure || got.stderr != want {
		t.Errorf("got exit code %d and %q, want %d and %q", got.code, got.stderr, exitFailure, want)
	}
}
