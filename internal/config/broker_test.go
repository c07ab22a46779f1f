package config_test

import (
	"errors"
	"strings"
	"testing"

	"muster/internal/config"
)

func TestSettingsOfABroker(t *testing.T) {
	t.Parallel()
	const url = "mqtts://broker:8883"
	tests := []struct {
		name  string
		flags map[string]string
		fault string // setting and a part of the rule it breaks; empty if it is right
	}{
		{"a broker alone", map[string]string{"mqttBroker": url}, ""},
		{"a broker by its address", map[string]string{"mqttBroker": "mqtt://[::1]"}, ""},
		{"a WebSocket", map[string]string{"mqttBroker": "wss://broker/path"}, ""},
		{"everything", map[string]string{
			"mqttBroker": url, "mqttBrokerMode": "single", "mqttBrokerCAFile": "a", "mqttBrokerCertFile": "c", "mqttBrokerKeyFile": "k",
			"mqttBrokerUsername": "u", "mqttBrokerPasswordFile": "p", "mqttListen": "off",
		}, ""},
		{"a user name without a password", map[string]string{"mqttBroker": url, "mqttBrokerUsername": "u"}, ""},
		{"no URL", map[string]string{"mqttBroker": "broker:1883"}, "mqttBroker must be a URL"},
		{"another protocol", map[string]string{"mqttBroker": "amqp://broker"}, "mqttBroker must be a URL"},
		{"a URL without a host", map[string]string{"mqttBroker": "mqtt://:1883"}, "mqttBroker must be a URL"},
		{"a password in the URL", map[string]string{"mqttBroker": "mqtt://u:hush@broker"}, "mqttBroker must be without user name and password"},
		{"a mode that is none", map[string]string{"mqttBroker": url, "mqttBrokerMode": "many"}, "mqttBrokerMode must be auto or shared or single"},
		{"a listener beside the broker", map[string]string{"mqttBroker": url, "mqttListen": "127.0.0.1:1883"}, "mqttListen must be off"},
		{"a TLS listener beside the broker", map[string]string{
			"mqttBroker": url, "mqttsListen": ":8883", "tlsCertFile": "c", "tlsKeyFile": "k", "deviceCAFile": "a",
		}, "mqttsListen must be empty"},
		{"a certificate without its key", map[string]string{"mqttBroker": url, "mqttBrokerCertFile": "c"}, "mqttBrokerKeyFile must be set together"},
		{"a password of nobody", map[string]string{"mqttBroker": url, "mqttBrokerPasswordFile": "p"}, "mqttBrokerPasswordFile needs mqttBrokerUsername"},
		{"a user name at no broker", map[string]string{"mqttBrokerUsername": "u"}, "mqttBrokerUsername needs mqttBroker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loaded, err := config.Load(config.Input{Flags: tt.flags})
			if tt.fault == "" {
				if err != nil {
					t.Fatal(err)
				}
				if loaded.MQTTListen != config.Off {
					t.Errorf("got mqttListen %q, want none beside the broker", loaded.MQTTListen)
				}
				return
			}
			f, ok := errors.AsType[*config.Fault](err)
			if !ok || !strings.HasPrefix(f.Key+" "+f.Limit, tt.fault) {
				t.Fatalf("got %v, want %q", err, tt.fault)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the fault shows a password: %v", err)
			}
		})
	}
}
