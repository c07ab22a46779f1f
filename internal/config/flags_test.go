package config_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"muster/internal/config"
)

// parse runs a command line through kong, as muster serve does, and returns
// the flags that were given and what kong printed.
func parse(t *testing.T, args ...string) (map[string]string, string) {
	t.Helper()
	flags := config.NewFlags()
	var cli struct {
		Serve struct {
			kong.Plugins
		} `cmd:""`
	}
	cli.Serve.Plugins = kong.Plugins{flags.Struct()}
	var out bytes.Buffer
	parser, err := kong.New(&cli, kong.Writers(&out, &out), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"serve"}, args...)); err != nil {
		t.Fatal(err)
	}
	return flags.Given(), out.String()
}

func TestFlagsThatWereGiven(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want map[string]string
	}{
		{"none", nil, map[string]string{}},
		{"text, as it is", []string{"--listen", "127.0.0.1:1", "--body-limit=x"}, map[string]string{"listen": "127.0.0.1:1", "bodyLimit": "x"}},
		{"empty text is given text", []string{"--endpoint="}, map[string]string{"endpoint": ""}},
		{"switches need no value", []string{"--any-region", "--strict-terminal"}, map[string]string{"anyRegion": "true", "strictTerminal": "true"}},
		{"switches can be off", []string{"--no-metrics", "--dev=false"}, map[string]string{"metrics": "false", "dev": "false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := parse(t, tt.args...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Given (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelpNamesDefaultAndVariable(t *testing.T) {
	t.Parallel()
	_, help := parse(t, "--help")
	for _, want := range []string{"--data=./muster-data", "($MUSTER_DATA)", "--[no-]metrics", "--delete-thing-type-wait=5m", "Serve /metrics"} {
		if !strings.Contains(help, want) {
			t.Errorf("got\n%s\nwant %q in it", help, want)
		}
	}
}
