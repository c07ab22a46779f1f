package config_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/config"
)

// write makes a configuration file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muster.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// env is a Getenv from a map.
func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestNothingGivenIsTheDefault(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got.Config); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	if got.Endpoint != "127.0.0.1" || got.MasterKeyFile != filepath.Join("muster-data", "master.key") {
		t.Errorf("got endpoint %q and masterKeyFile %q, want them derived", got.Endpoint, got.MasterKeyFile)
	}
	if got.LogLevel != slog.LevelInfo || got.BodyLimit != 1<<20 || got.SkewWindow != 5*time.Minute || !got.Metrics {
		t.Errorf("got %+v, want the documented defaults", got.Config)
	}
}

func TestStrongerSourcesWin(t *testing.T) {
	t.Parallel()
	const file = `
region = "file-region-1"
account = "111111111111"
data = "file-data"
`
	vars := map[string]string{"MUSTER_REGION": "env-region-1", "MUSTER_ACCOUNT": "222222222222", "MUSTER_PORT": "tcp://10.0.0.1:80", "MUSTER_LISTEN": ""}
	flags := map[string]string{"region": "flag-region-1"}
	tests := []struct {
		name                  string
		in                    config.Input
		region, account, data string
	}{
		{"the file is over the defaults", config.Input{File: write(t, file)},
			"file-region-1", "111111111111", "file-data"},
		{"the environment is over the file", config.Input{File: write(t, file), Getenv: env(vars)},
			"env-region-1", "222222222222", "file-data"},
		{"flags are over everything", config.Input{File: write(t, file), Getenv: env(vars), Flags: flags},
			"flag-region-1", "222222222222", "file-data"},
		{"the environment can name the file", config.Input{Getenv: env(map[string]string{"MUSTER_CONFIG": write(t, file)})},
			"file-region-1", "111111111111", "file-data"},
		{"a named file is over the one that the environment names",
			config.Input{File: write(t, `region = "named-1"`), Getenv: env(map[string]string{"MUSTER_CONFIG": write(t, file)})},
			"named-1", "123456789012", "./muster-data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got.Region != tt.region || got.Account != tt.account || got.Data != tt.data || got.Listen != "127.0.0.1:8080" {
				t.Errorf("got region %q, account %q, data %q, listen %q", got.Region, got.Account, got.Data, got.Listen)
			}
		})
	}
}

func TestDerivedSettingsFollow(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		flags map[string]string
		check func(*config.Loaded) bool
	}{
		{"the master key lies in the data folder", map[string]string{"data": "/var/lib/muster"},
			func(l *config.Loaded) bool { return l.MasterKeyFile == "/var/lib/muster/master.key" }},
		{"a master key elsewhere stays there", map[string]string{"data": "/d", "masterKeyFile": "/run/key"},
			func(l *config.Loaded) bool { return l.MasterKeyFile == "/run/key" }},
		{"the endpoint is the listener's host", map[string]string{"listen": "localhost:9"},
			func(l *config.Loaded) bool { return l.Endpoint == "localhost" }},
		{"the endpoint of a listener on all addresses is the host", map[string]string{"listen": ":9", "insecureListen": "true"},
			func(l *config.Loaded) bool { return l.Endpoint == host }},
		{"the same for the zero address", map[string]string{"listen": "[::]:9", "insecureListen": "true"},
			func(l *config.Loaded) bool { return l.Endpoint == host }},
		{"the endpoint of a free port is the host, too", map[string]string{"listen": "127.0.0.1:0"},
			func(l *config.Loaded) bool { return l.Endpoint == "127.0.0.1" }},
		{"an endpoint that was set is never derived", map[string]string{"listen": "127.0.0.1:0", "endpoint": "iot.example.com"},
			func(l *config.Loaded) bool { return l.Endpoint == "iot.example.com" }},
		{"dev serves any region", map[string]string{"dev": "true", "anyRegion": "false"},
			func(l *config.Loaded) bool { return l.AnyRegion }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load(config.Input{Flags: tt.flags})
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(got) {
				t.Errorf("got %+v", got.Config)
			}
		})
	}
}

func TestValuesAtTheLimitsAreAccepted(t *testing.T) {
	t.Parallel()
	for key, values := range map[string][]string{
		"listen":              {"127.0.0.1:0", "127.255.0.1:65535", "[::1]:80", "localhost:8080", "[::ffff:127.0.0.1]:80"},
		"endpoint":            {"", "a", "iot.example.com", "iot.example.com:443", "10.0.0.1", "10.0.0.1:80", "::1", "[::1]:80"},
		"signedHost":          {"", "iot.example.com", "iot.example.com:8443"},
		"region":              {"x", "us-gov-west-1", "a" + strings.Repeat("1", 31)},
		"logLevel":            {"debug", "info", "warn", "error"},
		"logFormat":           {"text", "json"},
		"shutdownGrace":       {"0s", "1h", "1500ms"},
		"bodyLimit":           {"262144", "256KiB", "64MiB", "67108864"},
		"readHeaderTimeout":   {"100ms", "5m"},
		"idleTimeout":         {"1s", "1h0m0s"},
		"skewWindow":          {"1s", "15m"},
		"deleteThingTypeWait": {"0", "24h"},
		"metrics":             {"true", "false", "1", "0"},
	} {
		for _, v := range values {
			t.Run(key+" "+v, func(t *testing.T) {
				t.Parallel()
				if _, err := config.Load(config.Input{Flags: map[string]string{key: v}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestFaultsNameKeyValueSourceAndLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags map[string]string
		key   string
		limit string
	}{
		{"no data folder", map[string]string{"data": ""}, "data", "must not be empty"},
		{"an address without a port", map[string]string{"listen": "127.0.0.1"}, "listen", "host:port with a port from 0 to 65535"},
		{"a port that is none", map[string]string{"listen": "127.0.0.1:65536"}, "listen", "host:port with a port from 0 to 65535"},
		{"a service name as port", map[string]string{"listen": "127.0.0.1:http"}, "listen", "host:port with a port from 0 to 65535"},
		{"plain HTTP for everyone", map[string]string{"listen": "0.0.0.0:80"}, "listen", "set insecureListen = true"},
		{"plain HTTP on all addresses by omission", map[string]string{"listen": ":80"}, "listen", "set insecureListen = true"},
		{"plain HTTP on a name that others may know", map[string]string{"listen": "box.example.com:80"}, "listen", "set insecureListen = true"},
		{"dev mode for everyone", map[string]string{"listen": "0.0.0.0:80", "dev": "true", "insecureListen": "true"}, "listen", "because dev = true"},
		{"a switch that is neither", map[string]string{"insecureListen": "maybe"}, "insecureListen", "true or false"},
		{"an endpoint with a scheme", map[string]string{"endpoint": "http://x"}, "endpoint", "without a scheme"},
		{"an endpoint with a path", map[string]string{"endpoint": "x/y"}, "endpoint", "without a scheme or a path"},
		{"an endpoint with a port that is none", map[string]string{"endpoint": "x:http"}, "endpoint", "host or host:port"},
		{"a signed host with a scheme", map[string]string{"signedHost": "https://x"}, "signedHost", "without a scheme"},
		{"an account that is too short", map[string]string{"account": "12345678901"}, "account", "12 digits"},
		{"an account that is too long", map[string]string{"account": "1234567890123"}, "account", "12 digits"},
		{"an account with a letter", map[string]string{"account": "12345678901x"}, "account", "12 digits"},
		{"no region", map[string]string{"region": ""}, "region", "1 to 32 lower-case letters"},
		{"a region in capitals", map[string]string{"region": "US-EAST-1"}, "region", "1 to 32 lower-case letters"},
		{"a region that is too long", map[string]string{"region": strings.Repeat("a", 33)}, "region", "1 to 32"},
		{"anyRegion that is neither", map[string]string{"anyRegion": "x"}, "anyRegion", "true or false"},
		{"an unknown log level", map[string]string{"logLevel": "loud"}, "logLevel", "debug, info, warn or error"},
		{"an unknown log format", map[string]string{"logFormat": "xml"}, "logFormat", "text or json"},
		{"a grace below zero", map[string]string{"shutdownGrace": "-1s"}, "shutdownGrace", "from 0s to 1h"},
		{"a grace without a unit", map[string]string{"shutdownGrace": "10"}, "shutdownGrace", "with its unit"},
		{"a body limit below a job document", map[string]string{"bodyLimit": "262143"}, "bodyLimit", "from 256KiB to 64MiB"},
		{"a body limit that is too large", map[string]string{"bodyLimit": "65MiB"}, "bodyLimit", "from 256KiB to 64MiB"},
		{"a body limit beyond all numbers", map[string]string{"bodyLimit": "99999999999999999999MiB"}, "bodyLimit", "from 256KiB to 64MiB"},
		{"a body limit in a unit that is not known", map[string]string{"bodyLimit": "1MB"}, "bodyLimit", "512KiB, 2MiB"},
		{"a header timeout that is too short", map[string]string{"readHeaderTimeout": "99ms"}, "readHeaderTimeout", "from 100ms to 5m"},
		{"an idle timeout that is too long", map[string]string{"idleTimeout": "61m"}, "idleTimeout", "from 1s to 1h"},
		{"a skew window of nothing", map[string]string{"skewWindow": "0s"}, "skewWindow", "from 1s to 15m"},
		{"strictTerminal that is neither", map[string]string{"strictTerminal": ""}, "strictTerminal", "true or false"},
		{"a wait beyond a day", map[string]string{"deleteThingTypeWait": "25h"}, "deleteThingTypeWait", "from 0s to 24h"},
		{"metrics that is neither", map[string]string{"metrics": "on"}, "metrics", "true or false"},
		{"dev that is neither", map[string]string{"dev": "yes"}, "dev", "true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load(config.Input{Flags: tt.flags})
			if got != nil || err == nil {
				t.Fatalf("got %v, %v, want an error", got, err)
			}
			fault, ok := errors.AsType[*config.Fault](err)
			if !ok {
				t.Fatalf("got %v, want a *Fault", err)
			}
			if fault.Key != tt.key || fault.Value != tt.flags[tt.key] || !strings.HasPrefix(fault.Source, "flag --") || !strings.Contains(fault.Limit, tt.limit) {
				t.Errorf("got %+v, want key %s with its value from its flag and %q", fault, tt.key, tt.limit)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one fault only", err)
			}
		})
	}
}

func TestInsecureListenIsAChoice(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Input{Flags: map[string]string{"listen": "0.0.0.0:80", "insecureListen": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "0.0.0.0:80" {
		t.Errorf("got listen %q", got.Listen)
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	t.Parallel()
	path := write(t, `
acount = "123456789012"
insecure_listen = true
account = 123456789012
metrics = "true"
bodyLimit = 1.5
[limits]
x = 1
`)
	_, err := config.Load(config.Input{
		File:   path,
		Getenv: env(map[string]string{"MUSTER_REGION": "?", "MUSTER_SKEW_WINDOW": "soon"}),
		Flags:  map[string]string{"region": "!", "listen": "0.0.0.0:80"},
	})
	if err == nil {
		t.Fatal("got no error")
	}
	file := `(file "` + path + `"): `
	want := []string{
		`account = "123456789012" ` + file + `must be a string in quotes`,
		`bodyLimit = "1.5" ` + file + `must be a string with a unit, or a number of bytes`,
		`metrics = "true" ` + file + `must be true or false, without quotes`,
		`acount = "123456789012" ` + file + `is not a setting; did you mean account?`,
		`insecure_listen = "true" ` + file + `is not a setting; did you mean insecureListen?`,
		`limits = "map[x:1]" ` + file + `is not a setting`,
		`region = "?" (environment MUSTER_REGION): must be 1 to 32 lower-case letters, digits and hyphens, a letter first`,
		`region = "!" (flag --region): must be 1 to 32 lower-case letters, digits and hyphens, a letter first`,
		`skewWindow = "soon" (environment MUSTER_SKEW_WINDOW): must be a duration with its unit, from 1s to 15m`,
	}
	got := strings.Split(err.Error(), "\n")
	last := got[len(got)-1]
	if !strings.HasPrefix(last, `listen = "0.0.0.0:80" (flag --listen): must be a loopback address`) {
		t.Errorf("got %q last, want the fault of listen", last)
	}
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestUnreadableFilesAreNamed(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.toml")
	if _, err := config.Load(config.Input{File: missing}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want that %s does not exist", err, missing)
	}
	broken := write(t, "data = \"x\"\ndata = \"y\"\n")
	_, err := config.Load(config.Input{File: broken, Flags: map[string]string{"region": "!"}})
	if err == nil || !strings.Contains(err.Error(), broken) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "region") {
		t.Errorf("got %v, want file and line, and the other faults", err)
	}
}
