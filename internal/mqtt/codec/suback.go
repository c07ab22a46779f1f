package codec

// Suback answers a Subscribe.
type Suback struct {
	// PacketID is that of the Subscribe.
	PacketID uint16
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	User         UserProperties
	// Reasons holds one for each filter, in their order: Success, GrantedQoS1 or
	// GrantedQoS2 for what was granted, or a failure. MQTT 3.1.1 knows but one
	// failure, UnspecifiedError, which is written for all.
	Reasons []Reason
}

// Type returns TypeSuback.
func (*Suback) Type() Type { return TypeSuback }

// Decode reads a SUBACK.
func (s *Suback) Decode(f Frame, v Version) error {
	*s = Suback{Reasons: s.Reasons[:0]}
	c := cursor{rest: f.Body}
	s.PacketID = c.packetID()
	rule := "v3 MQTT-3.9.3-2"
	if v >= V5 {
		s.ReasonString, s.User = c.answerProperties(inSuback)
		rule = "MQTT-3.9.3-2"
	}
	s.Reasons = c.reasons(s.Reasons, inSuback, rule)
	for _, r := range s.Reasons {
		if v < V5 && r > UnspecifiedError {
			c.fail(protocolError(rule, "return code is reserved"))
		}
	}
	return c.end()
}

// Size returns the length of the packet.
func (s *Suback) Size(v Version) int {
	w := counter()
	s.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst.
func (s *Suback) Append(dst []byte, v Version) ([]byte, error) {
	if s.PacketID == 0 {
		return dst, errPacketID
	}
	if err := checkReasons(s.Reasons, inSuback); err != nil {
		return dst, err
	}
	m := counter()
	s.write(&m, v)
	b, err := m.open(dst, TypeSuback, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	s.write(&w, v)
	return w.buf, nil
}

func (s *Suback) write(w *writer, v Version) {
	w.uint16(s.PacketID)
	if v >= V5 {
		w.answerProperties(s.ReasonString, s.User)
	}
	for _, r := range s.Reasons {
		if v < V5 {
			r = min(r, UnspecifiedError)
		}
		w.uint8(uint8(r))
	}
}
