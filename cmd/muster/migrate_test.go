package main

import (
	"strings"
	"testing"

	"muster/internal/pgtest"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--status"}, "schema version 0: 1 pending, up to version 1\n"},
		{nil, "schema version 1: up to date\n"},
		{nil, "schema version 1: up to date\n"},
		{[]string{"--status"}, "schema version 1: up to date\n"},
	} {
		got := musterWith(t, map[string]string{"MUSTER_STORE": url}, "", append([]string{"migrate"}, c.args...)...).ok(t)
		if got != c.want {
			t.Errorf("migrate %s: got %q, want %q", c.args, got, c.want)
		}
	}
}

func TestMigrateMovesAnInstallation(t *testing.T) {
	t.Parallel()
	data, url := t.TempDir(), pgtest.URL(t)
	muster(t, "init", "--data", data).ok(t)
	muster(t, "keys", "create", "--data", data, "--name", "ci").ok(t)
	keys := listKeys(t, data)

	p, _ := serve(t, data)
	got := muster(t, "migrate", "--from", "sqlite:"+data, "--to", url)
	if got.code == 0 || !strings.Contains(got.stderr, "in use by another process") {
		t.Errorf("got %+v, want it refused while the server runs", got)
	}
	_ = p.stop(t)

	moved := muster(t, "migrate", "--from", "sqlite:"+data, "--to", url)
	if text := moved.ok(t); !strings.Contains(text, "access_keys") || !strings.Contains(text, "rows have been moved and checked") {
		t.Errorf("got %q, want a report", text)
	}
	if !strings.Contains(moved.stderr, "copying things") {
		t.Errorf("got %q, want to be told how far it is", moved.stderr)
	}
	after := muster(t, "keys", "list", "--data", data, "--store", url).ok(t)
	for id := range keys {
		if !strings.Contains(after, id) {
			t.Errorf("got %q, want key %s to be there", after, id)
		}
	}
	again := muster(t, "migrate", "--from", "sqlite:"+data, "--to", url)
	if again.code == 0 || !strings.Contains(again.stderr, "the target is not empty") {
		t.Errorf("got %+v, want it refused: the target is in use", again)
	}
}

func TestMigrateSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no database", nil, "give --store postgres://"},
		{"a source without a target", []string{"--from", "sqlite:x"}, "--to"},
		{"a source that is not SQLite", []string{"--from", "postgres://a/b", "--to", "postgres://c/d"}, "not sqlite:FOLDER"},
		{"a target that is not PostgreSQL", []string{"--from", "sqlite:x", "--to", "sqlite:y"}, "not a URL of the form postgres://"},
		{"a folder that is not there", []string{"--from", "sqlite:/none", "--to", "postgres://c/d"}, "/none is not a data folder"},
		{"a database that nobody serves", []string{"--store", "postgres://u@127.0.0.1:1/d"}, "cannot connect to 127.0.0.1:1, database \"d\", user \"u\": connection refused: is the server running"},
		{"its status", []string{"--status", "--store", "postgres://u@127.0.0.1:1/d"}, "cannot connect to 127.0.0.1:1"},
		{"a move and a status at once", []string{"--from", "sqlite:x", "--to", "postgres://c/d", "--status"}, "can't be used together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := muster(t, append([]string{"migrate"}, c.args...)...)
			if got.code == 0 || !strings.Contains(got.stderr, c.want) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got code %d and %q, want one line that says %q", got.code, got.stderr, c.want)
			}
		})
	}
}
