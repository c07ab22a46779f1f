package main

import (
	"strings"
	"testing"
)

// TestServeSaysWhyThereIsNoDatabase on one line, without the password.
func TestServeSaysWhyThereIsNoDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, store, want string }{
		{"nobody listens", "postgres://u:hunter2@127.0.0.1:1/d", `cannot connect to 127.0.0.1:1, database "d", user "u": connection refused: is the server running`},
		{"a mode that makes wrong answers", "postgres://u:hunter2@127.0.0.1:1/d?default_query_exec_mode=exec", "default_query_exec_mode=cache_describe"},
		{"a password that ends the address", "postgres://u:hun/ter2@127.0.0.1:1/d", "must be a URL such as postgres://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := musterWith(t, map[string]string{"MUSTER_STORE": c.store}, "", "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0")
			if got.code == 0 || !strings.Contains(got.stderr, c.want) || strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "ter2") {
				t.Errorf("got code %d and %q, want one line that says %q", got.code, got.stderr, c.want)
			}
		})
	}
}
