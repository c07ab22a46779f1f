package codec

// Connack answers a Connect.
type Connack struct {
	// SessionPresent says that an earlier session goes on. It is false in a
	// refusal.
	SessionPresent bool
	// Reason is Success or why the connection is refused.
	Reason Reason

	// What follows are properties, which MQTT 3.1.1 does not have.

	// HasSessionExpiry says whether the session is kept for SessionExpiry seconds
	// instead of what the client asked for.
	HasSessionExpiry bool
	SessionExpiry    uint32
	// ReceiveMaximum is how many messages of QoS 1 may be under way to the server
	// without an acknowledgement; zero if absent, which means 65,535.
	ReceiveMaximum uint16
	// HasMaximumQoS says whether the server limits the QoS, to MaximumQoS.
	HasMaximumQoS bool
	MaximumQoS    QoS
	// MaximumPacketSize is the longest packet for the server, in bytes; zero if
	// absent, which means no limit.
	MaximumPacketSize uint32
	// AssignedClientID is text, nil if the client brought an id of its own.
	AssignedClientID []byte
	// TopicAliasMaximum is the highest alias that the server takes, or zero.
	TopicAliasMaximum uint16
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	// HasServerKeepAlive says whether the server's keep alive takes the place of
	// the client's: ServerKeepAlive seconds, or none if zero.
	HasServerKeepAlive bool
	ServerKeepAlive    uint16
	// What the server does not support.
	NoRetain, NoWildcards, NoSubscriptionIDs, NoShared bool
	// ResponseInfo is text to make response topics of, nil if absent.
	ResponseInfo []byte
	// ServerReference is text that names another server, nil if absent.
	ServerReference []byte
	// AuthMethod is text and AuthData belongs to it, nil if absent.
	AuthMethod, AuthData []byte
	User                 UserProperties
}

// Type returns TypeConnack.
func (*Connack) Type() Type { return TypeConnack }

// Decode reads a CONNACK. A return code of MQTT 3.1.1 becomes the reason that
// it corresponds to.
func (a *Connack) Decode(f Frame, v Version) error {
	*a = Connack{}
	c := cursor{rest: f.Body}
	flags := c.uint8()
	if flags > 1 {
		c.fail(malformed("MQTT-3.2.2-1", "reserved flags of the acknowledgement are set"))
	}
	a.SessionPresent = flags == 1
	if v >= V5 {
		a.Reason = c.reason(inConnack, "MQTT-3.2.2-8")
		a.decodeProperties(&c)
	} else if code := c.uint8(); int(code) < len(returnCodes) {
		a.Reason = returnCodes[code]
	} else {
		c.fail(protocolError("", "return code is reserved")) // [MQTT 3.1.1, 3.2.2.3]
	}
	if c.err == nil && a.SessionPresent && a.Reason != Success {
		c.fail(protocolError("MQTT-3.2.2-6", "session of a connection that is refused"))
	}
	return c.end()
}

func (a *Connack) decodeProperties(c *cursor) {
	p := c.properties(inConnack)
	for p.next() {
		switch p.id {
		case propSessionExpiry:
			a.HasSessionExpiry, a.SessionExpiry = true, p.num
		case propReceiveMaximum:
			a.ReceiveMaximum = uint16(p.num)
		case propMaximumQoS:
			a.HasMaximumQoS, a.MaximumQoS = true, QoS(p.num)
		case propRetainAvailable:
			a.NoRetain = p.num == 0
		case propMaximumPacketSize:
			a.MaximumPacketSize = p.num
		case propAssignedClientID:
			a.AssignedClientID = p.data
		case propTopicAliasMaximum:
			a.TopicAliasMaximum = uint16(p.num)
		case propReasonString:
			a.ReasonString = p.data
		case propWildcards:
			a.NoWildcards = p.num == 0
		case propSubscriptionIDs:
			a.NoSubscriptionIDs = p.num == 0
		case propShared:
			a.NoShared = p.num == 0
		case propServerKeepAlive:
			a.HasServerKeepAlive, a.ServerKeepAlive = true, uint16(p.num)
		case propResponseInfo:
			a.ResponseInfo = p.data
		case propServerReference:
			a.ServerReference = p.data
		case propAuthMethod:
			a.AuthMethod = p.data
		case propAuthData:
			a.AuthData = p.data
		}
	}
	a.User = c.endProperties(&p)
}

// Size returns the length of the packet.
func (a *Connack) Size(v Version) int {
	w := counter()
	a.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst. For MQTT 3.1.1 the reason must
// have a ReturnCode.
func (a *Connack) Append(dst []byte, v Version) ([]byte, error) {
	if err := a.check(v); err != nil {
		return dst, err
	}
	m := counter()
	a.write(&m, v)
	b, err := m.open(dst, TypeConnack, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	a.write(&w, v)
	return w.buf, nil
}

func (a *Connack) check(v Version) error {
	_, says := a.Reason.ReturnCode()
	switch {
	case !a.Reason.in(inConnack), v < V5 && !says:
		return errReason
	case a.SessionPresent && a.Reason != Success:
		return errPresent
	case v >= V5 && a.HasMaximumQoS && a.MaximumQoS > QoS1:
		return errQoS
	}
	return nil
}

func (a *Connack) write(w *writer, v Version) {
	w.uint8(flag(a.SessionPresent))
	if v < V5 {
		code, _ := a.Reason.ReturnCode()
		w.uint8(code)
		return
	}
	w.uint8(uint8(a.Reason))
	m := counter()
	a.writeProperties(&m)
	w.varint(m.n)
	a.writeProperties(w)
}

func (a *Connack) writeProperties(w *writer) {
	w.propUint32(propSessionExpiry, a.HasSessionExpiry, a.SessionExpiry)
	w.propUint16(propReceiveMaximum, a.ReceiveMaximum != 0, a.ReceiveMaximum)
	w.propFlag(propMaximumQoS, a.HasMaximumQoS, uint8(a.MaximumQoS))
	w.propFlag(propRetainAvailable, a.NoRetain, 0)
	w.propUint32(propMaximumPacketSize, a.MaximumPacketSize != 0, a.MaximumPacketSize)
	w.propField(propAssignedClientID, a.AssignedClientID)
	w.propUint16(propTopicAliasMaximum, a.TopicAliasMaximum != 0, a.TopicAliasMaximum)
	w.propField(propReasonString, a.ReasonString)
	w.propFlag(propWildcards, a.NoWildcards, 0)
	w.propFlag(propSubscriptionIDs, a.NoSubscriptionIDs, 0)
	w.propFlag(propShared, a.NoShared, 0)
	w.propUint16(propServerKeepAlive, a.HasServerKeepAlive, a.ServerKeepAlive)
	w.propField(propResponseInfo, a.ResponseInfo)
	w.propField(propServerReference, a.ServerReference)
	w.propField(propAuthMethod, a.AuthMethod)
	w.propField(propAuthData, a.AuthData)
	w.propUser(a.User)
}

func flag(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}
