package store

// SessionKey identifies a device's session: a hash of its client id, which
// spreads sessions evenly however devices are named.
type SessionKey [16]byte

// Session is what is kept of a device's MQTT session beside its messages.
type Session struct {
	Key SessionKey
	// ClientID is what Key is the hash of.
	ClientID string
	// Version of the protocol that the session was made with, as MQTT numbers it.
	Version byte
	// Expiry is how long the session lives after the end of its connection, in
	// milliseconds.
	Expiry int64
	// Ends is when it ends; 0 while its device is connected.
	Ends int64
	// Subscriptions are in the order in which they were made.
	Subscriptions []SessionSubscription
}

// SessionSubscription is one topic filter of a session.
type SessionSubscription struct {
	Filter            string `json:"f"`
	QoS               byte   `json:"q,omitempty"`
	NoLocal           bool   `json:"n,omitempty"`
	RetainAsPublished bool   `json:"r,omitempty"`
}

// SessionPlace is the place of a message in a session: messages are ordered by
// session, and in a session by number.
type SessionPlace struct {
	Key SessionKey
	Seq int64
}

// SessionMessage is a message that the device of a session has not acknowledged.
type SessionMessage struct {
	SessionPlace
	// Retain is a flag of the delivery, not of the message.
	Retain bool
	// Expires is when it is no longer worth delivering.
	Expires int64
	// Packet is the message as MQTT 5 spells it. It must not be modified.
	Packet []byte
}

// Retained is the message that is kept for later subscribers of a topic.
type Retained struct {
	Topic string
	// Expires is when it is no longer worth delivering.
	Expires int64
	// Packet is the message as MQTT 5 spells it. It must not be modified.
	Packet []byte
}

// SessionReader reads what devices left when they went.
type SessionReader interface {
	// Sessions returns a page of all sessions by key.
	Sessions(p Page[SessionKey]) (ss []Session, more bool, err error)
	// SessionMessages returns a page of all messages of all sessions by place.
	SessionMessages(p Page[SessionPlace]) (ms []SessionMessage, more bool, err error)
	// Retained returns a page of the retained messages by topic.
	Retained(p Page[string]) (rs []Retained, more bool, err error)
}

// SessionWriter writes sessions. What is not there is deleted without a complaint.
type SessionWriter interface {
	// PutSession adds a session or replaces it. Its messages stay.
	PutSession(s Session) error
	// DeleteSession removes a session and its messages.
	DeleteSession(key SessionKey) error
	// PutSessionMessage adds a message or replaces it. Whether there is such a
	// session is not checked.
	PutSessionMessage(m SessionMessage) error
	// DeleteSessionMessage removes a message.
	DeleteSessionMessage(at SessionPlace) error
	// PutRetained adds the message of a topic or replaces it.
	PutRetained(r Retained) error
	// DeleteRetained removes the message of a topic.
	DeleteRetained(topic string) error
}
