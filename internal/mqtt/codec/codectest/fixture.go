// Package codectest is a library of MQTT packets in both of their forms: bytes
// on the wire and Go values. The tests of the codec and of the server share it,
// so that there is one truth about what a packet looks like.
package codectest

import (
	"slices"

	"muster/internal/mqtt/codec"
)

// Fixture is a packet that must be accepted.
type Fixture struct {
	// Name is a sentence.
	Name    string
	Version codec.Version
	// Wire is the whole packet.
	Wire string
	// Packet is what it says. It must not be modified.
	Packet codec.Packet
	// Canonical is how the packet is written by us, where that is not Wire:
	// defaults left out, properties in our order.
	Canonical string
}

// Written returns the bytes that Append makes of the packet.
func (f Fixture) Written() string {
	if f.Canonical != "" {
		return f.Canonical
	}
	return f.Wire
}

// Fault is a packet that must be refused.
type Fault struct {
	// Name is a sentence.
	Name    string
	Version codec.Version
	// Wire is the packet, or as much of it as it takes to refuse it.
	Wire string
	// Reason and Rule are those of the error.
	Reason codec.Reason
	Rule   string
}

// Fixtures returns packets of all types in both versions.
func Fixtures() []Fixture {
	return slices.Concat(connects(), Captured(), connacks(), publishes(), pubacks(), subscribes(), subacks(), others())
}

// Limit is the largest packet, in bytes, with which fixtures and faults are to
// be read.
const Limit = 1024

// Faults returns packets with one fault each.
func Faults() []Fault {
	return slices.Concat(frameFaults(), connectFaults(), publishFaults(), propertyFaults(), subscribeFaults(), answerFaults())
}

// User returns user properties made of names and values in turn.
func User(namesAndValues ...string) codec.UserProperties {
	var u codec.UserProperties
	for pair := range slices.Chunk(namesAndValues, 2) {
		if u.Add(pair[0], pair[1]) != nil {
			return codec.UserProperties{} // a fault of the fixture, which its test shows
		}
	}
	return u
}

func b(s string) []byte { return []byte(s) }
