package bridge_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi/bridge"
)

// BenchmarkMosquitto is one request after another of each of 100 things, over
// Mosquitto, with an engine that takes no time: what the way costs.
func BenchmarkMosquitto(b *testing.B) {
	const things = 100
	m := newMosquitto(b, "max_inflight_messages 1000", "autosave_on_changes false")
	reg := prometheus.NewRegistry()
	startBridge(b, m.url(), echo, func(c *bridge.Config) { c.Metrics = reg })
	subscribed(b, reg)
	nc, err := net.Dial("tcp", m.address)
	if err != nil {
		b.Fatal(err)
	}
	p := &peer{t: b, nc: nc}
	p.send(&codec.Connect{Version: codec.V5, ClientID: []byte("bench"), CleanStart: true, ReceiveMaximum: 1000})
	expect[*codec.Connack](p)
	p.send(&codec.Subscribe{PacketID: 1, Filters: []codec.Subscription{{Filter: []byte("$aws/things/+/jobs/get/accepted"), QoS: codec.QoS1}}})
	expect[*codec.Suback](p)
	payload := strings.Repeat("x", 200)
	ask := func(thing uint16) {
		p.send(request(thing, fmt.Sprintf("$aws/things/t%d/jobs/get", thing), payload))
	}
	answered := func() uint16 {
		for {
			packet, err := p.next()
			if err != nil {
				b.Fatal(err)
			}
			if reply, ok := packet.(*codec.Publish); ok {
				p.send(&codec.Puback{PacketID: reply.PacketID})
				var thing uint16
				if _, err := fmt.Sscanf(string(reply.Topic), "$aws/things/t%d/jobs/get/accepted", &thing); err != nil {
					b.Fatal(err)
				}
				return thing
			}
		}
	}
	ask(1)
	answered()
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for range min(things, b.N) {
		sent++
		ask(uint16(sent))
	}
	for range b.N {
		thing := answered()
		if sent < b.N {
			sent++
			ask(thing)
		}
	}
}
