package codectest

import "muster/internal/mqtt/codec"

func publishFaults() []Fault {
	return []Fault{
		{Name: "QoS 2", Version: codec.V311, Wire: "\x34\x05" + "\x00\x01t" + "\x00\x01", Reason: codec.QoSNotSupported},
		{Name: "QoS 2 in 5", Version: codec.V5, Wire: "\x3c\x06" + "\x00\x01t" + "\x00\x01" + "\x00", Reason: codec.QoSNotSupported},
		{Name: "message without anything", Version: codec.V311, Wire: "\x30\x00", Reason: codec.MalformedPacket},
		{Name: "ends in the topic", Version: codec.V311, Wire: "\x30\x03" + "\x00\x02t", Reason: codec.MalformedPacket},
		{Name: "ends before the packet id", Version: codec.V311, Wire: "\x32\x03" + "\x00\x01t", Reason: codec.MalformedPacket},
		{Name: "ends in the packet id", Version: codec.V311, Wire: "\x32\x04" + "\x00\x01t" + "\x01", Reason: codec.MalformedPacket},
		{Name: "packet id 0", Version: codec.V311, Wire: "\x32\x05" + "\x00\x01t" + "\x00\x00", Reason: codec.ProtocolError, Rule: "MQTT-2.2.1-3"},
		{Name: "no topic", Version: codec.V311, Wire: "\x30\x02" + "\x00\x00", Reason: codec.ProtocolError, Rule: "MQTT-4.7.3-1"},
		{Name: "neither topic nor alias", Version: codec.V5, Wire: "\x30\x03" + "\x00\x00" + "\x00", Reason: codec.ProtocolError, Rule: "MQTT-4.7.3-1"},
		{Name: "to every topic below", Version: codec.V311, Wire: "\x30\x05" + "\x00\x03a/#", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.0-1"},
		{Name: "to every topic of a level", Version: codec.V5, Wire: "\x30\x0f" + "\x00\x0caaaaaaaa/+/b" + "\x00", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.0-1"},
		{Name: "topic with a null character", Version: codec.V311, Wire: "\x30\x0c" + "\x00\x0aaaaaaaaaa\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-2"},
		{Name: "topic that is not UTF-8", Version: codec.V311, Wire: "\x30\x0c" + "\x00\x0aaaaaaaaaa\xff", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "topic that ends inside a character", Version: codec.V311, Wire: "\x30\x04" + "\x00\x02a\xc3", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "topic above the last character", Version: codec.V311, Wire: "\x30\x06" + "\x00\x04\xf4\x90\x80\x80", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "ends before the properties", Version: codec.V5, Wire: "\x30\x03" + "\x00\x01t", Reason: codec.MalformedPacket},
		{Name: "topic alias 0", Version: codec.V5, Wire: "\x30\x07" + "\x00\x01t" + "\x03\x23\x00\x00", Reason: codec.TopicAliasInvalid, Rule: "MQTT-3.3.2-8"},
		{Name: "answer to a wildcard", Version: codec.V5, Wire: "\x30\x09" + "\x00\x01t" + "\x05\x08\x00\x02r#", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.0-1"},
		{Name: "answer to nowhere", Version: codec.V5, Wire: "\x30\x07" + "\x00\x01t" + "\x03\x08\x00\x00", Reason: codec.TopicNameInvalid, Rule: "MQTT-4.7.3-1"},
	}
}

// propertyFaults are about properties in general, shown by some packet.
func propertyFaults() []Fault {
	const topic = "\x00\x01t"
	return []Fault{
		{Name: "properties longer than the packet", Version: codec.V5, Wire: "\x30\x04" + topic + "\x01", Reason: codec.MalformedPacket},
		{Name: "length of the properties in five bytes", Version: codec.V5, Wire: "\x30\x08" + topic + "\x80\x80\x80\x80\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.5-1"},
		{Name: "length of the properties longer than it needs to be", Version: codec.V5, Wire: "\x30\x05" + topic + "\x80\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.5-1"},
		{Name: "property 0", Version: codec.V5, Wire: "\x30\x05" + topic + "\x01\x00", Reason: codec.MalformedPacket},
		{Name: "property that nobody knows", Version: codec.V5, Wire: "\x30\x06" + topic + "\x02\x2b\x00", Reason: codec.MalformedPacket},
		{Name: "property of two bytes", Version: codec.V5, Wire: "\x30\x07" + topic + "\x03\x81\x01\x00", Reason: codec.MalformedPacket},
		{Name: "property that ends inside its id", Version: codec.V5, Wire: "\x30\x05" + topic + "\x01\x81", Reason: codec.MalformedPacket},
		{Name: "property of another packet", Version: codec.V5, Wire: "\x30\x09" + topic + "\x05\x11\x00\x00\x00\x01", Reason: codec.MalformedPacket},
		{Name: "property that ends with the properties", Version: codec.V5, Wire: "\x30\x07" + topic + "\x02\x23\x00" + "\x01", Reason: codec.MalformedPacket},
		{Name: "text that goes on after the properties", Version: codec.V5, Wire: "\x30\x0a" + topic + "\x04\x03\x00\x02a" + "bc", Reason: codec.MalformedPacket},
		{Name: "number that ends too early", Version: codec.V5, Wire: "\x30\x08" + topic + "\x04\x02\x00\x00\x00", Reason: codec.MalformedPacket},
		{Name: "flag that ends too early", Version: codec.V5, Wire: "\x30\x05" + topic + "\x01\x01", Reason: codec.MalformedPacket},
		{Name: "pair without a value", Version: codec.V5, Wire: "\x30\x08" + topic + "\x04\x26\x00\x01k", Reason: codec.MalformedPacket},
		{Name: "pair with a null character in its value", Version: codec.V5, Wire: "\x30\x0b" + topic + "\x07\x26\x00\x01k\x00\x01\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-2"},
		{Name: "content type that is not UTF-8", Version: codec.V5, Wire: "\x30\x08" + topic + "\x04\x03\x00\x01\xff", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-1"},
		{Name: "property twice", Version: codec.V5, Wire: "\x30\x08" + topic + "\x04\x01\x00\x01\x00", Reason: codec.ProtocolError},
		{Name: "topic alias twice", Version: codec.V5, Wire: "\x30\x0a" + topic + "\x06\x23\x00\x01\x23\x00\x01", Reason: codec.ProtocolError},
		{Name: "payload format 2", Version: codec.V5, Wire: "\x30\x06" + topic + "\x02\x01\x02", Reason: codec.ProtocolError},
		{Name: "subscription id 0", Version: codec.V5, Wire: "\x30\x06" + topic + "\x02\x0b\x00", Reason: codec.ProtocolError},
		{Name: "subscription id of five bytes", Version: codec.V5, Wire: "\x30\x0a" + topic + "\x06\x0b\x80\x80\x80\x80\x01", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.5-1"},
		{Name: "receive maximum 0", Version: codec.V5, Wire: "\x10\x11" + "\x00\x04MQTT\x05\x02\x00\x00" + "\x03\x21\x00\x00" + "\x00\x01c", Reason: codec.ProtocolError},
		{Name: "maximum packet size 0", Version: codec.V5, Wire: "\x10\x13" + "\x00\x04MQTT\x05\x02\x00\x00" + "\x05\x27\x00\x00\x00\x00" + "\x00\x01c", Reason: codec.ProtocolError},
		{Name: "request for information that is neither yes nor no", Version: codec.V5, Wire: "\x10\x10" + "\x00\x04MQTT\x05\x02\x00\x00" + "\x02\x17\x02" + "\x00\x01c", Reason: codec.ProtocolError},
		{Name: "maximum QoS 2", Version: codec.V5, Wire: "\x20\x05\x00\x00" + "\x02\x24\x02", Reason: codec.ProtocolError},
	}
}
