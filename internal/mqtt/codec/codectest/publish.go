package codectest

import "muster/internal/mqtt/codec"

func publishes() []Fixture {
	return []Fixture{
		{
			Name: "message of QoS 0", Version: codec.V311,
			Wire:   "\x30\x07" + "\x00\x03a/b" + "hi",
			Packet: &codec.Publish{Message: codec.Message{Topic: b("a/b"), Payload: b("hi")}},
		},
		{
			Name: "message of QoS 1, retained, sent again", Version: codec.V311,
			Wire: "\x3b\x09" + "\x00\x03a/b" + "\x12\x34" + "hi",
			Packet: &codec.Publish{
				Message: codec.Message{Topic: b("a/b"), Payload: b("hi"), QoS: codec.QoS1, Retain: true},
				Dup:     true, PacketID: 0x1234,
			},
		},
		{
			Name: "request without a payload", Version: codec.V311,
			Wire: "\x32\x23" + "\x00\x1f$aws/things/t/jobs/$next/get/ab" + "\x00\x01",
			Packet: &codec.Publish{
				Message:  codec.Message{Topic: b("$aws/things/t/jobs/$next/get/ab"), Payload: b(""), QoS: codec.QoS1},
				PacketID: 1,
			},
		},
		{
			Name: "control characters, noncharacters and a byte order mark are text", Version: codec.V311,
			Wire:   "\x30\x0b" + "\x00\x09\x01\x7f\xef\xbf\xbf\xef\xbb\xbfz",
			Packet: &codec.Publish{Message: codec.Message{Topic: b("\x01\x7f\uffff\ufeffz"), Payload: b("")}},
		},
		{
			Name: "message without properties", Version: codec.V5,
			Wire:   "\x30\x08" + "\x00\x03a/b" + "\x00" + "hi",
			Packet: &codec.Publish{Message: codec.Message{Topic: b("a/b"), Payload: b("hi")}},
		},
		{
			Name: "message with all there is", Version: codec.V5,
			Wire: "\x3b\x4a" + "\x00\x03a/b" + "\x00\x07" +
				"\x40" + "\x23\x00\x05" + "\x0b\x01" + "\x0b\xff\xff\xff\x7f" + "\x01\x01" + "\x02\x00\x00\x00\x00" +
				"\x03\x00\x10application/json" + "\x08\x00\x03r/1" + "\x09\x00\x00" +
				"\x26\x00\x01k\x00\x01v" + "\x26\x00\x01k\x00\x01w" + "\x26\x00\x00\x00\x00" + "{}",
			Packet: &codec.Publish{
				Message: codec.Message{
					Topic: b("a/b"), Payload: b("{}"), QoS: codec.QoS1, Retain: true, PayloadIsText: true,
					HasExpiry: true, ContentType: b("application/json"), ResponseTopic: b("r/1"), CorrelationData: b(""),
					User: User("k", "v", "k", "w", "", ""),
				},
				Dup: true, PacketID: 7, Alias: 5, SubscriptionIDs: []uint32{1, 1<<28 - 1},
			},
		},
		{
			Name: "alias in place of a topic", Version: codec.V5,
			Wire:   "\x30\x07" + "\x00\x00" + "\x03\x23\xff\xff" + "x",
			Packet: &codec.Publish{Message: codec.Message{Topic: b(""), Payload: b("x")}, Alias: 0xffff},
		},
		{
			Name: "subscription ids between other properties", Version: codec.V5,
			Wire: "\x30\x10" + "\x00\x01t" + "\x0c" + "\x0b\x02" + "\x26\x00\x00\x00\x00" + "\x0b\x01" + "\x23\x00\x01",
			Packet: &codec.Publish{
				Message: codec.Message{Topic: b("t"), Payload: b(""), User: User("", "")},
				Alias:   1, SubscriptionIDs: []uint32{2, 1},
			},
			Canonical: "\x30\x10" + "\x00\x01t" + "\x0c" + "\x23\x00\x01" + "\x0b\x02" + "\x0b\x01" + "\x26\x00\x00\x00\x00",
		},
	}
}

func pubacks() []Fixture {
	return []Fixture{
		{
			Name: "acknowledgement", Version: codec.V311,
			Wire:   "\x40\x02\x00\x07",
			Packet: &codec.Puback{PacketID: 7},
		},
		{
			Name: "acknowledgement in short", Version: codec.V5,
			Wire:   "\x40\x02\xff\xff",
			Packet: &codec.Puback{PacketID: 0xffff},
		},
		{
			Name: "success that is spelled out", Version: codec.V5,
			Wire:      "\x40\x04\x00\x07\x00\x00",
			Packet:    &codec.Puback{PacketID: 7},
			Canonical: "\x40\x02\x00\x07",
		},
		{
			Name: "refused message, properties left out", Version: codec.V5,
			Wire:   "\x40\x03\x00\x07\x87",
			Packet: &codec.Puback{PacketID: 7, Reason: codec.NotAuthorized},
		},
		{
			Name: "accepted message with properties", Version: codec.V5,
			Wire: "\x40\x10\x00\x07\x10" + "\x0c" + "\x1f\x00\x02no" + "\x26\x00\x01k\x00\x01v",
			Packet: &codec.Puback{
				PacketID: 7, Reason: codec.NoMatchingSubscribers, ReasonString: b("no"), User: User("k", "v"),
			},
		},
	}
}
