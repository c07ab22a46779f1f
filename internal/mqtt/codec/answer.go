package codec

// reason reads a reason code, which must be one of those for the packets in.
func (c *cursor) reason(in packets, rule string) Reason {
	r := Reason(c.uint8())
	if c.err == nil && !r.in(in) {
		c.fail(protocolError(rule, "packet has a reason code that it cannot have"))
	}
	return r
}

// reasons reads reason codes up to the end into list, which holds none.
func (c *cursor) reasons(list []Reason, in packets, rule string) []Reason {
	if c.err == nil && len(c.rest) == 0 {
		c.fail(protocolError(rule, "packet has no reason code"))
	}
	for len(c.rest) > 0 {
		list = append(list, c.reason(in, rule))
	}
	return list
}

// checkReasons returns an error if packets in cannot carry the codes.
func checkReasons(list []Reason, in packets) error {
	if len(list) == 0 {
		return errEmptyList
	}
	for _, r := range list {
		if !r.in(in) {
			return errReason
		}
	}
	return nil
}

// answerProperties reads what all answers have in common.
func (c *cursor) answerProperties(in packets) (reason []byte, user UserProperties) {
	p := c.properties(in)
	for p.next() {
		reason = p.data // the only one but for the pairs
	}
	return reason, c.endProperties(&p)
}

// answerProperties writes the properties of an answer with their length.
func (w *writer) answerProperties(reason []byte, user UserProperties) {
	w.varint(answerSize(reason, user))
	w.propField(propReasonString, reason)
	w.propUser(user)
}

func answerSize(reason []byte, user UserProperties) int {
	m := counter()
	m.propField(propReasonString, reason)
	m.propUser(user)
	return m.n
}
