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
	// Node is the id of the node that owns the session, empty if none does: in a
	// cluster only the owner changes it and its messages.
	Node string
	// Epoch grows with each owner, nobody included. It is 0 where there is no cluster.
	Epoch int64
}

// SessionOwner says whose a session is.
type SessionOwner struct {
	Key   SessionKey
	Node  string
	Epoch int64
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
	// Stamp orders the messages that nodes keep for one topic; 0 is not compared.
	Stamp int64
	// Expires is when it is no longer worth delivering.
	Expires int64
	// Packet is the message as MQTT 5 spells it. It must not be modified.
	Packet []byte
}

// SessionReader reads what devices left when they went.
type SessionReader interface {
	// Session returns a session, or apierr.NotFound.
	Session(key SessionKey) (Session, error)
	// Sessions returns a page of all sessions by key.
	Sessions(p Page[SessionKey]) (ss []Session, more bool, err error)
	// SessionsOf returns a page of the sessions of a node by key; those of no
	// node if it is empty.
	SessionsOf(node string, p Page[SessionKey]) (ss []Session, more bool, err error)
	// SessionNodes returns the nodes that own sessions, in order. The empty one is
	// among them if there are sessions that nobody owns.
	SessionNodes() ([]string, error)
	// SessionMessages returns a page of all messages of all sessions by place.
	SessionMessages(p Page[SessionPlace]) (ms []SessionMessage, more bool, err error)
	// SessionMessagesOf returns a page of the messages of a session by number.
	// Numbers are greater than 0.
	SessionMessagesOf(key SessionKey, p Page[int64]) (ms []SessionMessage, more bool, err error)
	// Retained returns a page of the retained messages by topic.
	Retained(p Page[string]) (rs []Retained, more bool, err error)
}

// SessionWriter writes sessions. What is not there is deleted without a
// complaint. No key, place or topic may be in one call twice.
type SessionWriter interface {
	// LockSessions returns the owners of those sessions that there are, in no
	// order. Nobody else changes them until the transaction ends, nor their
	// messages if whoever writes messages has locked the session, too.
	LockSessions(keys []SessionKey) ([]SessionOwner, error)
	// PutSessions adds sessions or replaces them. Their messages stay. It fails
	// with apierr.Conflict if one has a greater epoch already, or the same epoch
	// and another owner. An epoch of 0 is not compared and leaves the owner of a
	// session as it is.
	PutSessions(ss []Session) error
	// DeleteSessions removes sessions and their messages.
	DeleteSessions(keys []SessionKey) error
	// PutSessionMessages adds messages or replaces them. Whether there are such
	// sessions is not checked.
	PutSessionMessages(ms []SessionMessage) error
	// DeleteSessionMessages removes messages.
	DeleteSessionMessages(at []SessionPlace) error
	// PutRetained adds the message of a topic or replaces it, unless there is one
	// with a greater stamp and the new one has a stamp, too.
	PutRetained(r Retained) error
	// DeleteRetained removes the message of a topic, unless it has a greater stamp
	// and the one given is not 0.
	DeleteRetained(topic string, stamp int64) error
}
