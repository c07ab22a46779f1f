package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/agent/handler"
)

// env is a Getenv from pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agent.conf")
	text := "# a comment\n\nendpoint = mqtt://file\nthing=file\nca = file\npoll = 5m\nhandlers-only = true\nallow-builtin = reboot.sh\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load([]string{"--endpoint", "mqtt://flag", "--once"},
		env("MUSTER_AGENT_CONFIG", file, "MUSTER_AGENT_ENDPOINT", "mqtt://env", "MUSTER_AGENT_THING", "env", "HOME", "/home/x",
			"STATE_DIRECTORY", "/state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		endpoint: "mqtt://flag", thing: "env", clientID: "env", ca: "file", poll: 5 * time.Minute, keepAlive: time.Minute,
		handlersOnly: true, allowBuiltin: "reboot.sh", once: true, config: file, stateDir: "/state", handlerDir: "/state/handlers",
	}
	if *s != want {
		t.Errorf("got %+v, want %+v", *s, want)
	}
}

func TestFaultsAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agent.conf")
	if err := os.WriteFile(file, []byte("nonsense\nspeed = 1\npoll = soon\nversion = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := load([]string{"--config", file, "--keep-alive=0s", "--allow-builtin", "reboot.sh,fly.sh"}, env("MUSTER_AGENT_ONCE", "perhaps"), nil)
	if !errors.Is(err, errUsage) {
		t.Fatalf("got error %v", err)
	}
	for _, want := range []string{
		"endpoint: required", "thing: required", "MUSTER_AGENT_ONCE", "keep-alive: must be", `allow-builtin: there is no built-in handler "fly.sh"`,
		"agent.conf:1: not NAME = VALUE", `agent.conf:2: unknown setting "speed"`, "agent.conf:3: poll", `agent.conf:4: unknown setting "version"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in: %v", want, err)
		}
	}
	for _, args := range [][]string{{"--nothing"}, {"extra"}, {"--config", file + ".none"}} {
		if _, err := load(args, env(), nil); !errors.Is(err, errUsage) {
			t.Errorf("%q: got error %v", args, err)
		}
	}
}

func TestBuiltins(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][]string{
		"": nil, "all": handler.Builtins(), "none": {}, "reboot.sh": {"reboot.sh"},
		"reboot.sh, stop-services.sh": {"reboot.sh", "stop-services.sh"},
	} {
		s := settings{allowBuiltin: value}
		if diff := cmp.Diff(want, s.builtins()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, env(), &out, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got error %v", err)
	}
	for _, want := range []string{"--endpoint URL --thing NAME", "-state-dir", "-handlers-only", "-allow-builtin", "reboot.sh"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the help:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := run(t.Context(), []string{"--version"}, env(), &out, &out); err != nil {
		t.Error(err)
	}
	if got := out.String(); got != "muster-agent dev\n" {
		t.Errorf("got %q", got)
	}
}
