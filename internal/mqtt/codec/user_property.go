package codec

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// UserProperties are pairs of a name and a value, in the order in which they
// were sent or added. Names may repeat. They are kept as they are on the wire,
// so that passing them on is a copy. Those of a decoded packet share the
// memory of its frame. The zero value has no pairs.
type UserProperties struct {
	wire []byte
}

// All goes through the pairs. Name and value share the memory of u.
func (u UserProperties) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		c := cursor{rest: u.wire}
		for len(c.rest) > 0 {
			c.uint8()
			if name := c.binary(); !yield(name, c.binary()) {
				return
			}
		}
	}
}

// Add appends a pair. It returns an error, and adds nothing, if name or value
// are longer than 65,535 bytes or are not text. It never writes to memory that
// u shares with a frame or another value.
func (u *UserProperties) Add(name, value string) error {
	wire := make([]byte, 0, len(u.wire)+1+2+len(name)+2+len(value))
	wire = append(append(wire, u.wire...), byte(propUser))
	for _, s := range []string{name, value} {
		if len(s) > maxField {
			return errTooLong
		}
		wire = binary.BigEndian.AppendUint16(wire, uint16(len(s)))
		wire = append(wire, s...)
		if err := checkText(wire[len(wire)-len(s):]); err != nil {
			return err
		}
	}
	u.wire = wire
	return nil
}

// Size returns the number of bytes that the pairs take in a packet.
func (u UserProperties) Size() int { return len(u.wire) }

// Clone returns a copy that shares no memory with u.
func (u UserProperties) Clone() UserProperties {
	return UserProperties{wire: bytes.Clone(u.wire)}
}

// Equal reports whether u and v have the same pairs in the same order.
func (u UserProperties) Equal(v UserProperties) bool { return bytes.Equal(u.wire, v.wire) }
