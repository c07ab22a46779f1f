package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/internal/config"
	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

func TestLimitsUnlessSetAreThoseOfTheEndpoint(t *testing.T) {
	t.Parallel()
	d := mqtt.DefaultLimits()
	want := mqtt.Limits{
		SessionExpiry: d.SessionExpiry, PublishRate: d.PublishRate, QueueMessages: d.QueueMessages, QueueBytes: d.QueueBytes,
		RetainedMessages: d.RetainedMessages, RetainedBytes: d.RetainedBytes, Subscriptions: d.Subscriptions, Pending: d.Pending,
	}
	if diff := cmp.Diff(want, limits(config.Default())); diff != "" {
		t.Errorf("limits (-endpoint +settings):\n%s", diff)
	}
}

// exchange sends a packet of MQTT 5 and returns the answer.
func exchange[P codec.Packet](t *testing.T, nc net.Conn, q codec.Packet) P {
	t.Helper()
	b, err := q.Append(nil, codec.V5)
	if err == nil {
		_, err = nc.Write(b)
	}
	if err == nil {
		err = nc.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	b = make([]byte, 0, 1024)
	for {
		f, n, err := codec.Cut(b, codec.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		if n <= len(b) {
			a, err := codec.Decode(f, codec.V5)
			p, ok := a.(P)
			if err != nil || !ok {
				t.Fatalf("got %+v, %v", a, err)
			}
			return p
		}
		got, err := nc.Read(b[len(b):cap(b)])
		if err != nil {
			t.Fatal(err)
		}
		b = b[:len(b)+got]
	}
}

func TestServeKeepsTheLimitsItWasGiven(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	serve(t, data, "--mqtt-session-expiry", "100h", "--mqtt-subscriptions", "2")
	urls, err := os.ReadFile(filepath.Join(data, deviceEndpointName))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := url.Parse(strings.Fields(string(urls))[0])
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", plain.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	a := exchange[*codec.Connack](t, nc, &codec.Connect{Version: codec.V5, ClientID: []byte("c"), SessionExpiry: codec.SessionNeverExpires})
	if want := uint32(100 * time.Hour / time.Second); !a.HasSessionExpiry || a.SessionExpiry != want {
		t.Errorf("session expiry: got %d, want %d", a.SessionExpiry, want)
	}
	s := &codec.Subscribe{PacketID: 1}
	for _, f := range []string{"a", "b", "c"} {
		s.Filters = append(s.Filters, codec.Subscription{Filter: []byte(f)})
	}
	want := []codec.Reason{codec.Success, codec.Success, codec.QuotaExceeded}
	if diff := cmp.Diff(want, exchange[*codec.Suback](t, nc, s).Reasons); diff != "" {
		t.Errorf("subscribe (-want +got):\n%s", diff)
	}
}
