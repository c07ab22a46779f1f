package config_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"muster/internal/config"
)

// printed returns what --print-config shows for in.
func printed(t *testing.T, in config.Input) (*config.Loaded, string) {
	t.Helper()
	l, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.Print(&b); err != nil {
		t.Fatal(err)
	}
	return l, b.String()
}

func TestPrintNamesTheSourceOfEveryValue(t *testing.T) {
	t.Parallel()
	_, got := printed(t, config.Input{
		File:   write(t, "account = \"111111111111\"\n"),
		Getenv: env(map[string]string{"MUSTER_DATA": "d"}),
		Flags:  map[string]string{"dev": "true"},
	})
	for _, want := range []string{
		`data = "d" # environment MUSTER_DATA`,
		`account = "111111111111" # file "/`,
		`dev = true # flag --dev`,
		`anyRegion = true # from dev`,
		`masterKeyFile = "d/master.key" # from data`,
		`endpoint = "127.0.0.1" # from listen`,
		`bodyLimit = "1MiB" # default`,
		`idleTimeout = "2m" # default`,
		`logLevel = "info" # default`,
		"# serve /metrics\nmetrics = true # default\n",
	} {
		if !strings.Contains("\n"+got, "\n"+want) {
			t.Errorf("got\n%s\nwant a line %s", got, want)
		}
	}
}

func TestPrintedConfigurationsLoadAsTheyWere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags map[string]string
	}{
		{"the default", nil},
		{"every setting changed", map[string]string{
			"data": `a "b" \c` + "\n\x7f", "listen": "0.0.0.0:1", "insecureListen": "true", "endpoint": "x:1", "signedHost": "y:2", "account": "000000000000",
			"region": "eu-west-1", "anyRegion": "true", "masterKeyFile": "/k", "logLevel": "debug", "logFormat": "json",
			"shutdownGrace": "90s", "bodyLimit": "262145", "readHeaderTimeout": "1500ms", "idleTimeout": "61s",
			"mqttSessionExpiry": "168h", "mqttPublishRate": "7", "mqttQueueMessages": "11", "mqttQueueBytes": "257KiB",
			"mqttRetainedMessages": "12", "mqttRetainedBytes": "5MiB", "mqttSubscriptions": "13", "mqttPending": "17",
			"skewWindow": "1m30s", "strictTerminal": "true", "deleteThingTypeWait": "0", "metrics": "false",
		}},
		{"dev", map[string]string{"dev": "true"}},
		{"a port that is not known yet", map[string]string{"listen": "127.0.0.1:0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first, text := printed(t, config.Input{Flags: tt.flags})
			second, again := printed(t, config.Input{File: write(t, text)})
			if diff := cmp.Diff(first.Config, second.Config); diff != "" {
				t.Errorf("configuration (-first +second):\n%s\nprinted:\n%s", diff, text)
			}
			if strings.Count(text, "\n") != strings.Count(again, "\n") {
				t.Errorf("printed once:\n%s\nand again:\n%s", text, again)
			}
		})
	}
}

// keyOf returns the key of a field: MQTTListen is mqttListen, Data is data.
func keyOf(field string) string {
	n := strings.IndexFunc(field, unicode.IsLower)
	if n > 1 {
		n-- // the last capital begins the next word
	}
	return strings.ToLower(field[:n]) + field[n:]
}

func TestEveryFieldIsASetting(t *testing.T) {
	t.Parallel()
	_, text := printed(t, config.Input{})
	fields := reflect.TypeFor[config.Config]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		key := keyOf(name)
		if !strings.Contains("\n"+text, "\n"+key+" = ") {
			t.Errorf("field %s has no row %s in the table", name, key)
		}
	}
	if rows := strings.Count(text, " = "); rows != fields.NumField() {
		t.Errorf("got %d rows, want one for each of %d fields", rows, fields.NumField())
	}
}
