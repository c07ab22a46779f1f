package codec_test

import (
	"errors"

	"muster/internal/mqtt/codec"

	"github.com/google/go-cmp/cmp"
)

// oracle is another implementation to be compared with.
type oracle struct {
	name string
	// decode reads a whole packet and tells in our words what it says. Faults
	// of the implementation that are not of interest are errSkip.
	decode func(wire []byte, v codec.Version) (codec.Packet, error)
	// encode, if any, has the oracle read a packet and write it again.
	encode func(wire []byte, v codec.Version) ([]byte, error)
	// forget, if any, takes out of a packet of ours what the oracle drops.
	forget func(codec.Packet)
	// laxer lists what we refuse and the oracle accepts, and why, by our rule, or
	// by our text where there is no rule. An oracle without a list checks too
	// little to say anything by accepting.
	laxer map[string]string
}

// tester is a test of package testing or of rapid.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// errSkip is a packet that the oracle is known to treat in a way of its own.
var errSkip = errors.New("known difference")

// compare holds one packet, which must be whole, against the oracle.
func (o *oracle) compare(t tester, wire []byte, v codec.Version) {
	t.Helper()
	ours, ourErr := decodeWhole(wire, v)
	theirs, theirErr := o.decode(wire, v)
	switch {
	case errors.Is(theirErr, errSkip):
	case ourErr == nil && theirErr != nil:
		t.Errorf("%s: %x (MQTT %v): we read %+v, it says %v", o.name, wire, v, ours, theirErr)
	case ourErr == nil:
		if o.forget != nil {
			o.forget(ours)
		}
		if diff := cmp.Diff(ours, theirs, sameMeaning); diff != "" {
			t.Errorf("%s: %x (MQTT %v): ours -, its +:\n%s", o.name, wire, v, diff)
		}
	case theirErr == nil && o.laxer != nil && o.laxer[key(ourErr)] == "":
		t.Errorf("%s: %x (MQTT %v): it reads %+v, we say %v", o.name, wire, v, theirs, ourErr)
	}
}

// compareEncoded has the oracle write what we have written, and reads that.
func (o *oracle) compareEncoded(t tester, wire []byte, v codec.Version) {
	t.Helper()
	again, err := o.encode(wire, v)
	if errors.Is(err, errSkip) {
		return
	}
	if err != nil {
		t.Fatalf("%s: %x: %v", o.name, wire, err)
	}
	ours, err := decodeWhole(wire, v)
	if err != nil {
		t.Fatal(err)
	}
	if o.forget != nil {
		o.forget(ours)
	}
	theirs, err := decodeWhole(again, v)
	if err != nil {
		t.Fatalf("%s: writes %x for %x: %v", o.name, again, wire, err)
	}
	if diff := cmp.Diff(ours, theirs, sameMeaning); diff != "" {
		t.Errorf("%s: writes %x for %x: ours -, its +:\n%s", o.name, again, wire, diff)
	}
}

// framed reports whether wire is one packet by its first bytes. The clients
// below allocate whatever length a packet announces.
func framed(wire []byte) bool {
	_, n, err := codec.Cut(wire, codec.MaxSize)
	return err == nil && n == len(wire)
}

func decodeWhole(wire []byte, v codec.Version) (codec.Packet, error) {
	f, n, err := codec.Cut(wire, codec.MaxSize)
	if err != nil {
		return nil, err
	}
	if n != len(wire) {
		return nil, errSkip
	}
	return codec.Decode(f, v)
}

// key returns the rule that an error is about, or its text.
func key(err error) string {
	e, ok := errors.AsType[*codec.Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.Rule != "":
		return e.Rule
	}
	return e.Text
}

// sameMeaning forgets what others cannot tell: a field without bytes from one
// that is absent, and a message that expires at once from one that never does.
var sameMeaning = cmp.Options{
	emptyList[byte](), equateEmptyLists,
	cmp.Transformer("expiry", func(m codec.Message) message5 {
		if m.Expiry == 0 {
			m.HasExpiry = false
		}
		return message5(m)
	}),
}

// message5 is a message that has been through a transformer, which would go on
// for ever otherwise.
type message5 codec.Message

// userOf makes user properties of names and values.
func userOf[T any](list []T, pair func(T) (name, value string)) codec.UserProperties {
	var u codec.UserProperties
	for _, p := range list {
		// What is not text is refused by us, and not compared.
		_ = u.Add(pair(p))
	}
	return u
}

// reasonsFrom makes reasons of bytes.
func reasonsFrom(codes []byte) []codec.Reason {
	var list []codec.Reason
	for _, c := range codes {
		list = append(list, codec.Reason(c))
	}
	return list
}

// returnCodes are the reasons behind the codes of CONNACK in MQTT 3.1.1.
var returnCodes = []codec.Reason{0x00, 0x84, 0x85, 0x88, 0x86, 0x87}

// reasonFrom returns the reason of a CONNACK.
func reasonFrom(code byte, v codec.Version) codec.Reason {
	if v < codec.V5 && int(code) < len(returnCodes) {
		return returnCodes[code]
	}
	return codec.Reason(code)
}
