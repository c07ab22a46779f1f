package codec

// MaxSize is the length of the longest packet that the protocol knows: one
// byte, four bytes of length, and what these can count.
const MaxSize = 1 + 4 + maxVarint

// Frame is a whole packet that has not been looked into.
type Frame struct {
	// Type is the kind of packet. It is never zero in a frame that Cut returned.
	Type Type
	// Flags are the lower four bits of the first byte. Cut has checked them.
	Flags uint8
	// Body is what follows the length. It shares the buffer's memory, and has no
	// room to be appended to.
	Body []byte
}

// Cut takes the first packet off a stream of which buf are the next bytes.
//
// It returns the packet and its length n if buf holds all of it: n <= len(buf).
// Otherwise the frame is empty and n > len(buf) is the number of bytes to have
// before asking again: the length of the packet if that is known, or one more
// than there are. Bytes after the first packet play no part, and asking earlier
// or later than told changes no answer.
//
// limit is the largest length of a packet that is welcome, its first bytes
// included. A longer one is refused with PacketTooLarge as soon as its length
// is known, so that n never exceeds the larger of limit and 5. A type, flags or
// a length that cannot be are malformed, as soon as they show.
func Cut(buf []byte, limit int) (f Frame, n int, err error) {
	if len(buf) == 0 {
		return Frame{}, 2, nil
	}
	f = Frame{Type: Type(buf[0] >> 4), Flags: buf[0] & 0x0F}
	if err := f.checkFlags(); err != nil {
		return Frame{}, 0, err
	}
	length, width := varint(buf[1:])
	n = 1 + width + length
	switch {
	case width < 0:
		return Frame{}, 0, malformed("MQTT-1.5.5-1", "length of the packet is no variable byte integer")
	case width == 0:
		return Frame{}, len(buf) + 1, nil
	case n > limit:
		return Frame{}, 0, &Error{Reason: PacketTooLarge, Text: "packet is longer than the limit"}
	case n > len(buf):
		return Frame{}, n, nil
	}
	f.Body = buf[1+width : n : n]
	return f, n, nil
}

// checkFlags refuses what the first byte of a packet cannot be.
func (f Frame) checkFlags() error {
	var want uint8
	switch f.Type {
	case 0:
		return malformed("", "packet type 0 is reserved")
	case TypePublish:
		switch qos, dup := QoS(f.Flags>>1&3), f.Flags&flagDup != 0; {
		case qos > QoS2:
			return malformed("MQTT-3.3.1-4", "QoS of the message is 3")
		case qos == QoS0 && dup:
			return malformed("MQTT-3.3.1-2", "message of QoS 0 claims to be sent again")
		}
		return nil
	case TypePubrel, TypeSubscribe, TypeUnsubscribe:
		want = flagsRequest
	}
	if f.Flags != want {
		return malformed("MQTT-2.1.3-1", "reserved flags of the packet are not as they must be")
	}
	return nil
}

// The flags of PUBLISH, and those that some other packets always have.
const (
	flagRetain   = 1 << 0
	flagDup      = 1 << 3
	flagsRequest = 1 << 1
)

const maxVarint = 1<<28 - 1

// varint reads the variable byte integer at the start of b. It returns its
// value and its width in bytes: zero if b ends too early, and negative if what
// is there cannot be one, because it is too long or longer than it needs to be.
func varint(b []byte) (value, width int) {
	for i := range 4 {
		if i == len(b) {
			return 0, 0
		}
		value |= int(b[i]&0x7F) << (7 * i)
		if b[i] < 0x80 {
			if i > 0 && b[i] == 0 {
				return 0, -1
			}
			return value, i + 1
		}
	}
	return 0, -1
}

// varintSize returns the width of value as a variable byte integer.
func varintSize(value int) int {
	switch {
	case value < 1<<7:
		return 1
	case value < 1<<14:
		return 2
	case value < 1<<21:
		return 3
	}
	return 4
}

// appendVarint writes value, which is not negative and at most maxVarint.
func appendVarint(dst []byte, value int) []byte {
	for value >= 0x80 {
		dst = append(dst, byte(value)|0x80)
		value >>= 7
	}
	return append(dst, byte(value))
}
