package codec

// Puback acknowledges a Publish of QoS 1.
type Puback struct {
	// PacketID is that of the Publish.
	PacketID uint16
	// Reason is always Success in MQTT 3.1.1, which cannot refuse a message.
	Reason Reason
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	User         UserProperties
}

// Type returns TypePuback.
func (*Puback) Type() Type { return TypePuback }

// Decode reads a PUBACK.
func (p *Puback) Decode(f Frame, v Version) error {
	*p = Puback{}
	c := cursor{rest: f.Body}
	p.PacketID = c.packetID()
	if v >= V5 && len(c.rest) > 0 {
		p.Reason = c.reason(inPuback, "MQTT-3.4.2-1")
		if len(c.rest) > 0 { // "If the Remaining Length is less than 4 there is no Property Length" [MQTT 5, 3.4.2.2.1]
			p.ReasonString, p.User = c.answerProperties(inPuback)
		}
	}
	return c.end()
}

// Size returns the length of the packet.
func (p *Puback) Size(v Version) int {
	w := counter()
	p.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst.
func (p *Puback) Append(dst []byte, v Version) ([]byte, error) {
	switch {
	case p.PacketID == 0:
		return dst, errPacketID
	case !p.Reason.in(inPuback), v < V5 && p.Reason.Failed():
		return dst, errReason
	}
	if v < V5 || p.plain() {
		return append(dst, byte(TypePuback)<<4, 2, byte(p.PacketID>>8), byte(p.PacketID)), nil
	}
	m := counter()
	p.write(&m, v)
	b, err := m.open(dst, TypePuback, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	p.write(&w, v)
	return w.buf, nil
}

func (p *Puback) write(w *writer, v Version) {
	w.uint16(p.PacketID)
	if v < V5 || p.plain() {
		return
	}
	w.uint8(uint8(p.Reason))
	if answerSize(p.ReasonString, p.User) > 0 {
		w.answerProperties(p.ReasonString, p.User)
	}
}

// plain reports whether the packet id says it all.
func (p *Puback) plain() bool {
	return p.Reason == Success && p.ReasonString == nil && p.User.Size() == 0
}
