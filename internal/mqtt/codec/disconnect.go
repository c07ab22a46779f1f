package codec

// Disconnect is the last packet of a connection. MQTT 3.1.1 lets clients alone
// send it, and gives no reason.
type Disconnect struct {
	// Reason is Success for a normal end. A client that sends anything else has
	// its will published.
	Reason Reason
	// HasSessionExpiry says whether the client changes how long its session
	// outlives the connection: SessionExpiry seconds, SessionNeverExpires for
	// ever. The server cannot.
	HasSessionExpiry bool
	SessionExpiry    uint32
	// ReasonString is text for people, nil if absent.
	ReasonString []byte
	// ServerReference is text that names another server, nil if absent.
	ServerReference []byte
	User            UserProperties
}

// Type returns TypeDisconnect.
func (*Disconnect) Type() Type { return TypeDisconnect }

// Decode reads a DISCONNECT.
func (d *Disconnect) Decode(f Frame, v Version) error {
	*d = Disconnect{}
	c := cursor{rest: f.Body}
	if v < V5 || len(c.rest) == 0 {
		return c.end()
	}
	d.Reason = c.reason(inDisconnect, "MQTT-3.14.2-1")
	if len(c.rest) == 0 { // "If the Remaining Length is less than 2, a value of 0 is used" [MQTT 5, 3.14.2.2.1]
		return c.err
	}
	p := c.properties(inDisconnect)
	for p.next() {
		switch p.id {
		case propSessionExpiry:
			d.HasSessionExpiry, d.SessionExpiry = true, p.num
		case propReasonString:
			d.ReasonString = p.data
		case propServerReference:
			d.ServerReference = p.data
		}
	}
	d.User = c.endProperties(&p)
	return c.end()
}

// CheckClient returns an error if a client must not send d. Whether it may set
// a session expiry depends on the one it connected with.
func (d *Disconnect) CheckClient() error {
	switch d.Reason {
	case NotAuthorized, ServerBusy, ServerShuttingDown, KeepAliveTimeout, SessionTakenOver, TopicFilterInvalid,
		RetainNotSupported, QoSNotSupported, UseAnotherServer, ServerMoved, SharedNotSupported,
		ConnectionRateExceeded, MaximumConnectTime, SubscriptionIDsNotSupported, WildcardsNotSupported:
		return protocolError("MQTT-3.14.2-1", "client disconnects for a reason of servers")
	}
	if d.ServerReference != nil {
		return protocolError("", "client refers to a server") // [MQTT 5, 3.14.2.2.5]
	}
	return nil
}

// Size returns the length of the packet.
func (d *Disconnect) Size(v Version) int {
	w := counter()
	d.write(&w, v)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst. In MQTT 3.1.1 a reason other than
// Success is an error: without it the packet would say the opposite.
func (d *Disconnect) Append(dst []byte, v Version) ([]byte, error) {
	if !d.Reason.in(inDisconnect) || v < V5 && d.Reason != Success {
		return dst, errReason
	}
	m := counter()
	d.write(&m, v)
	b, err := m.open(dst, TypeDisconnect, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	d.write(&w, v)
	return w.buf, nil
}

func (d *Disconnect) write(w *writer, v Version) {
	if v < V5 {
		return
	}
	m := counter()
	d.writeProperties(&m)
	if m.n == 0 && d.Reason == Success {
		return
	}
	w.uint8(uint8(d.Reason))
	if m.n > 0 {
		w.varint(m.n)
		d.writeProperties(w)
	}
}

func (d *Disconnect) writeProperties(w *writer) {
	w.propUint32(propSessionExpiry, d.HasSessionExpiry, d.SessionExpiry)
	w.propField(propReasonString, d.ReasonString)
	w.propField(propServerReference, d.ServerReference)
	w.propUser(d.User)
}
