package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkUpdateJobExecution measures a device's report without a network: the
// front, the handler, the engine and a durable commit of the store. Parallel
// callers share commits.
func BenchmarkUpdateJobExecution(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		h := benchWorld(b)
		b.ReportAllocs()
		for b.Loop() {
			report(b, h)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		h := benchWorld(b)
		b.ReportAllocs()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				report(b, h)
			}
		})
	})
}

// BenchmarkDescribeNext measures what an idle device does: it asks in vain.
func BenchmarkDescribeNext(b *testing.B) {
	h := benchWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		serve(b, h, http.MethodGet, "/things/idle/jobs/$next", "")
	}
}

// benchWorld returns an API with a job in progress on t1 and a thing without any.
func benchWorld(b *testing.B) http.Handler {
	b.Helper()
	w := newWorld(b)
	w.job()
	w.ok("iot", "POST", "/things/idle", "")
	return w.api(byHeader{})
}

func report(b *testing.B, h http.Handler) {
	b.Helper()
	serve(b, h, http.MethodPost, "/things/t1/jobs/j1", `{"status":"IN_PROGRESS","statusDetails":{"step":"downloading","progress":"42"}}`)
}

func serve(b *testing.B, h http.Handler, method, target, body string) {
	b.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Test-Service", "iot-jobs-data")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Errorf("got %d %s", w.Code, w.Body)
	}
}
