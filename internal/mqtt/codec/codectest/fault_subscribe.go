package codectest

import "muster/internal/mqtt/codec"

func subscribeFaults() []Fault {
	return []Fault{
		{Name: "subscription without a packet id", Version: codec.V311, Wire: "\x82\x00", Reason: codec.MalformedPacket},
		{Name: "subscription with packet id 0", Version: codec.V311, Wire: "\x82\x06\x00\x00" + "\x00\x01a\x00", Reason: codec.ProtocolError, Rule: "MQTT-2.2.1-3"},
		{Name: "no filter", Version: codec.V311, Wire: "\x82\x02\x00\x01", Reason: codec.ProtocolError, Rule: "MQTT-3.8.3-2"},
		{Name: "no filter in 5", Version: codec.V5, Wire: "\x82\x03\x00\x01\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.8.3-2"},
		{Name: "filter without its options", Version: codec.V5, Wire: "\x82\x06\x00\x01\x00" + "\x00\x01a", Reason: codec.MalformedPacket},
		{Name: "filter without its QoS", Version: codec.V311, Wire: "\x82\x05\x00\x01" + "\x00\x01a", Reason: codec.MalformedPacket},
		{Name: "second filter without its options", Version: codec.V5, Wire: "\x82\x0a\x00\x01\x00" + "\x00\x01a\x00" + "\x00\x01b", Reason: codec.MalformedPacket},
		{Name: "ends in the filter", Version: codec.V5, Wire: "\x82\x06\x00\x01\x00" + "\x00\x02a", Reason: codec.MalformedPacket},
		{Name: "ends in the length of the filter", Version: codec.V5, Wire: "\x82\x04\x00\x01\x00" + "\x00", Reason: codec.MalformedPacket},
		{Name: "QoS 3 in 3.1.1", Version: codec.V311, Wire: "\x82\x06\x00\x01" + "\x00\x01a\x03", Reason: codec.MalformedPacket, Rule: "v3 MQTT-3-8.3-4"},
		{Name: "options of 5 in 3.1.1", Version: codec.V311, Wire: "\x82\x06\x00\x01" + "\x00\x01a\x05", Reason: codec.MalformedPacket, Rule: "v3 MQTT-3-8.3-4"},
		{Name: "QoS 3 in 5", Version: codec.V5, Wire: "\x82\x07\x00\x01\x00" + "\x00\x01a\x03", Reason: codec.ProtocolError},
		{Name: "retain handling 3", Version: codec.V5, Wire: "\x82\x07\x00\x01\x00" + "\x00\x01a\x30", Reason: codec.ProtocolError},
		{Name: "reserved option", Version: codec.V5, Wire: "\x82\x07\x00\x01\x00" + "\x00\x01a\x40", Reason: codec.MalformedPacket, Rule: "MQTT-3.8.3-5"},
		{Name: "shared, but not one's own", Version: codec.V5, Wire: "\x82\x10\x00\x01\x00" + "\x00\x0a$share/s/a\x04", Reason: codec.ProtocolError, Rule: "MQTT-3.8.3-4"},
		{Name: "subscription id twice", Version: codec.V5, Wire: "\x82\x0b\x00\x01" + "\x04\x0b\x01\x0b\x02" + "\x00\x01a\x00", Reason: codec.ProtocolError},
		{Name: "empty filter", Version: codec.V311, Wire: "\x82\x05\x00\x01" + "\x00\x00\x00", Reason: codec.TopicFilterInvalid, Rule: "MQTT-4.7.3-1"},
		{Name: "# before the end", Version: codec.V311, Wire: "\x82\x08\x00\x01" + "\x00\x03#/a\x00", Reason: codec.TopicFilterInvalid, Rule: "MQTT-4.7.1-1"},
		{Name: "+ with company", Version: codec.V5, Wire: "\x82\x0a\x00\x01\x00" + "\x00\x04a/b+\x00", Reason: codec.TopicFilterInvalid, Rule: "MQTT-4.7.1-2"},
		{Name: "filter with a null character", Version: codec.V311, Wire: "\x82\x07\x00\x01" + "\x00\x02a\x00\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.4-2"},
		{Name: "nothing to unsubscribe", Version: codec.V311, Wire: "\xa2\x02\x00\x01", Reason: codec.ProtocolError, Rule: "MQTT-3.10.3-2"},
		{Name: "nothing to unsubscribe in 5", Version: codec.V5, Wire: "\xa2\x03\x00\x01\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.10.3-2"},
		{Name: "unsubscribe with packet id 0", Version: codec.V5, Wire: "\xa2\x06\x00\x00\x00" + "\x00\x01a", Reason: codec.ProtocolError, Rule: "MQTT-2.2.1-3"},
		{Name: "unsubscribe ends in the filter", Version: codec.V311, Wire: "\xa2\x05\x00\x01" + "\x00\x02a", Reason: codec.MalformedPacket},
		{Name: "unsubscribe of a filter that cannot be", Version: codec.V311, Wire: "\xa2\x06\x00\x01" + "\x00\x02##", Reason: codec.TopicFilterInvalid, Rule: "MQTT-4.7.1-1"},
	}
}

func answerFaults() []Fault {
	return []Fault{
		{Name: "acknowledgement of nothing", Version: codec.V311, Wire: "\x40\x02\x00\x00", Reason: codec.ProtocolError, Rule: "MQTT-2.2.1-3"},
		{Name: "acknowledgement that ends too early", Version: codec.V5, Wire: "\x40\x01\x00", Reason: codec.MalformedPacket},
		{Name: "acknowledgement of 3.1.1 with a reason", Version: codec.V311, Wire: "\x40\x03\x00\x01\x00", Reason: codec.MalformedPacket},
		{Name: "acknowledgement with a reason of others", Version: codec.V5, Wire: "\x40\x03\x00\x01\x8e", Reason: codec.ProtocolError, Rule: "MQTT-3.4.2-1"},
		{Name: "acknowledgement with a reason that is none", Version: codec.V5, Wire: "\x40\x03\x00\x01\xff", Reason: codec.ProtocolError, Rule: "MQTT-3.4.2-1"},
		{Name: "acknowledgement that goes on", Version: codec.V5, Wire: "\x40\x05\x00\x01\x00\x00\x00", Reason: codec.MalformedPacket},
		{Name: "acknowledgement with two reason strings", Version: codec.V5, Wire: "\x40\x0a\x00\x01\x00" + "\x06\x1f\x00\x00\x1f\x00\x00", Reason: codec.ProtocolError},
		{Name: "accepted with reserved flags", Version: codec.V311, Wire: "\x20\x02\x02\x00", Reason: codec.MalformedPacket, Rule: "MQTT-3.2.2-1"},
		{Name: "return code 6", Version: codec.V311, Wire: "\x20\x02\x00\x06", Reason: codec.ProtocolError},
		{Name: "refused with a session", Version: codec.V311, Wire: "\x20\x02\x01\x05", Reason: codec.ProtocolError, Rule: "MQTT-3.2.2-6"},
		{Name: "refused in 5 with a session", Version: codec.V5, Wire: "\x20\x03\x01\x87\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.2.2-6"},
		{Name: "accepted with a reason of others", Version: codec.V5, Wire: "\x20\x03\x00\x04\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.2.2-8"},
		{Name: "accepted without properties", Version: codec.V5, Wire: "\x20\x02\x00\x00", Reason: codec.MalformedPacket},
		{Name: "granted with no code", Version: codec.V311, Wire: "\x90\x02\x00\x01", Reason: codec.ProtocolError, Rule: "v3 MQTT-3.9.3-2"},
		{Name: "granted with a code of 5", Version: codec.V311, Wire: "\x90\x03\x00\x01\x87", Reason: codec.ProtocolError, Rule: "v3 MQTT-3.9.3-2"},
		{Name: "granted QoS 3", Version: codec.V5, Wire: "\x90\x04\x00\x01\x00\x03", Reason: codec.ProtocolError, Rule: "MQTT-3.9.3-2"},
		{Name: "unsubscribed with no code", Version: codec.V5, Wire: "\xb0\x03\x00\x01\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.11.3-2"},
		{Name: "unsubscribed with codes in 3.1.1", Version: codec.V311, Wire: "\xb0\x03\x00\x01\x00", Reason: codec.MalformedPacket},
		{Name: "unsubscribed with a code of SUBACK", Version: codec.V5, Wire: "\xb0\x04\x00\x01\x00\x01", Reason: codec.ProtocolError, Rule: "MQTT-3.11.3-2"},
		{Name: "end with a reason in 3.1.1", Version: codec.V311, Wire: "\xe0\x01\x00", Reason: codec.MalformedPacket},
		{Name: "end with a reason of others", Version: codec.V5, Wire: "\xe0\x01\x84", Reason: codec.ProtocolError, Rule: "MQTT-3.14.2-1"},
		{Name: "end that goes on", Version: codec.V5, Wire: "\xe0\x03\x00\x00\x00", Reason: codec.MalformedPacket},
		{Name: "authentication without properties", Version: codec.V5, Wire: "\xf0\x01\x18", Reason: codec.MalformedPacket},
		{Name: "authentication without a method", Version: codec.V5, Wire: "\xf0\x02\x18\x00", Reason: codec.ProtocolError},
		{Name: "authentication with a reason of others", Version: codec.V5, Wire: "\xf0\x02\x04\x00", Reason: codec.ProtocolError, Rule: "MQTT-3.15.2-1"},
	}
}
