package codec

// Subscribe asks for messages.
type Subscribe struct {
	PacketID uint16
	// SubscriptionID is 1 to 268,435,455, or zero if absent.
	SubscriptionID uint32
	User           UserProperties
	// Filters holds at least one subscription, in the order of the answers.
	Filters []Subscription
}

// Subscription is one topic filter with its options. MQTT 3.1.1 has QoS alone.
type Subscription struct {
	// Filter is one that CheckFilter takes.
	Filter []byte
	// QoS is the highest to be granted, QoS0 to QoS2.
	QoS QoS
	// NoLocal keeps away what the subscriber itself publishes. A shared
	// subscription cannot have it.
	NoLocal bool
	// RetainAsPublished passes the retain flag on as the publisher set it.
	RetainAsPublished bool
	// RetainHandling says when retained messages are sent.
	RetainHandling RetainHandling
}

// RetainHandling says when a subscriber is sent retained messages.
type RetainHandling uint8

// The ways.
const (
	RetainSend      RetainHandling = iota // with every subscription
	RetainSendIfNew                       // unless there was one by this filter
	RetainSendNever
)

const (
	optionNoLocal           = 1 << 2
	optionRetainAsPublished = 1 << 3
)

// Type returns TypeSubscribe.
func (*Subscribe) Type() Type { return TypeSubscribe }

// Decode reads a SUBSCRIBE. Every filter has been checked when it returns nil.
// It allocates at most once, and only if all is well.
func (s *Subscribe) Decode(f Frame, v Version) error {
	*s = Subscribe{Filters: s.Filters[:0]}
	c := cursor{rest: f.Body}
	s.PacketID = c.packetID()
	if v >= V5 {
		p := c.properties(inSubscribe)
		for p.next() {
			s.SubscriptionID = p.num // the only one but for the pairs
		}
		s.User = c.endProperties(&p)
	}
	if c.err == nil && len(c.rest) == 0 {
		c.fail(protocolError("MQTT-3.8.3-2", "no topic filter"))
	}
	n, err := c.countSubscriptions(v)
	if err != nil {
		return err
	}
	if cap(s.Filters) < n {
		s.Filters = make([]Subscription, 0, n)
	}
	for range n {
		s.Filters = append(s.Filters, c.subscription(v))
	}
	return nil
}

// countSubscriptions goes ahead of c to the end, checking everything.
func (c cursor) countSubscriptions(v Version) (n int, err error) {
	for ; len(c.rest) > 0; n++ {
		c.subscription(v)
	}
	return n, c.err
}

// subscription reads a topic filter and its options.
func (c *cursor) subscription(v Version) Subscription {
	s := Subscription{Filter: c.filter()}
	options := c.uint8()
	if c.err != nil {
		return s
	}
	s.QoS = QoS(options & 3)
	if v < V5 {
		if options > byte(QoS2) {
			c.fail(malformed("v3 MQTT-3-8.3-4", "reserved bits of the QoS are set, or it is 3"))
		}
		return s
	}
	s.NoLocal = options&optionNoLocal != 0
	s.RetainAsPublished = options&optionRetainAsPublished != 0
	s.RetainHandling = RetainHandling(options >> 4 & 3)
	switch {
	case options>>6 != 0:
		c.fail(malformed("MQTT-3.8.3-5", "reserved bits of the subscription options are set"))
	case s.QoS > QoS2:
		c.fail(protocolError("", "QoS of the subscription is 3")) // [MQTT 5, 3.8.3.1]
	case s.RetainHandling > RetainSendNever:
		c.fail(protocolError("", "retain handling is 3")) // [MQTT 5, 3.8.3.1]
	case s.sharedNoLocal():
		c.fail(protocolError("MQTT-3.8.3-4", "shared subscription asks for no local messages"))
	}
	return s
}

// filter reads a topic filter.
func (c *cursor) filter() []byte {
	b := c.binary()
	if c.err != nil {
		return nil
	}
	if err := checkFilter(b); err != nil {
		c.fail(err)
		return nil
	}
	return b
}

func (s *Subscription) sharedNoLocal() bool {
	_, _, shared := SplitShare(s.Filter)
	return shared && s.NoLocal
}

// Size returns the length of the packet.
func (s *Subscribe) Size(v Version) int {
	w := counter()
	s.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst.
func (s *Subscribe) Append(dst []byte, v Version) ([]byte, error) {
	if err := s.check(v); err != nil {
		return dst, err
	}
	m := counter()
	s.write(&m, v)
	b, err := m.open(dst, TypeSubscribe, flagsRequest)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	s.write(&w, v)
	return w.buf, nil
}

func (s *Subscribe) write(w *writer, v Version) {
	w.uint16(s.PacketID)
	if v >= V5 {
		m := counter()
		s.writeProperties(&m)
		w.varint(m.n)
		s.writeProperties(w)
	}
	for i := range s.Filters {
		w.field(s.Filters[i].Filter)
		w.uint8(s.Filters[i].options(v))
	}
}

func (s *Subscribe) writeProperties(w *writer) {
	if s.SubscriptionID != 0 {
		w.propSubscriptionID(s.SubscriptionID)
	}
	w.propUser(s.User)
}

func (s *Subscription) options(v Version) uint8 {
	options := uint8(s.QoS)
	if v < V5 {
		return options
	}
	if s.NoLocal {
		options |= optionNoLocal
	}
	if s.RetainAsPublished {
		options |= optionRetainAsPublished
	}
	return options | uint8(s.RetainHandling)<<4
}

func (s *Subscribe) check(v Version) error {
	if s.PacketID == 0 {
		return errPacketID
	}
	if len(s.Filters) == 0 {
		return errEmptyList
	}
	for i := range s.Filters {
		f := &s.Filters[i]
		if f.QoS > QoS2 || v >= V5 && (f.RetainHandling > RetainSendNever || f.sharedNoLocal()) {
			return errSubscribe
		}
	}
	return nil
}
