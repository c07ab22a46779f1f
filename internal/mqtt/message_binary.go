package mqtt

import (
	"encoding"

	"muster/internal/mqtt/codec"
)

var (
	_ encoding.BinaryMarshaler   = (*Message)(nil)
	_ encoding.BinaryUnmarshaler = (*Message)(nil)
)

// MarshalBinary returns the message as a PUBLISH of MQTT 5, for keeping it. When
// it expires and who has published it are not part of that.
func (m *Message) MarshalBinary() ([]byte, error) {
	p := codec.Publish{Message: m.packet(0)}
	p.HasExpiry, p.Expiry = false, 0
	if p.QoS > 0 {
		p.PacketID = 1
	}
	return p.Append(nil, codec.V5)
}

// UnmarshalBinary reads what MarshalBinary has written. It keeps b, which must
// not be modified any more.
func (m *Message) UnmarshalBinary(b []byte) error {
	f, n, err := codec.Cut(b, codec.MaxSize)
	if err != nil {
		return err
	}
	if n != len(b) || f.Type != codec.TypePublish {
		return &codec.Error{Reason: codec.MalformedPacket, Text: "stored message is not one whole PUBLISH"}
	}
	var p codec.Publish
	if err := p.Decode(f, codec.V5); err != nil {
		return err
	}
	if len(p.Topic) == 0 {
		return &codec.Error{Reason: codec.TopicNameInvalid, Text: "stored message has no topic"}
	}
	*m = message(&p.Message, topicName{text: string(p.Topic), bytes: p.Topic}, "")
	return nil
}
