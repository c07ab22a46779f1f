package codec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/internal/mqtt/codec"
)

// properties is the table of the standard, told apart from that of the code: a
// value for each id, and the packets that may carry it, where W stands for a
// will. What is not here is no property.
var properties = map[byte]struct{ value, in string }{
	0x01: {"\x01", "PUBLISH W"},
	0x02: {"\x00\x00\x00\x00", "PUBLISH W"},
	0x03: {"\x00\x01t", "PUBLISH W"},
	0x08: {"\x00\x01t", "PUBLISH W"},
	0x09: {"\x00\x01\x00", "PUBLISH W"},
	0x0b: {"\x80\x01", "PUBLISH SUBSCRIBE"},
	0x11: {"\x00\x00\x00\x00", "CONNECT CONNACK DISCONNECT"},
	0x12: {"\x00\x01t", "CONNACK"},
	0x13: {"\x00\x00", "CONNACK"},
	0x15: {"\x00\x01t", "CONNECT CONNACK AUTH"},
	0x16: {"\x00\x01\x00", "CONNECT CONNACK AUTH"},
	0x17: {"\x00", "CONNECT"},
	0x18: {"\x00\x00\x00\x00", "W"},
	0x19: {"\x01", "CONNECT"},
	0x1a: {"\x00\x01t", "CONNACK"},
	0x1c: {"\x00\x01t", "CONNACK DISCONNECT"},
	0x1f: {"\x00\x01t", "CONNACK PUBACK SUBACK UNSUBACK DISCONNECT AUTH"},
	0x21: {"\xff\xff", "CONNECT CONNACK"},
	0x22: {"\x00\x00", "CONNECT CONNACK"},
	0x23: {"\xff\xff", "PUBLISH"},
	0x24: {"\x01", "CONNACK"},
	0x25: {"\x01", "CONNACK"},
	0x26: {"\x00\x01n\x00\x01v", "CONNECT CONNACK PUBLISH W PUBACK SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH"},
	0x27: {"\xff\xff\xff\xff", "CONNECT CONNACK"},
	0x28: {"\x00", "CONNACK"},
	0x29: {"\x00", "CONNACK"},
	0x2a: {"\x00", "CONNACK"},
}

// carriers are packets of MQTT 5 around their properties.
var carriers = map[string]struct {
	first         byte
	before, after string
}{
	"CONNECT":     {0x10, "\x00\x04MQTT\x05\x02\x00\x00", "\x00\x01c"},
	"W":           {0x10, "\x00\x04MQTT\x05\x06\x00\x00\x00\x00\x01c", "\x00\x01t\x00\x00"},
	"CONNACK":     {0x20, "\x00\x00", ""},
	"PUBLISH":     {0x30, "\x00\x01t", "payload"},
	"PUBACK":      {0x40, "\x00\x01\x00", ""},
	"SUBSCRIBE":   {0x82, "\x00\x01", "\x00\x01t\x00"},
	"SUBACK":      {0x90, "\x00\x01", "\x00"},
	"UNSUBSCRIBE": {0xa2, "\x00\x01", "\x00\x01t"},
	"UNSUBACK":    {0xb0, "\x00\x01", "\x00"},
	"DISCONNECT":  {0xe0, "\x00", ""},
	"AUTH":        {0xf0, "\x18", ""},
}

// decodeWith decodes the carrier with properties.
func decodeWith(t *testing.T, carrier, properties string) error {
	t.Helper()
	c := carriers[carrier]
	body := c.before + string([]byte{byte(len(properties))}) + properties + c.after
	f, _, err := codec.Cut([]byte(string([]byte{c.first, byte(len(body))})+body), limit)
	if err != nil {
		t.Fatal(err)
	}
	_, err = codec.Decode(f, codec.V5)
	return err
}

// TestPropertiesByPacket tries every id in every packet.
func TestPropertiesByPacket(t *testing.T) {
	t.Parallel()
	for carrier := range carriers {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			for id := range byte(0x80) {
				p, known := properties[id]
				value := p.value
				if !known {
					value = "\x01"
				}
				err := decodeWith(t, carrier, withMethod(carrier, id)+string([]byte{id})+value)
				want := codec.Success
				if !known || !contains(p.in, carrier) {
					want = codec.MalformedPacket
				}
				t.Run(fmt.Sprintf("%02x", id), func(t *testing.T) { wantReason(t, err, want) })
			}
		})
	}
}

func contains(carriers, carrier string) bool {
	return slices.Contains(strings.Fields(carriers), carrier)
}

// withMethod returns an authentication method where one is needed beside id.
func withMethod(carrier string, id byte) string {
	if id != 0x15 && (carrier == "AUTH" || carrier == "CONNECT" && id == 0x16) {
		return "\x15\x00\x01m"
	}
	return ""
}

// TestPropertiesTwice repeats every property where it may be once.
func TestPropertiesTwice(t *testing.T) {
	t.Parallel()
	for id, p := range properties {
		for carrier := range carriers {
			if !contains(p.in, carrier) {
				continue
			}
			property := string([]byte{id}) + p.value
			want := codec.ProtocolError
			if id == 0x26 || id == 0x0b && carrier == "PUBLISH" {
				want = codec.Success
			}
			err := decodeWith(t, carrier, withMethod(carrier, id)+property+property)
			t.Run(fmt.Sprintf("%02x in %s", id, carrier), func(t *testing.T) { wantReason(t, err, want) })
		}
	}
}

// TestPropertiesCutShort takes bytes off the end of every property.
func TestPropertiesCutShort(t *testing.T) {
	t.Parallel()
	for id, p := range properties {
		for carrier := range carriers {
			if !contains(p.in, carrier) {
				continue
			}
			for n := range len(p.value) {
				if err := decodeWith(t, carrier, string([]byte{id})+p.value[:n]); codec.ReasonOf(err) != codec.MalformedPacket {
					t.Errorf("%02x in %s with %d bytes: got %v, want malformed", id, carrier, n, err)
				}
			}
		}
	}
}
