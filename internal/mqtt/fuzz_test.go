package mqtt_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
	"muster/internal/mqtt/codec/codectest"
)

// alarm is a log handler that fails the test when a connection has panicked.
type alarm struct {
	slog.Handler
	t testing.TB
}

func (a alarm) Enabled(context.Context, slog.Level) bool { return true }

func (a alarm) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "mqtt: panic" {
		r.Attrs(func(at slog.Attr) bool { a.t.Error(at.String()); return true })
	}
	return nil
}

// stream returns packets one after another.
func stream(f testing.TB, v codec.Version, ps ...codec.Packet) []byte {
	var b []byte
	for _, p := range ps {
		var err error
		if b, err = p.Append(b, v); err != nil {
			f.Fatal(err)
		}
	}
	return b
}

// conversations returns what real clients have said in a version of the protocol:
// each way to connect, followed by all that was said later.
func conversations(v codec.Version) []string {
	var connects []string
	later := ""
	for _, c := range codectest.Captured() {
		switch {
		case c.Version != v:
		case c.Packet.Type() == codec.TypeConnect:
			connects = append(connects, c.Wire)
		default:
			later += c.Wire
		}
	}
	for i := range connects {
		connects[i] += later
	}
	return connects
}

// FuzzConnection feeds a connection anything at all, cut anywhere: nothing may
// panic, nobody else may notice, and the server must still end.
func FuzzConnection(f *testing.F) {
	for _, v := range []codec.Version{codec.V311, codec.V5} {
		connect := &codec.Connect{Version: v, ClientID: []byte("c"), KeepAlive: 60}
		if v == codec.V5 {
			connect.SessionExpiry, connect.ReceiveMaximum = 60, 2
		}
		subscribe := &codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{
			{Filter: []byte("a/#"), QoS: 1}, {Filter: []byte("$aws/things/t/jobs/notify"), QoS: 1}, {Filter: []byte("$share/g/a/+")},
		}}
		f.Add(stream(f, v, connect, subscribe, message(1, "a/b", "x"), message(0, "a/c", "y"), &codec.Puback{PacketID: 2}, &codec.Pingreq{}, &codec.Disconnect{}), byte(7))
		kept := message(1, "a", "kept")
		kept.Retain = true
		f.Add(stream(f, v, connect, kept, subscribe, message(1, "$aws/things/t/jobs/get", "{}"), &codec.Unsubscribe{PacketID: 2, Filters: [][]byte{[]byte("a/#")}}, connect), byte(1))
		aliased := message(1, "a/b", "x")
		aliased.Alias = 1
		f.Add(stream(f, v, connect, aliased, aliased), byte(0))
		withWill := *connect
		withWill.HasWill, withWill.Will = true, codec.Will{Message: codec.Message{Topic: []byte("a/w"), Payload: []byte("w"), QoS: 1, Retain: true}}
		f.Add(stream(f, v, &withWill, subscribe), byte(3))
		for _, said := range conversations(v) {
			f.Add([]byte(said), byte(11))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut byte) {
		cfg := echo()
		cfg.Log = slog.New(alarm{slog.DiscardHandler, t})
		cfg.Sessions = new(mqtt.Memory)
		s, err := mqtt.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		l := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l, mqtt.ListenerOptions{}) }()
		b := &bubble{Server: s, t: t, l: l}
		good := b.open(&codec.Connect{Version: 5, ClientID: []byte("good"), KeepAlive: 60})
		good.subscribe(codec.QoS0, "fine")

		client, server := net.Pipe()
		l.conns <- server
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, client) })
		_ = client.SetWriteDeadline(time.Now().Add(patience))
		for i, rest := 0, data; len(rest) > 0; i++ {
			n := min(len(rest), 1+(i*int(cut)+int(cut)/3)%40)
			if _, err := client.Write(rest[:n]); err != nil {
				break // the server has had enough
			}
			rest = rest[n:]
		}
		_ = client.Close()
		wg.Wait()

		good.send(message(0, "fine", "still here"))
		good.receive("fine", "still here")
		go func() { _, _ = io.Copy(io.Discard, good.nc) }()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
