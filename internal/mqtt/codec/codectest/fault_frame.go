package codectest

import "muster/internal/mqtt/codec"

func frameFaults() []Fault {
	faults := []Fault{
		{Name: "type 0", Version: codec.V5, Wire: "\x00", Reason: codec.MalformedPacket},
		{Name: "request to a web server", Version: codec.V311, Wire: "GET / HTTP/1.1\r\n", Reason: codec.MalformedPacket, Rule: "MQTT-2.1.3-1"},
		{Name: "QoS 3", Version: codec.V5, Wire: "\x36", Reason: codec.MalformedPacket, Rule: "MQTT-3.3.1-4"},
		{Name: "QoS 0 sent again", Version: codec.V5, Wire: "\x38", Reason: codec.MalformedPacket, Rule: "MQTT-3.3.1-2"},
		{Name: "length of five bytes", Version: codec.V5, Wire: "\xc0\x80\x80\x80\x80", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.5-1"},
		{Name: "length that is longer than it needs to be", Version: codec.V311, Wire: "\xc0\x80\x00", Reason: codec.MalformedPacket, Rule: "MQTT-1.5.5-1"},
		{Name: "more than the limit", Version: codec.V5, Wire: "\x30\xfe\x07", Reason: codec.PacketTooLarge},
		{Name: "the longest packet that can be announced", Version: codec.V5, Wire: "\x10\xff\xff\xff\x7f", Reason: codec.PacketTooLarge},
		{Name: "packet with content that has none", Version: codec.V311, Wire: "\xc0\x01\x00", Reason: codec.MalformedPacket},
		{Name: "handshake of QoS 2, step 1", Version: codec.V5, Wire: "\x50\x02\x00\x01", Reason: codec.QoSNotSupported},
		{Name: "handshake of QoS 2, step 2", Version: codec.V311, Wire: "\x62\x02\x00\x01", Reason: codec.QoSNotSupported},
		{Name: "handshake of QoS 2, step 3, empty", Version: codec.V5, Wire: "\x70\x00", Reason: codec.QoSNotSupported},
		{Name: "type 15 in 3.1.1", Version: codec.V311, Wire: "\xf0\x00", Reason: codec.MalformedPacket},
	}
	// [MQTT-2.1.3-1] flags of all types but PUBLISH are fixed.
	for t := codec.TypeConnect; t <= codec.TypeAuth; t++ {
		want := byte(0)
		switch t {
		case codec.TypePublish:
			continue
		case codec.TypePubrel, codec.TypeSubscribe, codec.TypeUnsubscribe:
			want = 2
		}
		for flags := range byte(16) {
			if flags != want {
				faults = append(faults, Fault{
					Name: "reserved flags of " + t.String(), Version: codec.V5, Wire: string([]byte{byte(t)<<4 | flags}),
					Reason: codec.MalformedPacket, Rule: "MQTT-2.1.3-1",
				})
			}
		}
	}
	return faults
}
