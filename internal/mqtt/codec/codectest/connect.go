package codectest

import "muster/internal/mqtt/codec"

func connects() []Fixture {
	return []Fixture{
		{
			Name: "the least that 3.1.1 can say", Version: codec.V311,
			Wire:   "\x10\x0c" + "\x00\x04MQTT\x04\x02\x00\x00" + "\x00\x00",
			Packet: &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: b("")},
		},
		{
			Name: "3.1.1 with all there is", Version: codec.V311,
			Wire: "\x10\x2a" + "\x00\x04MQTT\x04\xec\x04\xb0" + "\x00\x05dev-1" +
				"\x00\x06gone/1" + "\x00\x03bye" + "\x00\x04user" + "\x00\x04\x00\xff\x00\xff",
			Packet: &codec.Connect{
				Version: codec.V311, KeepAlive: 1200, ClientID: b("dev-1"),
				HasWill:  true,
				Will:     codec.Will{Message: codec.Message{Topic: b("gone/1"), Payload: b("bye"), QoS: codec.QoS1, Retain: true}},
				UserName: b("user"), Password: b("\x00\xff\x00\xff"),
			},
		},
		{
			Name: "fields without bytes are there", Version: codec.V311,
			Wire: "\x10\x16" + "\x00\x04MQTT\x04\xc6\x00\x3c" + "\x00\x01c" + "\x00\x01t" + "\x00\x00" + "\x00\x00" + "\x00\x00",
			Packet: &codec.Connect{
				Version: codec.V311, CleanStart: true, KeepAlive: 60, ClientID: b("c"),
				HasWill: true, Will: codec.Will{Message: codec.Message{Topic: b("t"), Payload: b("")}},
				UserName: b(""), Password: b(""),
			},
		},
		{
			Name: "the least that 5 can say", Version: codec.V5,
			Wire:   "\x10\x0d" + "\x00\x04MQTT\x05\x00\x00\x00" + "\x00" + "\x00\x00",
			Packet: &codec.Connect{Version: codec.V5, ClientID: b("")},
		},
		{
			Name: "5 with all there is", Version: codec.V5,
			Wire: "\x10\x7e" + "\x00\x04MQTT\x05\xee\x00\x1e" +
				"\x2e" + "\x11\x00\x00\x0e\x10" + "\x21\x00\x64" + "\x27\x00\x02\x48\x00" + "\x22\x00\x08" + "\x19\x01" + "\x17\x00" +
				"\x15\x00\x05SCRAM" + "\x16\x00\x02\x00\xff" + "\x26\x00\x01a\x00\x01b" + "\x26\x00\x01a\x00\x00" +
				"\x00\x05dev-1" +
				"\x2d" + "\x18\x00\x00\x00\x05" + "\x01\x01" + "\x02\x00\x00\x00\x3c" + "\x03\x00\x0atext/plain" +
				"\x08\x00\x05reply" + "\x09\x00\x02\x01\x02" + "\x26\x00\x01w\x00\x01v" +
				"\x00\x03t/1" + "\x00\x03bye" + "\x00\x01u" + "\x00\x01p",
			Packet: &codec.Connect{
				Version: codec.V5, CleanStart: true, KeepAlive: 30, ClientID: b("dev-1"),
				SessionExpiry: 3600, ReceiveMaximum: 100, MaximumPacketSize: 149504, TopicAliasMaximum: 8,
				RequestResponseInfo: true, NoProblemInfo: true, AuthMethod: b("SCRAM"), AuthData: b("\x00\xff"),
				User:    User("a", "b", "a", ""),
				HasWill: true,
				Will: codec.Will{
					Delay: 5,
					Message: codec.Message{
						Topic: b("t/1"), Payload: b("bye"), QoS: codec.QoS1, Retain: true, PayloadIsText: true,
						HasExpiry: true, Expiry: 60, ContentType: b("text/plain"), ResponseTopic: b("reply"),
						CorrelationData: b("\x01\x02"), User: User("w", "v"),
					},
				},
				UserName: b("u"), Password: b("p"),
			},
		},
		{
			Name: "5 may have a password without a user name", Version: codec.V5,
			Wire:   "\x10\x11" + "\x00\x04MQTT\x05\x40\x00\x00" + "\x00" + "\x00\x01c" + "\x00\x01p",
			Packet: &codec.Connect{Version: codec.V5, ClientID: b("c"), Password: b("p")},
		},
		{
			Name: "defaults that are spelled out are not written", Version: codec.V5,
			Wire: "\x10\x1a" + "\x00\x04MQTT\x05\x02\x00\x00" +
				"\x0c" + "\x17\x01" + "\x19\x00" + "\x22\x00\x00" + "\x11\x00\x00\x00\x00" + "\x00\x01c",
			Packet:    &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: b("c")},
			Canonical: "\x10\x0e" + "\x00\x04MQTT\x05\x02\x00\x00" + "\x00" + "\x00\x01c",
		},
		{
			Name: "user properties that stand apart keep their order", Version: codec.V5,
			Wire: "\x10\x28" + "\x00\x04MQTT\x05\x02\x00\x00" +
				"\x1a" + "\x26\x00\x01a\x00\x01x" + "\x21\x00\x01" + "\x26\x00\x01b\x00\x01y" + "\x17\x00" + "\x26\x00\x01c\x00\x01z" +
				"\x00\x01c",
			Packet: &codec.Connect{
				Version: codec.V5, CleanStart: true, ClientID: b("c"), ReceiveMaximum: 1, NoProblemInfo: true,
				User: User("a", "x", "b", "y", "c", "z"),
			},
			Canonical: "\x10\x28" + "\x00\x04MQTT\x05\x02\x00\x00" +
				"\x1a" + "\x21\x00\x01" + "\x17\x00" + "\x26\x00\x01a\x00\x01x" + "\x26\x00\x01b\x00\x01y" + "\x26\x00\x01c\x00\x01z" +
				"\x00\x01c",
		},
	}
}
