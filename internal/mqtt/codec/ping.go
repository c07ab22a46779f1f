package codec

// Pingreq asks for a Pingresp.
type Pingreq struct{}

// Type returns TypePingreq.
func (*Pingreq) Type() Type { return TypePingreq }

// Decode reads a PINGREQ.
func (*Pingreq) Decode(f Frame, _ Version) error { return decodeEmpty(f) }

// Size returns the length of the packet.
func (*Pingreq) Size(Version) int { return 2 }

// Append writes the packet to the end of dst. It never fails.
func (*Pingreq) Append(dst []byte, _ Version) ([]byte, error) {
	return append(dst, byte(TypePingreq)<<4, 0), nil
}

// Pingresp answers a Pingreq.
type Pingresp struct{}

// Type returns TypePingresp.
func (*Pingresp) Type() Type { return TypePingresp }

// Decode reads a PINGRESP.
func (*Pingresp) Decode(f Frame, _ Version) error { return decodeEmpty(f) }

// Size returns the length of the packet.
func (*Pingresp) Size(Version) int { return 2 }

// Append writes the packet to the end of dst. It never fails.
func (*Pingresp) Append(dst []byte, _ Version) ([]byte, error) {
	return append(dst, byte(TypePingresp)<<4, 0), nil
}

func decodeEmpty(f Frame) error {
	c := cursor{rest: f.Body}
	return c.end()
}
