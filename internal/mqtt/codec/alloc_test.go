package codec_test

import (
	"runtime"
	"strings"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"
)

// TestAllocations wants none where a packet is read into a value that was used
// before, or written to a buffer with room. It cannot run beside other tests:
// their allocations would count.
func TestAllocations(t *testing.T) {
	for _, tt := range codectest.Fixtures() {
		f := cut(t, []byte(tt.Wire))
		p, err := codec.Decode(f, tt.Version)
		if err != nil {
			t.Fatal(err)
		}
		// Properties that stand apart are moved together, which nobody does.
		if apart := strings.Contains(tt.Name, "stand apart"); !apart {
			if n := testing.AllocsPerRun(100, func() { _ = p.Decode(f, tt.Version) }); n != 0 {
				t.Errorf("%s: reading allocates %v times", tt.Name, n)
			}
		}
		buf := make([]byte, 0, p.Size(tt.Version))
		if n := testing.AllocsPerRun(100, func() { _, _ = p.Append(buf, tt.Version) }); n != 0 {
			t.Errorf("%s: writing allocates %v times", tt.Name, n)
		}
	}
}

// TestWorstAllocations reads the packets that take the most memory for their
// length, and wants it to stay below what the package promises.
func TestWorstAllocations(t *testing.T) {
	const size = 1 << 17
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	properties := func(s string) string {
		n := len(s)
		return string([]byte{byte(n) | 0x80, byte(n>>7) | 0x80, byte(n >> 14)}) + s
	}
	tests := []struct {
		name string
		f    codec.Frame
	}{
		{"short filters", codec.Frame{Type: codec.TypeSubscribe, Flags: 2, Body: []byte("\x00\x01\x00" + repeat("\x00\x01a\x00"))}},
		{"short filters to leave", codec.Frame{Type: codec.TypeUnsubscribe, Flags: 2, Body: []byte("\x00\x01\x00" + repeat("\x00\x01a"))}},
		{"filters and a fault at the end", codec.Frame{Type: codec.TypeSubscribe, Flags: 2, Body: []byte("\x00\x01\x00" + repeat("\x00\x01a\x00") + "\x00")}},
		{"subscription ids", codec.Frame{Type: codec.TypePublish, Body: []byte("\x00\x01t" + properties(repeat("\x0b\x01")))}},
		{"pairs that stand apart", codec.Frame{Type: codec.TypePublish, Body: []byte("\x00\x01t" + properties(repeat("\x26\x00\x00\x00\x00\x0b\x01")))}},
		{"reason codes", codec.Frame{Type: codec.TypeSuback, Body: []byte("\x00\x01\x00" + repeat("\x00"))}},
	}
	for _, tt := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := codec.Decode(tt.f, codec.V5)
		runtime.ReadMemStats(&after)
		if fault := strings.Contains(tt.name, "fault"); (err != nil) != fault {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %.1f bytes for each byte of the packet", tt.name, float64(got)/float64(len(tt.f.Body)))
		if got > 12*uint64(len(tt.f.Body)) {
			t.Errorf("%s: %d bytes of packet took %d of memory", tt.name, len(tt.f.Body), got)
		}
	}
}
