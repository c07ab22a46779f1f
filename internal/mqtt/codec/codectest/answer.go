package codectest

import "muster/internal/mqtt/codec"

func connacks() []Fixture {
	return []Fixture{
		{
			Name: "accepted with a session", Version: codec.V311,
			Wire:   "\x20\x02\x01\x00",
			Packet: &codec.Connack{SessionPresent: true},
		},
		{
			Name: "refused for its version", Version: codec.V311,
			Wire:   "\x20\x02\x00\x01",
			Packet: &codec.Connack{Reason: codec.UnsupportedVersion},
		},
		{
			Name: "not authorized", Version: codec.V311,
			Wire:   "\x20\x02\x00\x05",
			Packet: &codec.Connack{Reason: codec.NotAuthorized},
		},
		{
			Name: "accepted without a word", Version: codec.V5,
			Wire:   "\x20\x03\x00\x00\x00",
			Packet: &codec.Connack{},
		},
		{
			Name: "refused in 5", Version: codec.V5,
			Wire:   "\x20\x03\x00\x84\x00",
			Packet: &codec.Connack{Reason: codec.UnsupportedVersion},
		},
		{
			Name: "accepted with all there is", Version: codec.V5,
			Wire: "\x20\x4c\x01\x00" +
				"\x49" + "\x11\x00\x00\x0e\x10" + "\x21\x00\x64" + "\x24\x01" + "\x25\x00" + "\x27\x00\x02\x48\x00" +
				"\x12\x00\x02id" + "\x22\x00\x08" + "\x1f\x00\x02ok" + "\x28\x00" + "\x29\x00" + "\x2a\x00" + "\x13\x04\xb0" +
				"\x1a\x00\x04resp" + "\x1c\x00\x05other" + "\x15\x00\x05SCRAM" + "\x16\x00\x01\x00" + "\x26\x00\x01k\x00\x01v",
			Packet: &codec.Connack{
				SessionPresent: true, HasSessionExpiry: true, SessionExpiry: 3600, ReceiveMaximum: 100,
				HasMaximumQoS: true, MaximumQoS: codec.QoS1, NoRetain: true, MaximumPacketSize: 149504,
				AssignedClientID: b("id"), TopicAliasMaximum: 8, ReasonString: b("ok"),
				NoWildcards: true, NoSubscriptionIDs: true, NoShared: true,
				HasServerKeepAlive: true, ServerKeepAlive: 1200,
				ResponseInfo: b("resp"), ServerReference: b("other"), AuthMethod: b("SCRAM"), AuthData: b("\x00"), User: User("k", "v"),
			},
		},
		{
			Name: "zero is a value where absence is not zero", Version: codec.V5,
			Wire: "\x20\x0d\x00\x00" + "\x0a" + "\x11\x00\x00\x00\x00" + "\x24\x00" + "\x13\x00\x00",
			Packet: &codec.Connack{
				HasSessionExpiry: true, HasMaximumQoS: true, MaximumQoS: codec.QoS0, HasServerKeepAlive: true,
			},
		},
		{
			Name: "what is there anyway is not written", Version: codec.V5,
			Wire:      "\x20\x0b\x00\x00" + "\x08" + "\x25\x01" + "\x28\x01" + "\x29\x01" + "\x2a\x01",
			Packet:    &codec.Connack{},
			Canonical: "\x20\x03\x00\x00\x00",
		},
	}
}

func others() []Fixture {
	return []Fixture{
		{Name: "ping", Version: codec.V311, Wire: "\xc0\x00", Packet: &codec.Pingreq{}},
		{Name: "ping in 5", Version: codec.V5, Wire: "\xc0\x00", Packet: &codec.Pingreq{}},
		{Name: "answer to a ping", Version: codec.V311, Wire: "\xd0\x00", Packet: &codec.Pingresp{}},
		{Name: "answer to a ping in 5", Version: codec.V5, Wire: "\xd0\x00", Packet: &codec.Pingresp{}},
		{Name: "end of a connection", Version: codec.V311, Wire: "\xe0\x00", Packet: &codec.Disconnect{}},
		{Name: "end of a connection in 5", Version: codec.V5, Wire: "\xe0\x00", Packet: &codec.Disconnect{}},
		{
			Name: "end with the will published", Version: codec.V5,
			Wire:   "\xe0\x01\x04",
			Packet: &codec.Disconnect{Reason: codec.DisconnectWithWill},
		},
		{
			Name: "end that makes the session last", Version: codec.V5,
			Wire:   "\xe0\x07\x00" + "\x05\x11\x00\x00\x00\x00",
			Packet: &codec.Disconnect{HasSessionExpiry: true},
		},
		{
			Name: "server sends its clients away", Version: codec.V5,
			Wire: "\xe0\x15\x9c" + "\x13" + "\x1f\x00\x02no" + "\x1c\x00\x04else" + "\x26\x00\x01k\x00\x01v",
			Packet: &codec.Disconnect{
				Reason: codec.UseAnotherServer, ReasonString: b("no"), ServerReference: b("else"), User: User("k", "v"),
			},
		},
		{Name: "authentication succeeded", Version: codec.V5, Wire: "\xf0\x00", Packet: &codec.Auth{}},
		{
			Name: "authentication goes on", Version: codec.V5,
			Wire: "\xf0\x16\x18" + "\x14" + "\x15\x00\x01M" + "\x16\x00\x02\x00\x01" + "\x1f\x00\x03why" + "\x26\x00\x00\x00\x00",
			Packet: &codec.Auth{
				Reason: codec.ContinueAuthentication, Method: b("M"), Data: b("\x00\x01"), ReasonString: b("why"), User: User("", ""),
			},
		},
	}
}
