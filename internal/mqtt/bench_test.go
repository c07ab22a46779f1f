package mqtt_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/internal/mqtt"
	"muster/internal/mqtt/codec"
)

// BenchmarkRoundTrip is a device that asks and is answered: PUBLISH of QoS 1,
// PUBACK, reply of 454 bytes in QoS 1, PUBACK. Clients and server share the CPU.
func BenchmarkRoundTrip(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d connections", n), func(b *testing.B) {
			e := start(b, echo())
			ask := stream(b, codec.V311, message(1, "$aws/things/t/jobs/start-next", string(make([]byte, 400))))
			answer := len(stream(b, codec.V311, &codec.Puback{PacketID: 1})) +
				len(stream(b, codec.V311, message(1, "$aws/things/t/jobs/start-next/accepted", string(make([]byte, 400)))))
			devices := make([]*peer, n)
			for i := range devices {
				devices[i] = e.connect(codec.V311, fmt.Sprint("device", i))
			}
			begun, cpu := time.Now(), cpuTime(b)
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, p := range devices {
				wg.Go(func() { cycles(b, p.nc, p.r, ask, answer, b.N/n+min(1, max(0, b.N%n-i))) })
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "cycles/s")
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/cycle")
		})
	}
}

// cycles asks n times.
func cycles(b *testing.B, nc net.Conn, r *bufio.Reader, ask []byte, answer, n int) {
	if err := nc.SetDeadline(time.Time{}); err != nil {
		b.Error(err)
	}
	buf := make([]byte, answer)
	for range n {
		if _, err := nc.Write(ask); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(r, buf); err != nil {
			b.Error(err)
			return
		}
		// The reply comes last; its packet id stands behind header and topic.
		at := 4 + 3 + 2 + len("$aws/things/t/jobs/start-next/accepted")
		if _, err := nc.Write([]byte{0x40, 2, buf[at], buf[at+1]}); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkFanOut is the server telling each device something of its own.
func BenchmarkFanOut(b *testing.B) {
	const n = 1000
	e := start(b, mqtt.Config{})
	var wg sync.WaitGroup
	for i := range n {
		p := e.connect(codec.V311, fmt.Sprint("device", i))
		p.subscribe(codec.QoS1, fmt.Sprintf("$aws/things/device%d/jobs/notify", i))
		wg.Go(func() {
			_ = p.nc.SetDeadline(time.Time{})
			for range b.N/n + min(1, max(0, b.N%n-i)) {
				head := make([]byte, 3)
				if _, err := io.ReadFull(p.r, head); err != nil {
					b.Error(err)
					return
				}
				rest := make([]byte, int(head[1]&0x7F)+int(head[2])<<7)
				if _, err := io.ReadFull(p.r, rest); err != nil {
					b.Error(err)
					return
				}
				at := 2 + int(rest[0])<<8 + int(rest[1])
				if _, err := p.nc.Write([]byte{0x40, 2, rest[at], rest[at+1]}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	topics := make([]string, n)
	for i := range topics {
		topics[i] = fmt.Sprintf("$aws/things/device%d/jobs/notify", i)
	}
	body := make([]byte, 400)
	begun, cpu := time.Now(), cpuTime(b)
	b.ResetTimer()
	for i := range b.N {
		if err := e.Publish(b.Context(), mqtt.Message{Topic: topics[i%n], QoS: 1, Payload: body}); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "messages/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/message")
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
