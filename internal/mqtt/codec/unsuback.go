package codec

// Unsuback answers an Unsubscribe.
type Unsuback struct {
	// PacketID is that of the Unsubscribe.
	PacketID uint16
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	User         UserProperties
	// Reasons holds one for each filter, in their order. MQTT 3.1.1 does not
	// have them.
	Reasons []Reason
}

// Type returns TypeUnsuback.
func (*Unsuback) Type() Type { return TypeUnsuback }

// Decode reads an UNSUBACK.
func (u *Unsuback) Decode(f Frame, v Version) error {
	*u = Unsuback{Reasons: u.Reasons[:0]}
	c := cursor{rest: f.Body}
	u.PacketID = c.packetID()
	if v >= V5 {
		u.ReasonString, u.User = c.answerProperties(inUnsuback)
		u.Reasons = c.reasons(u.Reasons, inUnsuback, "MQTT-3.11.3-2")
	}
	return c.end()
}

// Size returns the length of the packet.
func (u *Unsuback) Size(v Version) int {
	w := counter()
	u.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst. For MQTT 3.1.1 it leaves the
// reasons out: it has no way to refuse.
func (u *Unsuback) Append(dst []byte, v Version) ([]byte, error) {
	if u.PacketID == 0 {
		return dst, errPacketID
	}
	if v >= V5 {
		if err := checkReasons(u.Reasons, inUnsuback); err != nil {
			return dst, err
		}
	}
	m := counter()
	u.write(&m, v)
	b, err := m.open(dst, TypeUnsuback, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	u.write(&w, v)
	return w.buf, nil
}

func (u *Unsuback) write(w *writer, v Version) {
	w.uint16(u.PacketID)
	if v < V5 {
		return
	}
	w.answerProperties(u.ReasonString, u.User)
	for _, r := range u.Reasons {
		w.uint8(uint8(r))
	}
}
