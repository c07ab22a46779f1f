package codec_test

import (
	"reflect"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"

	"github.com/google/go-cmp/cmp"
)

// outcome is what became of a stream: its packets, how much of the next one
// was known, and the fault that ended it.
type outcome struct {
	Frames []codec.Frame
	Need   int
	Fault  string
}

// cutAll cuts a stream that is there as a whole.
func cutAll(stream []byte, limit int) outcome {
	var o outcome
	for {
		f, n, err := codec.Cut(stream, limit)
		switch {
		case err != nil:
			o.Fault = err.Error()
			return o
		case n > len(stream):
			o.Need = n - len(stream)
			return o
		}
		o.Frames = append(o.Frames, f)
		stream = stream[n:]
	}
}

// FuzzCut shows that a stream means the same however it arrives: as a whole, or
// in pieces whose sizes are bytes of splits, read into a buffer that holds no
// more than Cut asks for.
func FuzzCut(f *testing.F) {
	var all []byte
	for i, tt := range codectest.Fixtures() {
		all = append(all, tt.Wire...)
		f.Add([]byte(tt.Wire+"\xc0\x00"), []byte{byte(i), 1, 3}, uint16(limit))
	}
	f.Add(all, []byte{1}, uint16(limit))
	f.Add(all, []byte{7, 255, 2}, uint16(100))
	for _, tt := range codectest.Faults() {
		f.Add([]byte(tt.Wire), []byte{1}, uint16(limit))
	}
	f.Fuzz(func(t *testing.T, stream, splits []byte, size uint16) {
		limit := int(size)
		want := cutAll(stream, limit)
		var got outcome
		buf, rest, turn := make([]byte, 0, 5), stream, 0
		for {
			f, n, err := codec.Cut(buf, limit)
			if err != nil {
				got.Fault = err.Error()
				break
			}
			if n > max(limit, 5) {
				t.Fatalf("asked for %d bytes within %d", n, limit)
			}
			if n <= len(buf) {
				f.Body = append([]byte{}, f.Body...)
				got.Frames = append(got.Frames, f)
				buf = buf[:copy(buf, buf[n:])]
				continue
			}
			if len(rest) == 0 {
				got.Need = n - len(buf)
				break
			}
			piece := 1
			if len(splits) > 0 {
				piece = max(1, int(splits[turn%len(splits)]))
				turn++
			}
			piece = min(piece, len(rest), n-len(buf))
			buf, rest = append(buf, rest[:piece]...), rest[piece:]
		}
		if !reflect.DeepEqual(want, got) { // cmp takes most of the time
			t.Fatalf("%x within %d: as a whole -, in pieces +:\n%s", stream, limit, cmp.Diff(want, got))
		}
	})
}

// FuzzDecode holds the codec to its laws on any bytes.
func FuzzDecode(f *testing.F) {
	for _, tt := range codectest.Fixtures() {
		f.Add([]byte(tt.Wire), tt.Version >= codec.V5)
		f.Add([]byte(tt.Wire), tt.Version < codec.V5)
	}
	for _, tt := range codectest.Faults() {
		f.Add([]byte(tt.Wire), tt.Version >= codec.V5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, five bool) {
		checkLaws(t, wire, versionOf(five))
	})
}

func versionOf(five bool) codec.Version {
	if five {
		return codec.V5
	}
	return codec.V311
}
