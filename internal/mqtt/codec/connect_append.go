package codec

// Size returns the length of the packet.
func (c *Connect) Size(Version) int {
	w := counter()
	c.write(&w)
	return packetSize(w.n)
}

// Append writes the packet to the end of dst, in the version that it names.
func (c *Connect) Append(dst []byte, _ Version) ([]byte, error) {
	if err := c.check(); err != nil {
		return dst, err
	}
	m := counter()
	c.write(&m)
	b, err := m.open(dst, TypeConnect, 0)
	if err != nil {
		return dst, err
	}
	w := writer{buf: b}
	c.write(&w)
	return w.buf, nil
}

func (c *Connect) check() error {
	switch {
	case c.Version != V311 && c.Version != V5:
		return errVersion
	case c.HasWill && c.Will.QoS > QoS1:
		return errQoS
	case c.HasWill && len(c.Will.Topic) == 0:
		return errNoTopic
	case c.Version < V5 && c.Password != nil && c.UserName == nil:
		return errCredentials
	case c.Version < V5 && len(c.ClientID) == 0 && !c.CleanStart:
		return errClientID
	case c.Version >= V5 && c.AuthData != nil && c.AuthMethod == nil:
		return errAuth
	}
	return nil
}

func (c *Connect) write(w *writer) {
	w.field([]byte(protocolName))
	w.uint8(uint8(c.Version))
	w.uint8(c.flags())
	w.uint16(c.KeepAlive)
	if c.Version >= V5 {
		m := counter()
		c.writeProperties(&m)
		w.varint(m.n)
		c.writeProperties(w)
	}
	w.field(c.ClientID)
	if c.HasWill {
		c.Will.write(w, c.Version)
	}
	if c.UserName != nil {
		w.field(c.UserName)
	}
	if c.Password != nil {
		w.field(c.Password)
	}
}

func (c *Connect) flags() uint8 {
	var flags uint8
	if c.CleanStart {
		flags |= connectCleanStart
	}
	if c.HasWill {
		flags |= connectWill | uint8(c.Will.QoS)<<3
		if c.Will.Retain {
			flags |= connectWillRetain
		}
	}
	if c.UserName != nil {
		flags |= connectUserName
	}
	if c.Password != nil {
		flags |= connectPassword
	}
	return flags
}

func (c *Connect) writeProperties(w *writer) {
	w.propUint32(propSessionExpiry, c.SessionExpiry != 0, c.SessionExpiry)
	w.propUint16(propReceiveMaximum, c.ReceiveMaximum != 0, c.ReceiveMaximum)
	w.propUint32(propMaximumPacketSize, c.MaximumPacketSize != 0, c.MaximumPacketSize)
	w.propUint16(propTopicAliasMaximum, c.TopicAliasMaximum != 0, c.TopicAliasMaximum)
	w.propFlag(propRequestResponse, c.RequestResponseInfo, 1)
	w.propFlag(propRequestProblem, c.NoProblemInfo, 0)
	w.propField(propAuthMethod, c.AuthMethod)
	w.propField(propAuthData, c.AuthData)
	w.propUser(c.User)
}

func (w *Will) write(to *writer, v Version) {
	if v >= V5 {
		m := counter()
		w.writeProperties(&m)
		to.varint(m.n)
		w.writeProperties(to)
	}
	to.field(w.Topic)
	to.field(w.Payload)
}

func (w *Will) writeProperties(to *writer) {
	to.propUint32(propWillDelay, w.Delay != 0, w.Delay)
	w.Message.writeProperties(to)
}
