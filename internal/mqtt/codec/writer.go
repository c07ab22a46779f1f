package codec

import (
	"encoding/binary"
	"slices"
)

// maxField is the length of the longest text or binary field.
const maxField = 1<<16 - 1

// writer appends fields to a buffer, or only counts their bytes: every packet
// says once what it consists of, and is measured before it is written.
type writer struct {
	buf   []byte
	n     int  // bytes so far
	count bool // only count
	err   error
}

func counter() writer { return writer{count: true} }

// packetSize returns the length of a packet of so many bytes after its length.
func packetSize(body int) int { return 1 + varintSize(body) + body }

// open starts the packet that w has measured at the end of dst, and makes room
// for it.
func (w *writer) open(dst []byte, t Type, flags uint8) ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.n > maxVarint {
		return nil, errHuge()
	}
	dst = slices.Grow(dst, packetSize(w.n))
	return appendVarint(append(dst, byte(t)<<4|flags), w.n), nil
}

func (w *writer) uint8(v uint8) {
	w.n++
	if !w.count {
		w.buf = append(w.buf, v)
	}
}

func (w *writer) uint16(v uint16) {
	w.n += 2
	if !w.count {
		w.buf = binary.BigEndian.AppendUint16(w.buf, v)
	}
}

func (w *writer) uint32(v uint32) {
	w.n += 4
	if !w.count {
		w.buf = binary.BigEndian.AppendUint32(w.buf, v)
	}
}

func (w *writer) varint(v int) {
	w.n += varintSize(v)
	if !w.count {
		w.buf = appendVarint(w.buf, v)
	}
}

func (w *writer) bytes(b []byte) {
	w.n += len(b)
	if !w.count {
		w.buf = append(w.buf, b...)
	}
}

// field writes a text or binary field.
func (w *writer) field(b []byte) {
	if len(b) > maxField {
		w.err = errTooLong
		return
	}
	w.uint16(uint16(len(b)))
	w.bytes(b)
}

// The property methods write a property, or nothing if it is absent: a flag
// that is not set, a nil field, no pairs.

func (w *writer) propFlag(id propertyID, set bool, v uint8) {
	if set {
		w.uint8(uint8(id))
		w.uint8(v)
	}
}

func (w *writer) propUint16(id propertyID, set bool, v uint16) {
	if set {
		w.uint8(uint8(id))
		w.uint16(v)
	}
}

func (w *writer) propUint32(id propertyID, set bool, v uint32) {
	if set {
		w.uint8(uint8(id))
		w.uint32(v)
	}
}

func (w *writer) propSubscriptionID(v uint32) {
	if v == 0 || v > maxVarint {
		w.err = errRange
		return
	}
	w.uint8(uint8(propSubscriptionID))
	w.varint(int(v))
}

func (w *writer) propField(id propertyID, b []byte) {
	if b != nil {
		w.uint8(uint8(id))
		w.field(b)
	}
}

func (w *writer) propUser(u UserProperties) { w.bytes(u.wire) }
