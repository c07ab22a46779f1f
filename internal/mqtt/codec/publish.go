package codec

import (
	"cmp"
	"encoding/binary"
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
	if err := f.checkFlags(); err != nil {
		return err
	}
	if p.QoS > QoS1 {
		return &Error{Reason: QoSNotSupported, Text: "message of QoS 2"}
	}
	c := cursor{rest: f.Body}
	p.Topic = c.binary()
	if p.QoS > QoS0 {
		p.PacketID = c.packetID()
	}
	if v >= V5 && !c.noProperties() {
		p.decodeProperties(&c)
	}
	if c.err != nil {
		return c.err
	}
	p.Payload = c.rest
	return p.checkTopic()
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
	body, _, _ := p.measure(v)
	return packetSize(body)
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
	body, properties, err := p.measure(v)
	if err != nil {
		return nil, err
	}
	dst, err = begin(dst, TypePublish, p.flags(), body, without)
	if err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Topic)))
	dst = append(dst, p.Topic...)
	if p.QoS > QoS0 {
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
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

// measure counts the bytes of the body, and those of its properties.
func (p *Publish) measure(v Version) (body, properties int, err error) {
	if len(p.Topic) > maxField {
		err = errTooLong
	}
	if v >= V5 {
		if p.Alias != 0 || len(p.SubscriptionIDs) > 0 || p.hasProperties() {
			w := counter()
			p.writeProperties(&w)
			properties, err = w.n, cmp.Or(err, w.err)
		}
		body = varintSize(properties) + properties
	}
	if p.QoS > QoS0 {
		body += 2
	}
	return body + 2 + len(p.Topic) + len(p.Payload), properties, err
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
	}
	return nil
}
