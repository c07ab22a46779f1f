package codec

// Unsubscribe takes subscriptions back.
type Unsubscribe struct {
	PacketID uint16
	User     UserProperties
	// Filters holds at least one that CheckFilter takes.
	Filters [][]byte
}

// Type returns TypeUnsubscribe.
func (*Unsubscribe) Type() Type { return TypeUnsubscribe }

// Decode reads an UNSUBSCRIBE. Every filter has been checked when it returns
// nil. It allocates at most once, and only if all is well.
func (u *Unsubscribe) Decode(f Frame, v Version) error {
	*u = Unsubscribe{Filters: u.Filters[:0]}
	c := cursor{rest: f.Body}
	u.PacketID = c.packetID()
	if v >= V5 {
		p := c.properties(inUnsubscribe)
		for p.next() {
			continue // pairs are all there is
		}
		u.User = c.endProperties(&p)
	}
	if c.err == nil && len(c.rest) == 0 {
		c.fail(protocolError("MQTT-3.10.3-2", "no topic filter"))
	}
	n, err := c.countFilters()
	if err != nil {
		return err
	}
	if cap(u.Filters) < n {
		u.Filters = make([][]byte, 0, n)
	}
	for range n {
		u.Filters = append(u.Filters, c.filter())
	}
	return nil
}

// countFilters goes ahead of c to the end, checking everything.
func (c cursor) countFilters() (n int, err error) {
	for ; len(c.rest) > 0; n++ {
		c.filter()
	}
	return n, c.err
}

// Size returns the length of the packet.
func (u *Unsubscribe) Size(v Version) int {
	w := counter()
	u.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst.
func (u *Unsubscribe) Append(dst []byte, v Version) ([]byte, error) {
	switch {
	case u.PacketID == 0:
		return dst, errPacketID
	case len(u.Filters) == 0:
		return dst, errEmptyList
	}
	m := counter()
	u.write(&m, v)
	b, err := m.open(dst, TypeUnsubscribe, flagsRequest)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	u.write(&w, v)
	return w.buf, nil
}

func (u *Unsubscribe) write(w *writer, v Version) {
	w.uint16(u.PacketID)
	if v >= V5 {
		w.varint(u.User.Size())
		w.propUser(u.User)
	}
	for _, f := range u.Filters {
		w.field(f)
	}
}
