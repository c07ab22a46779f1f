package codectest

import "muster/internal/mqtt/codec"

func connectFaults() []Fault {
	const (
		name = "\x00\x04MQTT"
		v311 = name + "\x04"
		v5   = name + "\x05"
	)
	return []Fault{
		{Name: "MQTT 3.1", Version: codec.V311, Wire: "\x10\x0f" + "\x00\x06MQIsdp\x03\x02\x00\x00" + "\x00\x01c", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-2"},
		{Name: "MQTT 3.1 under the new name", Version: codec.V311, Wire: "\x10\x0d" + name + "\x03\x02\x00\x00" + "\x00\x01c", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-2"},
		{Name: "MQTT 3.1.1 under the old name", Version: codec.V311, Wire: "\x10\x0f" + "\x00\x06MQIsdp\x04\x02\x00\x00" + "\x00\x01c", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-2"},
		{Name: "a version to come, of which only the beginning is understood", Version: codec.V5, Wire: "\x10\x09" + name + "\x06\xff\xff", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-2"},
		{Name: "bridge between brokers", Version: codec.V311, Wire: "\x10\x0d" + name + "\x84\x02\x00\x3c" + "\x00\x01c", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-2"},
		{Name: "another protocol", Version: 0, Wire: "\x10\x0c" + "\x00\x04AMQP\x04\x02\x00\x00" + "\x00\x00", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-1"},
		{Name: "protocol in small letters", Version: 0, Wire: "\x10\x0c" + "\x00\x04mqtt\x04\x02\x00\x00" + "\x00\x00", Reason: codec.UnsupportedVersion, Rule: "MQTT-3.1.2-1"},
		{Name: "nothing", Version: 0, Wire: "\x10\x00", Reason: codec.MalformedPacket},
		{Name: "ends in the name", Version: 0, Wire: "\x10\x05" + "\x00\x04MQT", Reason: codec.MalformedPacket},
		{Name: "ends before the level", Version: 0, Wire: "\x10\x06" + name, Reason: codec.MalformedPacket},
		{Name: "ends before the flags", Version: codec.V311, Wire: "\x10\x07" + v311, Reason: codec.MalformedPacket},
		{Name: "ends in the keep alive", Version: codec.V311, Wire: "\x10\x09" + v311 + "\x02\x00", Reason: codec.MalformedPacket},
		{Name: "ends before the properties", Version: codec.V5, Wire: "\x10\x0a" + v5 + "\x02\x00\x00", Reason: codec.MalformedPacket},
		{Name: "ends before the client id", Version: codec.V311, Wire: "\x10\x0a" + v311 + "\x02\x00\x00", Reason: codec.MalformedPacket},
		{Name: "ends in the client id", Version: codec.V311, Wire: "\x10\x0d" + v311 + "\x02\x00\x00" + "\x00\x02c", Reason: codec.MalformedPacket},
		{Name: "will is missing", Version: codec.V311, Wire: "\x10\x0d" + v311 + "\x06\x00\x00" + "\x00\x01c", Reason: codec.MalformedPacket},
		{Name: "user name is missing", Version: codec.V311, Wire: "\x10\x0d" + v311 + "\x82\x00\x00" + "\x00\x01c", Reason: codec.MalformedPacket},
		{Name: "password is missing", Version: codec.V311, Wire: "\x10\x10" + v311 + "\xc2\x00\x00" + "\x00\x01c" + "\x00\x01u", Reason: codec.MalformedPacket},
		{Name: "user name that the flags do not announce", Version: codec.V311, Wire: "\x10\x10" + v311 + "\x02\x00\x00" + "\x00\x01c" + "\x00\x01u", Reason: codec.MalformedPacket},
		{Name: "reserved flag", Version: codec.V5, Wire: "\x10\x0e" + v5 + "\x03\x00\x00" + "\x00" + "\x00\x01c", Reason: codec.MalformedPacket, Rule: "MQTT-3.1.2-3"},
		{Name: "QoS of no will", Version: codec.V311, Wire: "\x10\x0d" + v311 + "\x0a\x00\x00" + "\x00\x01c", Reason: codec.MalformedPacket, Rule: "MQTT-3.1.2-11"},
		{Name: "retain flag of no will", Version: codec.V5, Wire: "\x10\x0e" + v5 + "\x22\x00\x00" + "\x00" + "\x00\x01c", Reason: codec.MalformedPacket, Rule: "MQTT-3.1.2-13"},
		{Name: "will of QoS 3", Version: codec.V311, Wire: "\x10\x13" + v311 + "\x1e\x00\x00" + "\x00\x01c" + "\x00\x01t" + "\x00\x01m", Reason: codec.MalformedPacket, Rule: "MQTT-3.1.2-12"},
		{Name: "will of QoS 2", Version: codec.V311, Wire: "\x10\x13" + v311 + "\x16\x00\x00" + "\x00\x01c" + "\x00\x01t" + "\x00\x01m", Reason: codec.QoSNotSupported, Rule: "MQTT-3.2.2-12"},
		{Name: "will of QoS 2 in 5", Version: codec.V5, Wire: "\x10\x15" + v5 + "\x16\x00\x00" + "\x00" + "\x00\x01c" + "\x00" + "\x00\x01t" + "\x00\x01m", Reason: codec.QoSNotSupported, Rule: "MQTT-3.2.2-12"},
		{Name: "will without a topic", Version: codec.V311, Wire: "\x10\x12" + v311 + "\x06\x00\x00" + "\x00\x01c" + "\x00\x00" + "\x00\x01m", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.3-1"},
		{Name: "will to a wildcard", Version: codec.V5, Wire: "\x10\x15" + v5 + "\x06\x00\x00" + "\x00" + "\x00\x01c" + "\x00" + "\x00\x01#" + "\x00\x01m", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.0-1"},
		{Name: "will with a topic alias", Version: codec.V5, Wire: "\x10\x18" + v5 + "\x06\x00\x00" + "\x00" + "\x00\x01c" + "\x03\x23\x00\x01" + "\x00\x01t" + "\x00\x01m", Reason: codec.MalformedPacket},
		{Name: "will that is answered to a wildcard", Version: codec.V5, Wire: "\x10\x19" + v5 + "\x06\x00\x00" + "\x00" + "\x00\x01c" + "\x04\x08\x00\x01+" + "\x00\x01t" + "\x00\x01m", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.0-1"},
		{Name: "password without a user name", Version: codec.V311, Wire: "\x10\x10" + v311 + "\x42\x00\x00" + "\x00\x01c" + "\x00\x01p", Reason: codec.MalformedPacket, Rule: "v3 MQTT-3.1.2-22"},
		{Name: "empty client id that wants to last", Version: codec.V311, Wire: "\x10\x0c" + v311 + "\x00\x00\x00" + "\x00\x00", Reason: codec.ClientIDNotValid, Rule: "v3 MQTT-3.1.3-8"},
		{Name: "client id with a null character", Version: codec.V311, Wire: "\x10\x0d" + v311 + "\x02\x00\x00" + "\x00\x01\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-2"},
		{Name: "client id with a surrogate", Version: codec.V311, Wire: "\x10\x0f" + v311 + "\x02\x00\x00" + "\x00\x03\xed\xa0\x80", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "user name in a longer form than it needs", Version: codec.V311, Wire: "\x10\x11" + v311 + "\x82\x00\x00" + "\x00\x01c" + "\x00\x02\xc0\xaf", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "authentication data without a method", Version: codec.V5, Wire: "\x10\x12" + v5 + "\x02\x00\x00" + "\x04\x16\x00\x01x" + "\x00\x01c", Reason: codec.ProtocolError},
		{Name: "properties in 3.1.1", Version: codec.V311, Wire: "\x10\x0e" + v311 + "\x02\x00\x00" + "\x00" + "\x00\x01c", Reason: codec.MalformedPacket},
	}
}
