package config

import (
	"errors"
	"net/url"
	"slices"
)

// brokerURL accepts the URL of an MQTT broker. A password has no place in it:
// it would be printed with the configuration.
func brokerURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains([]string{"mqtt", "mqtts", "ws", "wss"}, u.Scheme) || u.Hostname() == "" {
		return errors.New("must be a URL such as mqtts://host:8883, with mqtt, mqtts, ws or wss")
	}
	if u.User != nil {
		return errors.New("must be without user name and password: see mqttBrokerUsername and mqttBrokerPasswordFile")
	}
	return nil
}

// checkBroker judges the settings of an MQTT broker of somebody else's.
func (l *loader) checkBroker() {
	c := l.config
	if l.bad["mqttBroker"] {
		return
	}
	if c.MQTTBroker == "" {
		for name, value := range map[string]string{
			"mqttBrokerCAFile": c.MQTTBrokerCAFile, "mqttBrokerCertFile": c.MQTTBrokerCertFile, "mqttBrokerKeyFile": c.MQTTBrokerKeyFile,
			"mqttBrokerUsername": c.MQTTBrokerUsername, "mqttBrokerPasswordFile": c.MQTTBrokerPasswordFile,
		} {
			if value != "" {
				l.fault(name, value, "needs mqttBroker")
			}
		}
		return
	}
	if !l.bad["mqttListen"] && c.MQTTListen != Off {
		l.fault("mqttListen", c.MQTTListen, "must be off, or left out, with mqttBroker: devices connect to the broker")
	}
	if c.MQTTSListen != "" {
		l.fault("mqttsListen", c.MQTTSListen, "must be empty with mqttBroker: devices connect to the broker")
	}
	if c.MQTTBrokerCertFile == "" != (c.MQTTBrokerKeyFile == "") {
		l.fault("mqttBrokerKeyFile", c.MQTTBrokerKeyFile, "must be set together with mqttBrokerCertFile")
	}
	if c.MQTTBrokerUsername == "" && c.MQTTBrokerPasswordFile != "" {
		l.fault("mqttBrokerPasswordFile", c.MQTTBrokerPasswordFile, "needs mqttBrokerUsername")
	}
}
