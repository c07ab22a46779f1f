package config_test

import (
	"errors"
	"strings"
	"testing"

	"muster/internal/config"
)

func TestLimitsOfDevices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, value string
		fault      string // a part of the rule it breaks; empty if it is right
	}{
		{"mqttSessionExpiry", "168h", ""},
		{"mqttSessionExpiry", "168h1s", "from 1s to 168h"},
		{"mqttSessionExpiry", "0s", "from 1s to 168h"},
		{"mqttPublishRate", "0", ""},
		{"mqttPublishRate", "-1", "from 0 to 1000000"},
		{"mqttPublishRate", "1.5", "a whole number"},
		{"mqttQueueMessages", "16384", ""},
		{"mqttQueueMessages", "16385", "from 10 to 16384"},
		{"mqttQueueMessages", "9", "from 10 to 16384"},
		{"mqttQueueBytes", "1MiB", ""},
		{"mqttQueueBytes", "255KiB", "from 256KiB to 1024MiB"},
		{"mqttRetainedMessages", "100000", ""},
		{"mqttRetainedMessages", "0", "from 1 to 10000000"},
		{"mqttRetainedBytes", "1024MiB", ""},
		{"mqttRetainedBytes", "1025MiB", "from 256KiB to 1024MiB"},
		{"mqttSubscriptions", "1000", ""},
		{"mqttSubscriptions", "0", "from 1 to 1000"},
		{"mqttPending", "16", ""},
		{"mqttPending", "many", "from 16 to 1000000"},
	} {
		t.Run(tt.key+" "+tt.value, func(t *testing.T) {
			t.Parallel()
			text := new(strings.Builder)
			loaded, err := config.Load(config.Input{Flags: map[string]string{tt.key: tt.value}})
			if tt.fault == "" {
				if err == nil {
					err = loaded.Print(text)
				}
				if err != nil || !strings.Contains(text.String(), "\n"+tt.key+` = "`+tt.value+`" # flag --mqtt-`) {
					t.Errorf("got %v, printed\n%s", err, text)
				}
				return
			}
			f, ok := errors.AsType[*config.Fault](err)
			if !ok || f.Key != tt.key || !strings.Contains(f.Limit, tt.fault) {
				t.Errorf("got %v, want that it must be %s", err, tt.fault)
			}
		})
	}
}
