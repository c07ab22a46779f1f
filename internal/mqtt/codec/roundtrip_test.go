package codec_test

import (
	"math/rand/v2"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRoundTrip shows that reading undoes writing, and that Size tells the
// truth.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want, v := drawPacket(t)
		wire, err := want.Append(nil, v)
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if size := want.Size(v); size != len(wire) {
			t.Fatalf("got size %d of %d bytes", size, len(wire))
		}
		f, n, err := codec.Cut(wire, len(wire))
		if err != nil || n != len(wire) {
			t.Fatalf("cut %d of %d bytes: %v", n, len(wire), err)
		}
		got, err := codec.Decode(f, v)
		if err != nil {
			t.Fatalf("%x: %v", wire, err)
		}
		if diff := cmp.Diff(want, got, equateEmptyLists); diff != "" {
			t.Fatalf("%x: want -, got +:\n%s", wire, diff)
		}
	})
}

// TestDamagedFixtures turns bits over, and takes bytes out and puts bytes in:
// whatever comes of it keeps the laws.
func TestDamagedFixtures(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, tt := range codectest.Fixtures() {
		for range 300 {
			wire := []byte(tt.Wire)
			for range 1 + rnd.IntN(3) {
				at := rnd.IntN(len(wire))
				switch rnd.IntN(3) {
				case 0:
					wire[at] ^= 1 << rnd.IntN(8)
				case 1:
					wire[at] = byte(rnd.Uint32())
				default:
					wire = append(wire[:at], wire[at+1:]...)
				}
				if len(wire) == 0 {
					break
				}
			}
			checkLaws(t, wire, tt.Version)
		}
	}
}
