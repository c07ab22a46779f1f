package codec

// Packet is a packet of any type.
type Packet interface {
	// Type returns the packet's type.
	Type() Type
	// Decode reads the packet from a frame of its type. After an error the
	// packet's contents mean nothing, but for the version of a Connect.
	Decode(f Frame, v Version) error
	// Size returns the length of the whole packet as Append would write it. It
	// does not check whether Append would.
	Size(v Version) int
	// Append writes the packet to the end of dst and returns the longer slice.
	// On an error it returns dst as it was.
	Append(dst []byte, v Version) ([]byte, error)
}

// Decode reads a frame into a new packet. A server that reads many of a kind
// rather keeps one and calls its method.
//
// PUBREC, PUBREL and PUBCOMP are refused with QoSNotSupported, whatever is in
// them.
func Decode(f Frame, v Version) (Packet, error) {
	p := newPacket(f.Type)
	if p == nil {
		switch f.Type {
		case TypePubrec, TypePubrel, TypePubcomp:
			return nil, &Error{Reason: QoSNotSupported, Text: "packet belongs to the handshake of QoS 2"}
		}
		return nil, malformed("", "packet type is reserved")
	}
	if err := p.Decode(f, v); err != nil {
		return nil, err
	}
	return p, nil
}

func newPacket(t Type) Packet {
	switch t {
	case TypeConnect:
		return new(Connect)
	case TypeConnack:
		return new(Connack)
	case TypePublish:
		return new(Publish)
	case TypePuback:
		return new(Puback)
	case TypeSubscribe:
		return new(Subscribe)
	case TypeSuback:
		return new(Suback)
	case TypeUnsubscribe:
		return new(Unsubscribe)
	case TypeUnsuback:
		return new(Unsuback)
	case TypePingreq:
		return new(Pingreq)
	case TypePingresp:
		return new(Pingresp)
	case TypeDisconnect:
		return new(Disconnect)
	case TypeAuth:
		return new(Auth)
	}
	return nil
}
