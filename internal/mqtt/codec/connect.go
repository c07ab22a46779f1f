package codec

// SessionNeverExpires is the session expiry of a session that is kept for ever.
const SessionNeverExpires = 0xFFFFFFFF

// Connect is the first packet of a connection.
type Connect struct {
	// Version is that of the connection. After Decode has failed it is the
	// version in which a refusal can be understood, or zero if there is none:
	// then the connection is closed without a word.
	Version Version
	// CleanStart ends an earlier session. In MQTT 3.1.1, where it is called clean
	// session, this one ends with the connection as well.
	CleanStart bool
	// KeepAlive is the time in seconds after which a silent connection may be
	// closed, half as long again; zero means never.
	KeepAlive uint16
	// ClientID is text. If it is empty the server assigns one.
	ClientID []byte
	// HasWill says whether there is a Will.
	HasWill bool
	Will    Will
	// UserName is text, nil if absent.
	UserName []byte
	// Password is nil if absent. MQTT 3.1.1 allows it with a user name only.
	Password []byte

	// What follows are properties, which MQTT 3.1.1 does not have.

	// SessionExpiry is the time in seconds for which the session is kept after
	// the connection, or SessionNeverExpires.
	SessionExpiry uint32
	// ReceiveMaximum is how many messages of QoS 1 may be under way to the client
	// without an acknowledgement; zero if absent, which means 65,535.
	ReceiveMaximum uint16
	// MaximumPacketSize is the longest packet for the client, in bytes; zero if
	// absent, which means no limit.
	MaximumPacketSize uint32
	// TopicAliasMaximum is the highest alias that the client takes, or zero.
	TopicAliasMaximum uint16
	// RequestResponseInfo asks for a ResponseInfo.
	RequestResponseInfo bool
	// NoProblemInfo keeps reason strings and user properties to PUBLISH, CONNACK
	// and DISCONNECT.
	NoProblemInfo bool
	// AuthMethod is text and AuthData belongs to it, nil if absent.
	AuthMethod, AuthData []byte
	User                 UserProperties
}

// Will is a message that is published when the connection ends without a
// Disconnect.
type Will struct {
	Message
	// Delay is how long to wait with it, in seconds. MQTT 3.1.1 does not have it.
	Delay uint32
}

const (
	connectReserved   = 1 << 0
	connectCleanStart = 1 << 1
	connectWill       = 1 << 2
	connectWillQoS    = 3 << 3
	connectWillRetain = 1 << 5
	connectPassword   = 1 << 6
	connectUserName   = 1 << 7
)

const protocolName = "MQTT"

// Type returns TypeConnect.
func (*Connect) Type() Type { return TypeConnect }

// Decode reads a CONNECT, in the version that the packet itself names. The
// reason of an error is what to answer in CONNACK: UnsupportedVersion for every
// other protocol level, the older MQIsdp of level 3 included; ClientIDNotValid
// for an empty client id that asks for a lasting session in MQTT 3.1.1;
// QoSNotSupported for a will of QoS 2.
func (c *Connect) Decode(f Frame, _ Version) error {
	*c = Connect{}
	r := cursor{rest: f.Body}
	c.decodeVersion(&r)
	flags := r.uint8()
	c.KeepAlive = r.uint16()
	c.checkFlags(&r, flags)
	c.CleanStart = flags&connectCleanStart != 0
	if c.Version >= V5 {
		c.decodeProperties(&r)
	}
	c.ClientID = r.text()
	if r.err == nil && c.Version < V5 && len(c.ClientID) == 0 && !c.CleanStart {
		r.fail(&Error{ClientIDNotValid, "v3 MQTT-3.1.3-8", "empty client id with a session that lasts"})
	}
	if flags&connectWill != 0 {
		c.HasWill = true
		c.Will.QoS = QoS(flags & connectWillQoS >> 3)
		c.Will.Retain = flags&connectWillRetain != 0
		c.Will.decode(&r, c.Version)
	}
	if flags&connectUserName != 0 {
		c.UserName = r.text()
	}
	if flags&connectPassword != 0 {
		c.Password = r.binary()
	}
	return r.end()
}

// decodeVersion reads the protocol's name and level.
func (c *Connect) decodeVersion(r *cursor) {
	name := string(r.binary())
	level := r.uint8()
	if r.err != nil {
		return
	}
	if name != protocolName && name != "MQIsdp" {
		r.fail(&Error{UnsupportedVersion, "MQTT-3.1.2-1", "protocol is not MQTT"})
		return
	}
	// The highest bit marks a bridge between brokers, which tries again without it
	// when it is refused in words that it knows.
	c.Version = V311
	if level&0x7F >= byte(V5) {
		c.Version = V5
	}
	if name != protocolName || level != byte(c.Version) {
		r.fail(&Error{UnsupportedVersion, "MQTT-3.1.2-2", "protocol level is neither 4 nor 5"})
	}
}

// checkFlags refuses flags that contradict each other.
func (c *Connect) checkFlags(r *cursor, flags uint8) {
	qos := QoS(flags & connectWillQoS >> 3)
	switch {
	case r.err != nil:
	case flags&connectReserved != 0:
		r.fail(malformed("MQTT-3.1.2-3", "reserved flag of the connection is set"))
	case flags&connectWill == 0 && qos != QoS0:
		r.fail(malformed("MQTT-3.1.2-11", "QoS of a will that is not there"))
	case flags&connectWill == 0 && flags&connectWillRetain != 0:
		r.fail(malformed("MQTT-3.1.2-13", "retain flag of a will that is not there"))
	case qos > QoS2:
		r.fail(malformed("MQTT-3.1.2-12", "QoS of the will is 3"))
	case qos == QoS2:
		r.fail(&Error{QoSNotSupported, "MQTT-3.2.2-12", "will of QoS 2"})
	case c.Version < V5 && flags&connectPassword != 0 && flags&connectUserName == 0:
		r.fail(malformed("v3 MQTT-3.1.2-22", "password without a user name"))
	}
}

func (c *Connect) decodeProperties(r *cursor) {
	p := r.properties(inConnect)
	for p.next() {
		switch p.id {
		case propSessionExpiry:
			c.SessionExpiry = p.num
		case propReceiveMaximum:
			c.ReceiveMaximum = uint16(p.num)
		case propMaximumPacketSize:
			c.MaximumPacketSize = p.num
		case propTopicAliasMaximum:
			c.TopicAliasMaximum = uint16(p.num)
		case propRequestResponse:
			c.RequestResponseInfo = p.num == 1
		case propRequestProblem:
			c.NoProblemInfo = p.num == 0
		case propAuthMethod:
			c.AuthMethod = p.data
		case propAuthData:
			c.AuthData = p.data
		}
	}
	c.User = r.endProperties(&p)
	if r.err == nil && c.AuthData != nil && c.AuthMethod == nil {
		r.fail(protocolError("", "authentication data without a method")) // [MQTT 5, 3.1.2.11.10]
	}
}

func (w *Will) decode(r *cursor, v Version) {
	if v >= V5 {
		p := r.properties(inWill)
		for p.next() {
			if !w.setProperty(&p) {
				w.Delay = p.num // the only other one
			}
		}
		w.User = r.endProperties(&p)
	}
	w.Topic = r.binary()
	w.Payload = r.binary()
	if r.err == nil {
		if err := checkTopic(w.Topic); err != nil {
			r.fail(err)
		}
	}
}
