// Package sim is simulated devices. Each is the device agent with a connection
// of its own, over which it asks, is notified, and reports like any other. Only
// its hands are made up: whatever a job document says, it does what its plan says.
package sim

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"

	"muster/internal/agent"
)

// Config says who a device is and what it does. Thing and Transport are required.
type Config struct {
	// Thing is the name of the device's thing.
	Thing string
	// Transport connects the device to the server.
	Transport agent.Transport
	// Plan is how the device does a job.
	Plan Plan
	// Finished, if not nil, is told of each execution for which the server has
	// taken a last status. It must not block.
	Finished func(jobID, status string)
	// Log is told what happens; nil discards.
	Log *slog.Logger
}

// Device is one simulated device. It keeps no journal: an execution that it
// finds in progress, it does from the beginning.
type Device struct {
	agent *agent.Agent
	door  *door
}

// New returns a device, which does nothing until Run. It fails if something
// that is required is missing.
func New(c Config) (*Device, error) {
	if c.Thing == "" || c.Transport == nil {
		return nil, errors.New("sim: a device needs a thing and a transport")
	}
	d := &Device{door: &door{Transport: c.Transport}}
	var err error
	d.agent, err = agent.New(agent.Config{
		Thing: c.Thing, Transport: d.door, Finished: c.Finished,
		Log:      cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		Handlers: func(agent.Action) (agent.Handler, error) { return c.Plan, nil },
		Parse:    pretend, Adopt: true,
	})
	return d, err
}

// pretend takes every document, for a device that does the same whatever it says.
func pretend(string) (agent.Document, error) {
	return agent.Document{Actions: []agent.Action{{Name: "simulated"}}}, nil
}

// Run runs devices until ctx ends and returns when all of them have stopped. At
// most connects of them are about to connect at a time; 0 is no limit. A device
// can be run once.
func Run(ctx context.Context, connects int, devices ...*Device) {
	var slots chan struct{}
	if connects > 0 {
		slots = make(chan struct{}, connects)
	}
	var wg sync.WaitGroup
	for _, d := range devices {
		d.door.slots = slots
		wg.Go(func() {
			_ = d.agent.Run(ctx) // only a journal could fail, and there is none
		})
	}
	wg.Wait()
}

// door is a transport that few devices at a time go through.
type door struct {
	agent.Transport
	slots chan struct{} // nil: there is no limit
}

// Connect implements agent.Transport.
func (d *door) Connect(ctx context.Context, filters []string) (agent.Conn, error) {
	if d.slots == nil {
		return d.Transport.Connect(ctx, filters)
	}
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.slots }()
	return d.Transport.Connect(ctx, filters)
}
