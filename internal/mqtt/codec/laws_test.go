package codec_test

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"

	"muster/internal/mqtt/codec"

	"github.com/google/go-cmp/cmp"
)

// checkLaws holds the codec to what it promises about any bytes: it stays
// within the frame, modifies nothing, says what is wrong in its own words, and
// reads again what it writes.
func checkLaws(t *testing.T, wire []byte, v codec.Version) {
	t.Helper()
	// The stream stands in the middle of a larger buffer.
	const margin = 16
	buf := bytes.Repeat([]byte{0xA5}, len(wire)+2*margin)
	copy(buf[margin:], wire)
	before := bytes.Clone(buf)
	stream := buf[margin : margin+len(wire)]

	f, n, err := codec.Cut(stream, limit)
	if err != nil {
		checkError(t, wire, err)
		return
	}
	if n > len(stream) {
		if n > limit || f.Type != 0 || f.Body != nil {
			t.Fatalf("%x: got %v, need %d", wire, f, n)
		}
		return
	}
	p, err := codec.Decode(f, v)
	if !bytes.Equal(buf, before) {
		t.Fatalf("%x: decoding has changed the buffer", wire)
	}
	if err != nil {
		checkError(t, wire, err)
		return
	}
	checkWithin(t, wire, p, f.Body)
	if got := listBytes(p); got > 12*n {
		t.Fatalf("%x: lists take %d bytes, the packet %d", wire, got, n)
	}
	checkWritten(t, wire, p, v)
}

// checkError wants an error with a reason that a packet can carry.
func checkError(t *testing.T, wire []byte, err error) {
	t.Helper()
	e, ok := errors.AsType[*codec.Error](err)
	if !ok || !e.Reason.Failed() || e.Text == "" || !e.Reason.In(codec.TypeDisconnect) && !e.Reason.In(codec.TypeConnack) {
		t.Fatalf("%x: got error %#v", wire, err)
	}
}

// checkWritten writes p, reads that, and writes it again.
func checkWritten(t *testing.T, wire []byte, p codec.Packet, v codec.Version) {
	t.Helper()
	first, err := p.Append(nil, v)
	if err != nil {
		t.Fatalf("%x: read as %+v, which cannot be written: %v", wire, p, err)
	}
	if size := p.Size(v); size != len(first) {
		t.Fatalf("%x: got size %d of %d bytes", wire, size, len(first))
	}
	if len(first) > len(wire) {
		t.Fatalf("%x: became longer: %x", wire, first)
	}
	f, n, err := codec.Cut(first, limit)
	if err != nil || n != len(first) {
		t.Fatalf("%x: written as %x, cut at %d: %v", wire, first, n, err)
	}
	again, err := codec.Decode(f, v)
	if err != nil {
		t.Fatalf("%x: written as %x: %v", wire, first, err)
	}
	if diff := cmp.Diff(p, again, equateEmptyLists); diff != "" {
		t.Fatalf("%x: written as %x, first read -, then +:\n%s", wire, first, diff)
	}
	second, err := again.Append(nil, v)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x: written as %x, then as %x, %v", wire, first, second, err)
	}
}

// checkWithin wants every field of p to be a part of the body, without room to
// grow beyond itself.
func checkWithin(t *testing.T, wire []byte, p codec.Packet, body []byte) {
	t.Helper()
	for _, field := range fields(p) {
		if len(field) == 0 {
			continue
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(field)))
		first := uintptr(unsafe.Pointer(unsafe.SliceData(body)))
		if start < first || start+uintptr(cap(field)) > first+uintptr(len(body)) {
			t.Fatalf("%x: field %q is no part of the body", wire, field)
		}
		if cap(field) != len(field) {
			t.Fatalf("%x: field %q has room for %d bytes", wire, field, cap(field))
		}
	}
}

// fields returns the byte slices of p but for user properties, which may have
// been moved together.
func fields(p codec.Packet) [][]byte {
	message := func(m *codec.Message) [][]byte {
		return [][]byte{m.Topic, m.Payload, m.ContentType, m.ResponseTopic, m.CorrelationData}
	}
	switch p := p.(type) {
	case *codec.Connect:
		return append(message(&p.Will.Message), p.ClientID, p.UserName, p.Password, p.AuthMethod, p.AuthData)
	case *codec.Connack:
		return [][]byte{p.AssignedClientID, p.ReasonString, p.ResponseInfo, p.ServerReference, p.AuthMethod, p.AuthData}
	case *codec.Publish:
		return message(&p.Message)
	case *codec.Puback:
		return [][]byte{p.ReasonString}
	case *codec.Subscribe:
		var list [][]byte
		for _, s := range p.Filters {
			list = append(list, s.Filter)
		}
		return list
	case *codec.Suback:
		return [][]byte{p.ReasonString}
	case *codec.Unsubscribe:
		return p.Filters
	case *codec.Unsuback:
		return [][]byte{p.ReasonString}
	case *codec.Disconnect:
		return [][]byte{p.ReasonString, p.ServerReference}
	case *codec.Auth:
		return [][]byte{p.Method, p.Data, p.ReasonString}
	}
	return nil
}

// listBytes returns what the lists of p take in memory.
func listBytes(p codec.Packet) int {
	switch p := p.(type) {
	case *codec.Publish:
		return cap(p.SubscriptionIDs)*int(unsafe.Sizeof(uint32(0))) + p.User.Size()
	case *codec.Subscribe:
		return cap(p.Filters)*int(unsafe.Sizeof(codec.Subscription{})) + p.User.Size()
	case *codec.Unsubscribe:
		return cap(p.Filters)*int(unsafe.Sizeof([]byte{})) + p.User.Size()
	case *codec.Suback:
		return cap(p.Reasons) + p.User.Size()
	case *codec.Unsuback:
		return cap(p.Reasons) + p.User.Size()
	}
	return 0
}
