package codec

// propertyReader goes through the properties of a packet, once:
//
//	p := c.properties(inSuback)
//	for p.next() {
//		switch p.id { … }
//	}
//	user := c.endProperties(&p)
//
// It is a cursor of its own, since the compiler keeps values on the stack that
// do not point to each other. User properties are collected on the way.
type propertyReader struct {
	cursor
	in   packets
	seen uint64 // by id

	id   propertyID
	num  uint32 // value of a number or flag
	data []byte // value of a text or binary

	user    []byte // pairs in their wire form
	userEnd int    // bytes that were left behind the last pair
	copied  bool   // user is no part of the body
}

// properties starts reading the properties of one of the packets in, and moves
// c behind them.
func (c *cursor) properties(in packets) propertyReader {
	n := c.varint()
	if n > len(c.rest) {
		c.fail(malformed("", "properties are longer than the packet"))
		n = 0
	}
	p := propertyReader{cursor: cursor{rest: c.rest[:n:n]}, in: in}
	c.rest = c.rest[n:]
	return p
}

// endProperties returns the pairs that p has read, and takes its failure over.
func (c *cursor) endProperties(p *propertyReader) UserProperties {
	if p.err != nil && c.err == nil {
		c.err, c.rest = p.err, nil
	}
	return UserProperties{wire: p.user[:len(p.user):len(p.user)]}
}

// next reads one property. It reports false at the end and after a failure.
func (p *propertyReader) next() bool {
	for len(p.rest) > 0 {
		before := p.rest
		form := p.begin()
		if form != formPair {
			p.value(form)
			return p.err == nil
		}
		p.text()
		p.text()
		if p.err == nil {
			p.addUser(before[:len(before)-len(p.rest)], len(before))
		}
	}
	return false
}

// begin reads the id of a property, and checks that it may come now.
func (p *propertyReader) begin() form {
	id := p.varint()
	if p.err != nil {
		return formNone
	}
	if id >= len(properties) || properties[id].in&p.in == 0 {
		p.fail(malformed("", "packet has a property that it cannot have")) // [MQTT 5, 2.2.2.2]
		return formNone
	}
	known := &properties[id]
	if p.seen&(1<<id) != 0 && known.many&p.in == 0 {
		p.fail(protocolError("", "packet has a property twice"))
		return formNone
	}
	p.seen |= 1 << id
	p.id = propertyID(id)
	return known.form
}

// value reads the value of the property.
func (p *propertyReader) value(form form) {
	switch form {
	case formFlag:
		p.num = uint32(p.uint8())
		if p.num > 1 {
			p.fail(protocolError("", "property is neither 0 nor 1"))
		}
	case formUint16:
		p.num = uint32(p.uint16())
	case formUint32:
		p.num = p.uint32()
	case formVarint:
		p.num = uint32(p.varint())
	case formText:
		p.data = p.text()
	case formBinary:
		p.data = p.binary()
	}
	if p.err == nil && p.num == 0 && properties[p.id].positive {
		p.fail(protocolError("", "property is 0"))
	}
}

// addUser takes a pair over. As long as pairs follow each other they stay
// where they are; one that stands apart makes the lot move.
func (p *propertyReader) addUser(pair []byte, left int) {
	switch {
	case p.user == nil:
		p.user = pair
	case !p.copied && left == p.userEnd:
		p.user = p.user[:len(p.user)+len(pair)]
	case !p.copied:
		p.copied = true
		p.user = append(p.user[:len(p.user):len(p.user)], pair...)
	default:
		p.user = append(p.user, pair...)
	}
	p.userEnd = left - len(pair)
}
