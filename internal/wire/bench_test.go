package wire_test

import (
	"encoding/json"
	"testing"

	"muster/internal/wire"
)

var updateBody = []byte(`{"status":"IN_PROGRESS","expectedVersion":2,"statusDetails":{"step":"3/10","progress":"42","reason":"downloading firmware"},"stepTimeoutInMinutes":10,"clientToken":"6f1c2d3e-8f3a-4b5c-9d7e-0a1b2c3d4e5f"}`)

func BenchmarkDecodeUpdateJobExecution(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(updateBody)))
	for b.Loop() {
		var req wire.UpdateJobExecutionRequest
		if err := wire.Decode(&req, t1j1, nil, updateBody); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnmarshalUpdateJobExecution is the yardstick: the library alone,
// which checks nothing.
func BenchmarkUnmarshalUpdateJobExecution(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(updateBody)))
	for b.Loop() {
		var req wire.UpdateJobExecutionRequest
		if err := json.Unmarshal(updateBody, &req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeMessage(b *testing.B) {
	token := "6f1c2d3e-8f3a-4b5c-9d7e-0a1b2c3d4e5f"
	body := wire.StartNextPendingJobExecutionResponse{Execution: execution()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.EncodeMessage(&token, 1625329827000, body); err != nil {
			b.Fatal(err)
		}
	}
}
