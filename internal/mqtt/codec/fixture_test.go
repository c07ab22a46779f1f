package codec_test

import (
	"errors"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"

	"github.com/google/go-cmp/cmp"
)

// limit is the longest packet of the tests that are not about length.
const limit = codectest.Limit

// cut returns the one packet that wire holds.
func cut(t *testing.T, wire []byte) codec.Frame {
	t.Helper()
	f, n, err := codec.Cut(wire, limit)
	if err != nil || n != len(wire) {
		t.Fatalf("cut %d of %d bytes: %v", n, len(wire), err)
	}
	return f
}

func TestDecodeFixtures(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			got, err := codec.Decode(cut(t, []byte(tt.Wire)), tt.Version)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.Packet, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if got.Type() != codec.Type(tt.Wire[0]>>4) {
				t.Errorf("got type %v of byte %02x", got.Type(), tt.Wire[0])
			}
		})
	}
}

func TestAppendFixtures(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.Packet.Append([]byte("before"), tt.Version)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]byte("before"+tt.Written()), got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if size := tt.Packet.Size(tt.Version); size != len(tt.Written()) {
				t.Errorf("got size %d, want %d", size, len(tt.Written()))
			}
		})
	}
}

// TestDecodeOverwrites shows that nothing of an earlier packet stays in a value
// that is used again.
func TestDecodeOverwrites(t *testing.T) {
	t.Parallel()
	used := make(map[codec.Type]codec.Packet)
	fixtures := codectest.Fixtures()
	for range 2 {
		for _, tt := range fixtures {
			f := cut(t, []byte(tt.Wire))
			p, ok := used[f.Type]
			if !ok {
				fresh, err := codec.Decode(f, tt.Version)
				if err != nil {
					t.Fatal(err)
				}
				p = fresh
				used[f.Type] = p
			}
			if err := p.Decode(f, tt.Version); err != nil {
				t.Fatalf("%s: %v", tt.Name, err)
			}
			if diff := cmp.Diff(tt.Packet, p, equateEmptyLists); diff != "" {
				t.Errorf("%s: want -, got +:\n%s", tt.Name, diff)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Faults() {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			f, n, err := codec.Cut([]byte(tt.Wire), limit)
			if err == nil {
				if n != len(tt.Wire) {
					t.Fatalf("cut %d of %d bytes", n, len(tt.Wire))
				}
				_, err = codec.Decode(f, tt.Version)
			}
			got, ok := errors.AsType[*codec.Error](err)
			if !ok {
				t.Fatalf("got %v, want %v [%s]", err, tt.Reason, tt.Rule)
			}
			if got.Reason != tt.Reason || got.Rule != tt.Rule {
				t.Errorf("got %v, want %v [%s]", got, tt.Reason, tt.Rule)
			}
		})
	}
}

// TestRefusedConnectSaysHowToAnswer shows that a CONNECT that is refused still
// tells the version of the answer.
func TestRefusedConnectSaysHowToAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Faults() {
		f, n, err := codec.Cut([]byte(tt.Wire), limit)
		if err != nil || n > len(tt.Wire) || f.Type != codec.TypeConnect {
			continue
		}
		var p codec.Connect
		if err := p.Decode(f, 0); codec.ReasonOf(err) != tt.Reason || p.Version != tt.Version {
			t.Errorf("%s: got version %v, %v, want %v, %v", tt.Name, p.Version, err, tt.Version, tt.Reason)
		}
	}
}
