// Package codec turns MQTT 3.1.1 and MQTT 5 packets into Go values and back.
//
// It is pure: no I/O, no clock, no goroutine. A connection collects bytes in a
// buffer of its own and asks [Cut] for the next packet; Cut says how many bytes
// are missing before anything has been allocated for them. What Cut returns is
// a [Frame], which the Decode method of one of the packet types takes apart:
//
//	for {
//		f, n, err := codec.Cut(buf, limit)
//		if err != nil {
//			return err // codec.ReasonOf(err) is what to tell the peer
//		}
//		if n > len(buf) {
//			break // read until buf holds n bytes
//		}
//		switch f.Type {
//		case codec.TypePublish:
//			err = publish.Decode(f, version)
//		case …
//		}
//		buf = buf[n:]
//	}
//
// The other way, Size tells the length of a packet without writing it, and
// Append writes it to the end of a buffer.
//
// # Ownership
//
// Byte slices of a decoded packet are parts of the frame and share its memory.
// They are valid until the owner of the buffer writes to it again; what must
// live longer is copied, messages with [Message.Clone]. Decode overwrites all
// of the packet it is called on, and uses the memory of its lists again. Append
// reads a packet and keeps nothing of it.
//
// A nil slice is a field that is absent, an empty one a field without bytes.
//
// # Laws
//
// Whatever bytes come in, nothing panics, nothing outside the frame is read, and
// what is allocated stays below twelve times the length of the frame. What Decode
// accepts, Append writes so that Decode reads the same again. Append refuses what
// cannot be framed or breaks the protocol, with the exception of the contents of
// text and topics: they were checked when they were decoded, or are up to the
// caller (see [CheckTopic] and [CheckFilter]). A property that a version does not
// have is left out; a refusal that it cannot say is an error.
//
// # Choices
//
// Quality of service 2 is unknown here: a message of that level and the packets
// of its handshake are refused with [QoSNotSupported]. A subscription may ask
// for it, since the answer grants less.
//
// Text may hold control characters and noncharacters, which the standard lets a
// receiver refuse or take [MQTT 5, 1.5.4]. A length that is written in more
// bytes than it needs is malformed in both versions [MQTT-1.5.5-1].
//
// Comments and errors name the clause of MQTT 5, such as [MQTT-3.3.1-4], or
// that of MQTT 3.1.1, such as [v3 MQTT-3.1.3-8], where only that one has it.
package codec
