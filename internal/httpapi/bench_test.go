package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/internal/auth"
	"muster/internal/httpapi"
	"muster/internal/wire"
)

// BenchmarkFront measures what stands around an operation: routing, request
// id, metrics, decoding and encoding, without authentication and without log.
func BenchmarkFront(b *testing.B) {
	h, err := httpapi.NewTestFront(byHeader{}, nil, nil, 0, httpapi.TestRoute{
		Pattern: "POST /tags", Operation: "TagResource", Plane: auth.ControlPlane,
		Serve: httpapi.HandleTest(func(*wire.TagResourceRequest) (wire.Empty, error) { return wire.Empty{}, nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/tags", nil)
	r.Header.Set("Test-Service", "iot")
	const body = `{"resourceArn":"a","tags":[{"Key":"k","Value":"v"}]}`
	b.ReportAllocs()
	for b.Loop() {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
