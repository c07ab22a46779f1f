package codec

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// cursor reads fields off the front of a body. The first failure stays: from
// then on there is nothing left to read, and every field is zero.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(err *Error) {
	if c.err == nil {
		c.err = err
	}
	c.rest = nil
}

func (c *cursor) short() {
	c.fail(errShort())
}

// end returns the error of the cursor, or one if bytes are left.
func (c *cursor) end() error {
	if len(c.rest) > 0 {
		c.fail(malformed("", "packet goes on after its last field"))
	}
	return c.err
}

func (c *cursor) uint8() uint8 {
	if len(c.rest) < 1 {
		c.short()
		return 0
	}
	v := c.rest[0]
	c.rest = c.rest[1:]
	return v
}

func (c *cursor) uint16() uint16 {
	if len(c.rest) < 2 {
		c.short()
		return 0
	}
	v := binary.BigEndian.Uint16(c.rest)
	c.rest = c.rest[2:]
	return v
}

func (c *cursor) uint32() uint32 {
	if len(c.rest) < 4 {
		c.short()
		return 0
	}
	v := binary.BigEndian.Uint32(c.rest)
	c.rest = c.rest[4:]
	return v
}

func (c *cursor) varint() int {
	v, width := varint(c.rest)
	switch {
	case width < 0:
		c.fail(malformed("MQTT-1.5.5-1", "number is no variable byte integer"))
		return 0
	case width == 0:
		c.short()
		return 0
	}
	c.rest = c.rest[width:]
	return v
}

// binary reads a length and as many bytes. They share the body's memory, and
// have no room to be appended to.
func (c *cursor) binary() []byte {
	if len(c.rest) < 2 {
		c.short()
		return nil
	}
	n := 2 + int(binary.BigEndian.Uint16(c.rest))
	if len(c.rest) < n {
		c.short()
		return nil
	}
	b := c.rest[2:n:n]
	c.rest = c.rest[n:]
	return b
}

// text reads a UTF-8 string.
func (c *cursor) text() []byte {
	b := c.binary()
	if err := checkText(b); err != nil {
		c.fail(err)
		return nil
	}
	return b
}

// packetID reads a packet identifier, which is never zero.
func (c *cursor) packetID() uint16 {
	id := c.uint16()
	if id == 0 {
		c.fail(errZeroID())
	}
	return id
}

// checkText refuses what is not a UTF-8 string of the protocol. Surrogates and
// longer forms than needed are not UTF-8.
func checkText(b []byte) *Error {
	if bytes.IndexByte(b, 0) >= 0 {
		return malformed("MQTT-1.5.4-2", "text contains the null character")
	}
	if !utf8.Valid(b) {
		return malformed("MQTT-1.5.4-1", "text is not UTF-8")
	}
	return nil
}
