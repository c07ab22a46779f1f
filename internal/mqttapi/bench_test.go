package mqttapi_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"muster/internal/mqttapi"
)

// BenchmarkHandle measures what a device's cycle costs without an endpoint:
// start-next, which finds the job in progress, and an update, which is a durable
// commit. Parallel devices share commits.
func BenchmarkHandle(b *testing.B) {
	for _, bm := range []struct {
		name      string
		inspector *mqttapi.Inspector
	}{
		{"inspected", mqttapi.NewInspector(mqttapi.InspectorConfig{})},
		{"bare", nil},
	} {
		b.Run("alone/"+bm.name, func(b *testing.B) {
			w := benchWorld(b, bm.inspector)
			b.ReportAllocs()
			for b.Loop() {
				w.cycle(b.Context(), b, "d0")
			}
		})
		b.Run("parallel/"+bm.name, func(b *testing.B) {
			w := benchWorld(b, bm.inspector)
			var device atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				name := fmt.Sprintf("d%d", device.Add(1)%benchDevices)
				for pb.Next() {
					w.cycle(b.Context(), b, name)
				}
			})
		})
	}
}

// BenchmarkNext measures what a device costs that asks in vain: no commit.
func BenchmarkNext(b *testing.B) {
	w := benchWorld(b, mqttapi.NewInspector(mqttapi.InspectorConfig{}))
	b.ReportAllocs()
	for b.Loop() {
		w.request(b.Context(), b, "$aws/things/t1/jobs/$next/get", nil)
	}
}

const benchDevices = 256

func benchWorld(b *testing.B, i *mqttapi.Inspector) *world {
	b.Helper()
	w := newWorld(b, func(w *world) { w.inspector = i })
	names := make([]string, benchDevices)
	for i := range names {
		names[i] = fmt.Sprintf("d%d", i)
	}
	w.things(names...)
	for at := 0; at < len(names); at += 64 {
		w.create(fmt.Sprintf("j%d", at), `{"operation":"install","url":"https://example.com/firmware-1.2.3.bin"}`, on(names[at:at+64]...))
	}
	w.settle()
	w.broker.take()
	return w
}

// cycle is one cycle of a device.
func (w *world) cycle(ctx context.Context, b *testing.B, name string) {
	r := w.request(ctx, b, "$aws/things/"+name+"/jobs/start-next", []byte(`{"clientToken":"0f5b6c5e-4d5e-4b0a-9d39-0c6a7f0e2b11"}`))
	job := parse[nextJob](b, r.Payload).Execution.JobID
	w.request(ctx, b, "$aws/things/"+name+"/jobs/"+job+"/update",
		[]byte(`{"status":"IN_PROGRESS","statusDetails":{"step":"downloading","progress":"42"},"clientToken":"0f5b6c5e-4d5e-4b0a-9d39-0c6a7f0e2b12"}`))
}

func (w *world) request(ctx context.Context, b *testing.B, topic string, payload []byte) mqttapi.Reply {
	r, ok, err := w.Handle(ctx, mqttapi.Request{Principal: device, ClientID: "c", Topic: topic, Payload: payload, QoS: 1})
	if !ok || err != nil || r.Topic[len(r.Topic)-len("accepted"):] != "accepted" {
		b.Errorf("%s: %v, %v: %s", topic, ok, err, r.Payload)
	}
	if r.After != nil {
		r.After()
	}
	return r
}
