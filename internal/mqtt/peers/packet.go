package peers

import (
	"encoding/binary"
	"errors"
	"math"

	"muster/internal/mqtt"
)

// kind says what a message between nodes is about. Kinds that a node does not know
// are passed over, so that a newer one can talk to it.
type kind byte

const (
	kindState   kind = iota + 1 // filters, all of them, in one message or more
	kindChange                  // filters that have changed
	kindBeat                    // nothing new, with a report
	kindAsk                     // tell me your filters
	kindPublish                 // a message for clients
	kindHand                    // a message for a session that has come from here
	kindClaim                   // claims to clients; it is answered
	kindAdopted                 // sessions of yours have been adopted
	kindBye                     // I am leaving
	kindReport                  // what I have of your filters
)

// Flags of kindState.
const (
	stateFirst  = 1 << iota // the others follow
	stateLast               // that was all
	stateFresh              // nobody has connected to the node so far
	stateAnswer             // tell me yours, too
)

// format is the first byte of every message.
const format = 1

// header begins every message.
type header struct {
	kind kind
	from string
	// number counts what one node sends to another, control and data each by itself;
	// 0 is not counted.
	number uint64
}

// headerSize is what a header takes at most beside the id of the node.
const headerSize = 2 + 2*binary.MaxVarintLen64

func appendHeader(b []byte, h header) []byte {
	b = append(b, format, byte(h.kind))
	b = appendText(b, h.from)
	return binary.AppendUvarint(b, h.number)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendTexts(b []byte, ss []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(ss)))
	for _, s := range ss {
		b = appendText(b, s)
	}
	return b
}

// cursor reads a message. After a fault everything reads as zero.
type cursor struct {
	b   []byte
	bad bool
}

var errMalformed = errors.New("peers: malformed message")

func (c *cursor) fail() { c.b, c.bad = nil, true }

// err returns why the message cannot be read, if it cannot.
func (c *cursor) err() error {
	if c.bad {
		return errMalformed
	}
	return nil
}

func (c *cursor) header() (h header) {
	if c.byte() != format {
		c.fail()
	}
	h.kind, h.from = kind(c.byte()), c.text()
	h.number = c.uint()
	if h.from == "" {
		c.fail()
	}
	return h
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) uint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// int reads a number that is never negative.
func (c *cursor) int() int64 {
	v := c.uint()
	if v > math.MaxInt64 {
		c.fail()
		return 0
	}
	return int64(v)
}

func (c *cursor) text() string { return string(c.take(c.uint())) }

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// texts reads a list. No more is believed than there are bytes.
func (c *cursor) texts() []string {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	var ss []string
	for range n {
		ss = append(ss, c.text())
	}
	return ss
}

// appendMessage adds a message as it is delivered.
func appendMessage(b []byte, m *mqtt.Message) ([]byte, error) {
	packet, err := m.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(max(m.Expires, 0)))
	b = binary.AppendUvarint(b, uint64(max(m.Stamp, 0)))
	b = appendText(b, m.From)
	return append(b, packet...), nil
}

// message reads what appendMessage has written, up to the end.
func (c *cursor) message() (*mqtt.Message, error) {
	m := &mqtt.Message{}
	expires, stamp, from := c.int(), c.int(), c.text()
	if c.bad {
		return nil, errMalformed
	}
	if err := m.UnmarshalBinary(c.b); err != nil {
		return nil, err
	}
	m.Expires, m.Stamp, m.From = expires, stamp, from
	return m, nil
}

func appendReport(b []byte, r report) []byte {
	for _, x := range [...]uint64{r.term, r.base, r.have, r.seenTerm, r.seen} {
		b = binary.AppendUvarint(b, x)
	}
	return b
}

func (c *cursor) report() (r report) {
	r.term, r.base, r.have = c.uint(), c.uint(), c.uint()
	r.seenTerm, r.seen = c.uint(), c.uint()
	return r
}

func flag(b bool, bit byte) byte {
	if b {
		return bit
	}
	return 0
}
