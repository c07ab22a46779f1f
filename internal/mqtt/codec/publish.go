package codec

import (
	"encoding/binary"
	"slices"
)

// Publish is a message on its way.
type Publish struct {
	Message
	// Dup says that the packet may have been sent before.
	Dup bool
	// PacketID is zero for QoS 0, and only then.
	PacketID uint16
	// Alias stands for the topic, or is from now on to stand for it; zero if
	// absent.
	Alias uint16
	// SubscriptionIDs are those of the subscriptions that the message goes to a
	// client for; each is 1 to 268,435,455.
	SubscriptionIDs []uint32
}

// Type returns TypePublish.
func (*Publish) Type() Type { return TypePublish }

// Decode reads a PUBLISH. One of QoS 2 is refused with QoSNotSupported. Whether
// the alias is known and within the limit is for the caller to say.
func (p *Publish) Decode(f Frame, v Version) error {
	ids := p.SubscriptionIDs[:0]
	*p = Publish{} // field by field, since a literal would be made elsewhere and copied
	p.SubscriptionIDs = ids
	p.QoS = QoS(f.Flags >> 1 & 3)
	p.Retain = f.Flags&flagRetain != 0
	p.Dup = f.Flags&flagDup != 0
	if p.QoS > QoS1 || p.Dup && p.QoS == QoS0 {
		return f.refusePublish()
	}
	// What every message has is read without a cursor, which would take as long again.
	rest := f.Body
	if len(rest) < 2 {
		return errShort()
	}
	n := 2 + int(binary.BigEndian.Uint16(rest))
	if len(rest) < n {
		return errShort()
	}
	p.Topic, rest = rest[2:n:n], rest[n:]
	if p.QoS > QoS0 {
		if len(rest) < 2 {
			return errShort()
		}
		p.PacketID, rest = binary.BigEndian.Uint16(rest), rest[2:]
		if p.PacketID == 0 {
			return errZeroID()
		}
	}
	switch {
	case v < V5:
		p.Payload = rest
	case len(rest) > 0 && rest[0] == 0: // no properties
		p.Payload = rest[1:]
	default:
		c := cursor{rest: rest}
		p.decodeProperties(&c)
		if c.err != nil {
			return c.err
		}
		p.Payload = c.rest
	}
	if plain(p.Topic) {
		return nil
	}
	return p.checkTopic()
}

// refusePublish says what is wrong with the flags of a message.
func (f Frame) refusePublish() error {
	if err := f.checkFlags(); err != nil {
		return err
	}
	return &Error{Reason: QoSNotSupported, Text: "message of QoS 2"}
}

func (p *Publish) decodeProperties(c *cursor) {
	r := c.properties(inPublish)
	for r.next() {
		switch r.id {
		case propTopicAlias:
			p.Alias = uint16(r.num)
			if p.Alias == 0 {
				r.fail(&Error{TopicAliasInvalid, "MQTT-3.3.2-8", "topic alias is 0"})
			}
		case propSubscriptionID:
			p.SubscriptionIDs = append(p.SubscriptionIDs, r.num)
		default:
			p.setProperty(&r)
		}
	}
	p.User = c.endProperties(&r)
}

// checkTopic refuses a message without a good topic. An alias can stand for it.
func (p *Publish) checkTopic() error {
	if len(p.Topic) == 0 {
		if p.Alias == 0 {
			return protocolError("MQTT-4.7.3-1", "message has neither topic nor alias")
		}
		return nil
	}
	return CheckTopic(p.Topic)
}

// CheckClient returns an error if a client must not send p.
func (p *Publish) CheckClient() error {
	if len(p.SubscriptionIDs) > 0 {
		return protocolError("MQTT-3.3.4-6", "client sends a subscription id")
	}
	return nil
}

// Size returns the length of the packet.
func (p *Publish) Size(v Version) int {
	properties := 0
	if v >= V5 {
		properties, _ = p.measureProperties()
	}
	return packetSize(p.bodySize(v, properties))
}

// Append writes the packet to the end of dst.
func (p *Publish) Append(dst []byte, v Version) ([]byte, error) {
	b, err := p.appendHeader(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return append(b, p.Payload...), nil
}

// AppendHeader writes all but the payload, which the caller sends right after
// it. One payload can so be sent to many without a copy for each.
func (p *Publish) AppendHeader(dst []byte, v Version) ([]byte, error) {
	b, err := p.appendHeader(dst, v, len(p.Payload))
	if err != nil {
		return dst, err
	}
	return b, nil
}

// appendHeader writes all but the payload, and makes room for all but so many
// bytes of the payload.
func (p *Publish) appendHeader(dst []byte, v Version, without int) ([]byte, error) {
	if err := p.check(v); err != nil {
		return nil, err
	}
	properties := 0
	if v >= V5 && (p.Alias != 0 || len(p.SubscriptionIDs) > 0 || p.hasProperties()) {
		var err error
		if properties, err = p.measureProperties(); err != nil {
			return nil, err
		}
	}
	body := p.bodySize(v, properties)
	if body > maxVarint {
		return nil, errHuge()
	}
	if need := packetSize(body) - without; cap(dst)-len(dst) < need {
		dst = slices.Grow(dst, need)
	}
	dst = append(dst, byte(TypePublish)<<4|p.flags())
	dst = appendVarint(dst, body)
	dst = append(dst, byte(len(p.Topic)>>8), byte(len(p.Topic)))
	dst = append(dst, p.Topic...)
	if p.QoS > QoS0 {
		dst = append(dst, byte(p.PacketID>>8), byte(p.PacketID))
	}
	if v >= V5 {
		dst = appendVarint(dst, properties)
		if properties > 0 {
			w := writer{buf: dst}
			p.writeProperties(&w)
			dst = w.buf
		}
	}
	return dst, nil
}

// bodySize returns the length of what follows the length of the packet.
func (p *Publish) bodySize(v Version, properties int) int {
	n := 2 + len(p.Topic) + len(p.Payload)
	if p.QoS > QoS0 {
		n += 2
	}
	if v >= V5 {
		n += varintSize(properties) + properties
	}
	return n
}

// measureProperties counts the bytes of the properties.
func (p *Publish) measureProperties() (int, error) {
	w := counter()
	p.writeProperties(&w)
	return w.n, w.err
}

func (p *Publish) writeProperties(w *writer) {
	w.propUint16(propTopicAlias, p.Alias != 0, p.Alias)
	for _, id := range p.SubscriptionIDs {
		w.propSubscriptionID(id)
	}
	p.Message.writeProperties(w)
}

func (p *Publish) flags() uint8 {
	flags := uint8(p.QoS) << 1
	if p.Retain {
		flags |= flagRetain
	}
	if p.Dup {
		flags |= flagDup
	}
	return flags
}

func (p *Publish) check(v Version) error {
	switch {
	case p.QoS > QoS1:
		return errQoS
	case (p.QoS == QoS0) != (p.PacketID == 0):
		return errPacketID
	case p.Dup && p.QoS == QoS0:
		return errDup
	case len(p.Topic) == 0 && (p.Alias == 0 || v < V5):
		return errNoTopic
	case len(p.Topic) > maxField:
		return errTooLong
	}
	return nil
}
