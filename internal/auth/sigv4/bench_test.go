package sigv4_test

import (
	"net/http"
	"testing"

	"muster/internal/auth/sigv4"
)

// BenchmarkAuthenticate measures a small POST, as device agents send it, from a
// key that has called before. Goal: 3 µs.
func BenchmarkAuthenticate(b *testing.B) {
	c := call{
		target: "/things/thing-1/jobs/job-1", service: "iot-jobs-data",
		body:   `{"status": "IN_PROGRESS", "expectedVersion": 1}`,
		header: http.Header{"Content-Type": {"application/json"}},
	}
	b.Run("header form", func(b *testing.B) { benchmarkAuthenticate(b, c.signed(b), c.body) })
	b.Run("query form", func(b *testing.B) { benchmarkAuthenticate(b, c.presigned(b), c.body) })
	c.target = "/things/t%3A1/jobs/$next"
	b.Run("escaped path", func(b *testing.B) { benchmarkAuthenticate(b, c.signed(b), c.body) })
	c.secret = "forged"
	b.Run("forged", func(b *testing.B) { benchmarkAuthenticate(b, c.signed(b), c.body) })
}

func benchmarkAuthenticate(b *testing.B, r *http.Request, text string) {
	v, body := newVerifier(b, config()), []byte(text)
	_, want := v.Authenticate(r, body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Authenticate(r, body); (err == nil) != (want == nil) {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign measures our own client's side of the same request.
func BenchmarkSign(b *testing.B) {
	body := []byte(`{"status": "IN_PROGRESS", "expectedVersion": 1}`)
	r := call{target: "/things/thing-1/jobs/job-1"}.orDefault().outgoing(b)
	var s sigv4.Signer
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Sign(r, body, credentials, "us-east-1", "iot-jobs-data", t0); err != nil {
			b.Fatal(err)
		}
	}
}
