package main

import (
	"testing"

	"muster/internal/mqttapi"
)

// TestNodeThatStartsTakesNothingForItsDevices: other nodes hand it rows of the
// outbox as soon as it is one of them.
func TestNodeThatStartsTakesNothingForItsDevices(t *testing.T) {
	t.Parallel()
	if err := new(devices).Publish(t.Context(), mqttapi.Message{Topic: "t", Here: true}); err == nil {
		t.Error("a message was taken by nobody")
	}
}
