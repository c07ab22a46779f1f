package codec_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"
)

func TestCut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		buf   string
		limit int
		n     int
		body  int // -1: not whole yet
	}{
		{"nothing asks for the shortest packet", "", limit, 2, -1},
		{"one byte asks for another", "\xc0", limit, 2, -1},
		{"the shortest packet", "\xc0\x00", limit, 2, 0},
		{"what follows is left alone", "\xc0\x00\xff\xff", limit, 2, 0},
		{"a length that goes on asks for one byte more", "\x30\x80", limit, 3, -1},
		{"a length that goes on twice", "\x30\x80\x80", limit, 4, -1},
		{"a length that goes on three times", "\x30\x80\x80\x80", limit, 5, -1},
		{"a known length asks for all of it", "\x30\x7f", limit, 129, -1},
		{"a length of two bytes", "\x30\x80\x01", limit, 131, -1},
		{"one byte is missing", "\x30\x03\x00\x01", limit, 5, -1},
		{"exactly there", "\x30\x03\x00\x01t", limit, 5, 3},
		{"exactly the limit", "\x30\x03\x00\x01t", 5, 5, 3},
		{"the longest of all", "\x30\xff\xff\xff\x7f", codec.MaxSize, codec.MaxSize, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, n, err := codec.Cut([]byte(tt.buf), tt.limit)
			if err != nil || n != tt.n {
				t.Fatalf("got n %d, %v, want %d", n, err, tt.n)
			}
			if whole := f.Type != 0; whole != (tt.body >= 0) || whole != (n <= len(tt.buf)) {
				t.Fatalf("got frame %v of %d bytes, n %d", f, len(tt.buf), n)
			}
			if tt.body >= 0 && len(f.Body) != tt.body {
				t.Errorf("got a body of %d bytes, want %d", len(f.Body), tt.body)
			}
		})
	}
}

// TestCutRefusesBeforeTheBody shows that a packet over the limit is refused by
// its length alone, whatever the limit.
func TestCutRefusesBeforeTheBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		head  string
		limit int
	}{
		{"\x10\x04", 5}, {"\x10\xfc\x07", 1022}, {"\x10\xff\xff\xff\x7f", codec.MaxSize - 1}, {"\x30\x01", 1},
	} {
		if _, n, err := codec.Cut([]byte(tt.head), tt.limit); !errors.Is(err, codec.PacketTooLarge) {
			t.Errorf("%x within %d: got n %d, %v, want too large", tt.head, tt.limit, n, err)
		}
		if _, _, err := codec.Cut([]byte(tt.head), tt.limit+2); err != nil {
			t.Errorf("%x within %d: %v", tt.head, tt.limit+2, err)
		}
	}
}

// TestCutAtEveryByte feeds the fixtures as one stream, byte by byte, and as one
// buffer: packets and questions are the same.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	var stream []byte
	for _, f := range codectest.Fixtures() {
		stream = append(stream, f.Wire...)
	}
	var buf []byte
	need, packets := 2, 0
	for _, c := range stream {
		buf = append(buf, c)
		f, n, err := codec.Cut(buf, limit)
		switch {
		case err != nil:
			t.Fatal(err)
		case n > len(buf):
			if len(buf) >= need && n <= need {
				t.Fatalf("told %d bytes, then %d, with %d", need, n, len(buf))
			}
			need = n
		case f.Type == 0 || n != len(buf):
			t.Fatalf("got %v, n %d of %d bytes", f, n, len(buf))
		default:
			buf, need = buf[:0], 2
			packets++
		}
	}
	if packets != len(codectest.Fixtures()) {
		t.Errorf("got %d packets, want %d", packets, len(codectest.Fixtures()))
	}
}

func TestBodyCannotGrowIntoTheNextPacket(t *testing.T) {
	t.Parallel()
	buf := []byte("\x30\x05\x00\x01tab\xc0\x00")
	f, _, err := codec.Cut(buf, limit)
	if err != nil {
		t.Fatal(err)
	}
	var p codec.Publish
	if err := p.Decode(f, codec.V311); err != nil {
		t.Fatal(err)
	}
	_ = append(f.Body, "xx"...)
	_ = append(p.Topic, "xx"...)
	_ = append(p.Payload, "xx"...)
	if want := "\x30\x05\x00\x01tab\xc0\x00"; string(buf) != want {
		t.Errorf("got %q, want %q", buf, want)
	}
}

// TestTruncated takes bytes off the end of every fixture, with a length that
// says so: nothing panics, and only what may be left out is missed by nobody.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, tt := range codectest.Fixtures() {
		whole := cut(t, []byte(tt.Wire))
		for n := range len(whole.Body) {
			f := whole
			f.Body = bytes.Clone(f.Body[:n])
			p, err := codec.Decode(f, tt.Version)
			if err != nil {
				if r := codec.ReasonOf(err); r == codec.UnspecifiedError {
					t.Errorf("%s, %d bytes: %v", tt.Name, n, err)
				}
				continue
			}
			switch p.Type() {
			case codec.TypePublish, codec.TypePuback, codec.TypeDisconnect, codec.TypeSuback, codec.TypeUnsuback,
				codec.TypeSubscribe, codec.TypeUnsubscribe, codec.TypeAuth: // end in a list or in what may be left out
			default:
				t.Errorf("%s: accepted with %d of %d bytes", tt.Name, n, len(whole.Body))
			}
		}
	}
}

func TestErrorTellsReasonTextAndRule(t *testing.T) {
	t.Parallel()
	_, _, err := codec.Cut([]byte("\x36"), limit)
	if want := "malformed packet: QoS of the message is 3 [MQTT-3.3.1-4]"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, _, err = codec.Cut([]byte("\x00"), limit)
	if err == nil || strings.Contains(err.Error(), "[") {
		t.Errorf("got %v, want no rule", err)
	}
}
