package codec

import (
	"bytes"
	"encoding/binary"
)

// sharePrefix begins the filters of shared subscriptions.
const sharePrefix = "$share/"

// CheckTopic returns nil if b is the name of a topic that a message may be
// published to: text of 1 to 65,535 bytes without wildcards. Otherwise the
// error's reason is MalformedPacket if b is not even text, or TopicNameInvalid.
func CheckTopic(b []byte) error {
	// The pointer must not become an error that is not nil.
	if err := checkTopic(b); err != nil {
		return err
	}
	return nil
}

func checkTopic(b []byte) *Error {
	switch {
	case len(b) == 0:
		return &Error{TopicNameInvalid, "MQTT-4.7.3-1", "topic is empty"}
	case len(b) > maxField:
		return &Error{TopicNameInvalid, "MQTT-4.7.3-3", "topic is longer than 65535 bytes"}
	case plain(b):
		return nil
	case bytes.IndexByte(b, '+') >= 0 || bytes.IndexByte(b, '#') >= 0:
		return &Error{TopicNameInvalid, "MQTT-4.7.0-1", "topic contains a wildcard"}
	}
	return checkText(b)
}

// plain reports whether b is ASCII without null characters and wildcards, as
// nearly all topics are. It looks at eight bytes at a time, the last eight
// included, and so gives short ones up unseen: false says nothing.
func plain(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	odd := oddBytes(binary.LittleEndian.Uint64(b[len(b)-8:]))
	for i := 0; i+8 < len(b); i += 8 {
		odd |= oddBytes(binary.LittleEndian.Uint64(b[i:]))
	}
	return odd == 0
}

// oddBytes returns zero if none of the bytes of w is 0, + or #, or over 0x7F.
// Among bytes below 0x80, only from zero does taking one away set the highest
// bit, and the exclusive or makes zero of what is looked for.
func oddBytes(w uint64) uint64 {
	const ones = 0x0101010101010101
	return (w | (w - ones) | ((w ^ '+'*ones) - ones) | ((w ^ '#'*ones) - ones)) & (0x80 * ones)
}

// CheckFilter returns nil if b is a topic filter that may be subscribed to:
// text of 1 to 65,535 bytes, in which wildcards occupy levels of their own and
// # is the last one. What begins with $share/ names a share and a filter in it,
// both not empty. Otherwise the error's reason is MalformedPacket if b is not
// even text, or TopicFilterInvalid.
func CheckFilter(b []byte) error {
	if err := checkFilter(b); err != nil {
		return err
	}
	return nil
}

func checkFilter(b []byte) *Error {
	if len(b) > maxField {
		return &Error{TopicFilterInvalid, "MQTT-4.7.3-3", "topic filter is longer than 65535 bytes"}
	}
	if err := checkText(b); err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte(sharePrefix)) {
		name, filter, ok := SplitShare(b)
		switch {
		case len(name) == 0:
			return &Error{TopicFilterInvalid, "MQTT-4.8.2-1", "share has no name"}
		case bytes.ContainsAny(name, "+#"):
			return &Error{TopicFilterInvalid, "MQTT-4.8.2-2", "name of the share contains a wildcard"}
		case !ok:
			return &Error{TopicFilterInvalid, "MQTT-4.8.2-2", "share has no topic filter"}
		}
		b = filter
	}
	return checkLevels(b)
}

// checkLevels refuses wildcards that share a level, and # before the end.
func checkLevels(b []byte) *Error {
	if len(b) == 0 {
		return &Error{TopicFilterInvalid, "MQTT-4.7.3-1", "topic filter is empty"}
	}
	for i, c := range b {
		if c != '+' && c != '#' {
			continue
		}
		last := i == len(b)-1
		alone := (i == 0 || b[i-1] == '/') && (last || b[i+1] == '/')
		switch {
		case c == '#' && (!alone || !last):
			return &Error{TopicFilterInvalid, "MQTT-4.7.1-1", "# is not the last level of the topic filter"}
		case !alone:
			return &Error{TopicFilterInvalid, "MQTT-4.7.1-2", "+ is not a level of the topic filter"}
		}
	}
	return nil
}

// SplitShare takes $share/{name}/{filter} apart. It reports false if filter is
// not that of a shared subscription; the parts share its memory.
func SplitShare(filter []byte) (name, rest []byte, ok bool) {
	name, ok = bytes.CutPrefix(filter, []byte(sharePrefix))
	if !ok {
		return nil, nil, false
	}
	return bytes.Cut(name, []byte{'/'})
}
