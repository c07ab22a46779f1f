package codec_test

import (
	"errors"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"

	"pgregory.net/rapid"
)

var oracles = []*oracle{&mochiOracle, &paho5Oracle, &paho3Oracle}

// compareAll compares one packet with all oracles. A CONNECT says itself which
// version it is of, which is what v must be for it.
func compareAll(t tester, wire []byte, v codec.Version) {
	t.Helper()
	f, n, err := codec.Cut(wire, codec.MaxSize)
	if err == nil && n != len(wire) {
		return // not one whole packet
	}
	if f.Type == codec.TypeConnect {
		var p codec.Connect
		_ = p.Decode(f, v)
		v = p.Version
	}
	for _, o := range oracles {
		o.compare(t, wire, v)
	}
}

// TestOthersReadFixtures and the tests below show that three codecs, written
// by others, read the same as we do, where they read at all.
func TestOthersReadFixtures(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		compareAll(t, []byte(tt.Wire), tt.Version)
	}
	for _, tt := range codectest.Faults() {
		if _, n, _ := codec.Cut([]byte(tt.Wire), codec.MaxSize); n == len(tt.Wire) && tt.Version != 0 {
			compareAll(t, []byte(tt.Wire), tt.Version)
		}
	}
}

func TestOthersReadWhatWeWrite(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, v := drawPacket(t)
		wire, err := p.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range oracles {
			o.compare(t, wire, v)
		}
	})
}

func TestWeReadWhatOthersWrite(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, v := drawPacket(t)
		wire, err := p.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range oracles {
			if o.encode != nil {
				o.compareEncoded(t, wire, v)
			}
		}
	})
}

// TestMochiStillPanics keeps the crash in sight that a server of ours must not
// have: a filter without its options ends the process of one that does not
// recover.
func TestMochiStillPanics(t *testing.T) {
	t.Parallel()
	wire := []byte("\x82\x06\x00\x01\x00\x00\x01a")
	if _, err := decodeMochi(wire, codec.V5); !errors.Is(err, errMochi) {
		t.Errorf("got %v, want a panic", err)
	}
	if _, err := decodeWhole(wire, codec.V5); !errors.Is(err, codec.MalformedPacket) {
		t.Errorf("got %v, want malformed", err)
	}
}

// FuzzAgainstOthers looks for packets that we read unlike others do.
func FuzzAgainstOthers(f *testing.F) {
	for _, tt := range codectest.Fixtures() {
		f.Add([]byte(tt.Wire), tt.Version >= codec.V5)
	}
	for _, tt := range codectest.Faults() {
		f.Add([]byte(tt.Wire), tt.Version >= codec.V5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, five bool) {
		if len(wire) < 2 || len(wire) > 1<<16 {
			return
		}
		compareAll(t, wire, versionOf(five))
	})
}
