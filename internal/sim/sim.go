// Package sim is simulated devices. Each is a client of the public data plane
// and nothing else: it asks for its next execution, works on it as its script
// says, reports, and asks again. The server cannot tell it from a real one.
package sim

import (
	"context"
	"sync"
	"time"

	"muster/internal/wire"
)

// The statuses that a step reports, as the API spells them.
const (
	InProgress = "IN_PROGRESS"
	Succeeded  = "SUCCEEDED"
	Failed     = "FAILED"
	Rejected   = "REJECTED"
)

// Step is one stretch of a device's work and the report at its end.
type Step struct {
	// Wait is how long the device works before it reports.
	Wait time.Duration
	// Status is what it reports. The device leaves the execution alone after a
	// step whose status is not InProgress.
	Status string
	// Details are reported with the status; nil leaves those reported before.
	Details map[string]string
}

// Script says how a device works on an execution that it has just started, or
// found in progress: then the details that it reported before are there, so that
// a script can go on where the device was interrupted. A script without a last
// status leaves the execution in progress, and is asked again when the device
// polls the next time.
type Script func(x *wire.DeviceJobExecution) []Step

// Run runs devices until ctx ends, each in a goroutine of its own, and returns
// when all of them have stopped. At most requests of their requests are under
// way at a time; 0 is no limit.
func Run(ctx context.Context, requests int, devices ...*Device) {
	var slots chan struct{}
	if requests > 0 {
		slots = make(chan struct{}, requests)
	}
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() { d.run(ctx, slots) })
	}
	wg.Wait()
}
