package codec

// Message is what travels from a publisher to subscribers: the common part of
// PUBLISH and of a will.
type Message struct {
	// Topic is empty only in a Publish that names its topic by an alias.
	Topic []byte
	// Payload is the rest of a PUBLISH; a will has room for 65,535 bytes.
	Payload []byte
	// QoS is QoS0 or QoS1.
	QoS QoS
	// Retain asks for the message to be kept, or says that it was.
	Retain bool

	// What follows are properties, which MQTT 3.1.1 does not have.

	// PayloadIsText announces a payload in UTF-8. It is not checked here.
	PayloadIsText bool
	// HasExpiry says whether the message expires, Expiry seconds after it was
	// published.
	HasExpiry bool
	Expiry    uint32
	// ContentType is text, nil if absent.
	ContentType []byte
	// ResponseTopic is the name of a topic, nil if absent.
	ResponseTopic []byte
	// CorrelationData is nil if absent.
	CorrelationData []byte
	// User are passed on unaltered and in order [MQTT-3.3.2-17, MQTT-3.3.2-18].
	User UserProperties
}

// Clone returns a copy that shares no memory with m. It allocates once.
func (m *Message) Clone() Message {
	n := len(m.Topic) + len(m.Payload) + len(m.ContentType) + len(m.ResponseTopic) + len(m.CorrelationData) + m.User.Size()
	mem := make([]byte, 0, n)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(mem)
		mem = append(mem, b...)
		return mem[start:len(mem):len(mem)]
	}
	c := *m
	c.Topic, c.Payload = keep(m.Topic), keep(m.Payload)
	c.ContentType, c.ResponseTopic, c.CorrelationData = keep(m.ContentType), keep(m.ResponseTopic), keep(m.CorrelationData)
	c.User.wire = keep(m.User.wire)
	return c
}

// setProperty takes over the property that p stands on. It reports false if it
// is none of a message.
func (m *Message) setProperty(p *propertyReader) bool {
	switch p.id {
	case propPayloadFormat:
		m.PayloadIsText = p.num == 1
	case propMessageExpiry:
		m.HasExpiry, m.Expiry = true, p.num
	case propContentType:
		m.ContentType = p.data
	case propResponseTopic:
		m.ResponseTopic = p.data
		// [MQTT-3.3.2-14] "The Response Topic MUST NOT contain wildcard characters."
		if err := checkTopic(p.data); p.err == nil && err != nil {
			p.fail(err)
		}
	case propCorrelationData:
		m.CorrelationData = p.data
	default:
		return false
	}
	return true
}

// hasProperties reports whether writeProperties writes anything.
func (m *Message) hasProperties() bool {
	return m.PayloadIsText || m.HasExpiry || m.ContentType != nil || m.ResponseTopic != nil ||
		m.CorrelationData != nil || m.User.Size() > 0
}

func (m *Message) writeProperties(w *writer) {
	w.propFlag(propPayloadFormat, m.PayloadIsText, 1)
	w.propUint32(propMessageExpiry, m.HasExpiry, m.Expiry)
	w.propField(propContentType, m.ContentType)
	w.propField(propResponseTopic, m.ResponseTopic)
	w.propField(propCorrelationData, m.CorrelationData)
	w.propUser(m.User)
}
