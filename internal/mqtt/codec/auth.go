package codec

// Auth is a step of enhanced authentication in MQTT 5.
type Auth struct {
	// Reason is Success, ContinueAuthentication or Reauthenticate.
	Reason Reason
	// Method is text. Without it there is neither a reason but Success nor any
	// other property.
	Method []byte
	// Data is nil if absent.
	Data []byte
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	User         UserProperties
}

// Type returns TypeAuth.
func (*Auth) Type() Type { return TypeAuth }

// Decode reads an AUTH.
func (a *Auth) Decode(f Frame, v Version) error {
	*a = Auth{}
	if v < V5 {
		return malformed("", "packet type is reserved")
	}
	c := cursor{rest: f.Body}
	if len(c.rest) == 0 {
		return nil
	}
	a.Reason = c.reason(inAuth, "MQTT-3.15.2-1")
	p := c.properties(inAuth)
	for p.next() {
		switch p.id {
		case propAuthMethod:
			a.Method = p.data
		case propAuthData:
			a.Data = p.data
		case propReasonString:
			a.ReasonString = p.data
		}
	}
	a.User = c.endProperties(&p)
	if c.err == nil && a.Method == nil && !a.empty() {
		c.fail(protocolError("", "authentication without a method")) // [MQTT 5, 3.15.2.2.2]
	}
	return c.end()
}

// empty reports whether there is nothing to say.
func (a *Auth) empty() bool {
	return a.Reason == Success && a.Method == nil && a.Data == nil && a.ReasonString == nil && a.User.Size() == 0
}

// Size returns the length of the packet.
func (a *Auth) Size(Version) int {
	w := counter()
	a.write(&w)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst. MQTT 3.1.1 has no such packet.
func (a *Auth) Append(dst []byte, v Version) ([]byte, error) {
	switch {
	case v < V5:
		return dst, errVersion
	case !a.Reason.in(inAuth):
		return dst, errReason
	case a.Method == nil && !a.empty():
		return dst, errAuth
	}
	m := counter()
	a.write(&m)
	b, err := m.open(dst, TypeAuth, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	a.write(&w)
	return w.buf, nil
}

func (a *Auth) write(w *writer) {
	if a.empty() {
		return
	}
	w.uint8(uint8(a.Reason))
	m := counter()
	a.writeProperties(&m)
	w.varint(m.n)
	a.writeProperties(w)
}

func (a *Auth) writeProperties(w *writer) {
	w.propField(propAuthMethod, a.Method)
	w.propField(propAuthData, a.Data)
	w.propField(propReasonString, a.ReasonString)
	w.propUser(a.User)
}
