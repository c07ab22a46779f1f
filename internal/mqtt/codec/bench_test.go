package codec_test

import (
	"bytes"
	"testing"

	"muster/internal/mqtt/codec"

	mochi "github.com/mochi-mqtt/server/v2/packets"
)

// What a device sends all day: a small message on a jobs topic.
var telemetry = codec.Publish{
	PacketID: 7,
	Message: codec.Message{
		QoS:     codec.QoS1,
		Topic:   []byte("$aws/things/device-0001/jobs/start-next"),
		Payload: make([]byte, 200),
	},
}

func frameOf(tb testing.TB, p codec.Packet, v codec.Version) codec.Frame {
	tb.Helper()
	b, err := p.Append(nil, v)
	if err != nil {
		tb.Fatal(err)
	}
	f, n, err := codec.Cut(b, codec.MaxSize)
	if err != nil || n != len(b) {
		tb.Fatalf("cut %d of %d bytes: %v", n, len(b), err)
	}
	return f
}

func BenchmarkCut(b *testing.B) {
	buf, err := telemetry.Append(nil, codec.V5)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, n, err := codec.Cut(buf, 1<<17); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func benchmarkDecode[P codec.Packet](b *testing.B, p, into P, v codec.Version) {
	f := frameOf(b, p, v)
	b.ReportAllocs()
	for b.Loop() {
		if err := into.Decode(f, v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkAppend[P codec.Packet](b *testing.B, p P, v codec.Version) {
	buf := make([]byte, 0, p.Size(v))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Append(buf, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePublish311(b *testing.B) {
	benchmarkDecode(b, &telemetry, new(codec.Publish), codec.V311)
}
func BenchmarkDecodePublish5(b *testing.B) {
	benchmarkDecode(b, &telemetry, new(codec.Publish), codec.V5)
}
func BenchmarkAppendPublish311(b *testing.B) { benchmarkAppend(b, &telemetry, codec.V311) }
func BenchmarkAppendPublish5(b *testing.B)   { benchmarkAppend(b, &telemetry, codec.V5) }

// The yardsticks: copying the bytes of the packet, and what another codec takes
// for it.

func BenchmarkYardstickCopy(b *testing.B) {
	wire, err := telemetry.Append(nil, codec.V311)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, len(wire))
	for b.Loop() {
		buf = append(buf[:0], wire...)
	}
}

func mochiTelemetry(b *testing.B) (mochi.Packet, []byte) {
	p := mochi.Packet{FixedHeader: mochi.FixedHeader{Type: mochi.Publish}, ProtocolVersion: byte(codec.V311)}
	f := frameOf(b, &telemetry, codec.V311)
	p.FixedHeader.Qos, p.FixedHeader.Remaining = 1, len(f.Body)
	return p, f.Body
}

func BenchmarkYardstickMochiDecode(b *testing.B) {
	p, body := mochiTelemetry(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.PublishDecode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkYardstickMochiEncode(b *testing.B) {
	p, body := mochiTelemetry(b)
	if err := p.PublishDecode(body); err != nil {
		b.Fatal(err)
	}
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		buf.Reset()
		if err := p.PublishEncode(&buf); err != nil {
			b.Fatal(err)
		}
	}
}

// rich is a message with every property that is passed on.
func rich(b *testing.B) *codec.Publish {
	b.Helper()
	p := telemetry
	p.HasExpiry, p.Expiry, p.PayloadIsText = true, 3600, true
	p.ContentType, p.ResponseTopic = []byte("application/json"), []byte("replies/device-0001")
	p.CorrelationData = make([]byte, 16)
	for range 3 {
		if err := p.User.Add("name", "value"); err != nil {
			b.Fatal(err)
		}
	}
	return &p
}

func BenchmarkDecodePublish5Rich(b *testing.B) {
	benchmarkDecode(b, rich(b), new(codec.Publish), codec.V5)
}
func BenchmarkAppendPublish5Rich(b *testing.B) { benchmarkAppend(b, rich(b), codec.V5) }

var puback = codec.Puback{PacketID: 7}

func BenchmarkDecodePuback5(b *testing.B) {
	benchmarkDecode(b, &puback, new(codec.Puback), codec.V5)
}
func BenchmarkAppendPuback5(b *testing.B) { benchmarkAppend(b, &puback, codec.V5) }

var subscribe = codec.Subscribe{PacketID: 7, Filters: []codec.Subscription{
	{Filter: []byte("$aws/things/device-0001/jobs/notify-next"), QoS: codec.QoS1},
	{Filter: []byte("$aws/things/device-0001/jobs/start-next/+"), QoS: codec.QoS1},
	{Filter: []byte("$aws/things/device-0001/jobs/+/update/+"), QoS: codec.QoS1},
}}

func BenchmarkDecodeSubscribe5(b *testing.B) {
	benchmarkDecode(b, &subscribe, new(codec.Subscribe), codec.V5)
}

var connect = codec.Connect{
	Version: codec.V5, ClientID: []byte("device-0001"), KeepAlive: 1200, SessionExpiry: 3600,
	UserName: []byte("?SDK=PythonV2&Version=1.21.0"), ReceiveMaximum: 100,
}

func BenchmarkDecodeConnect5(b *testing.B) {
	benchmarkDecode(b, &connect, new(codec.Connect), codec.V5)
}

func BenchmarkCloneMessage(b *testing.B) {
	p := rich(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Clone()
	}
}
