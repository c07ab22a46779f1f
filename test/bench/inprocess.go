package main

import (
	"context"
	"errors"
	"sync/atomic"

	"muster/internal/auth"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store/sqlite"
)

var (
	operator = auth.Principal{Kind: auth.AccessKey, ID: "bench", Account: account, Region: region, Service: controlScope}
	device   = auth.Principal{Kind: auth.AccessKey, ID: "bench", Account: account, Region: region, Service: deviceScope}
)

// inProcess is the engine on a store, in this process.
type inProcess struct {
	*engine.Engine
	store *sqlite.Store
	stop  func() error // ends the loops
}

// counter counts what devices are told and tells nobody: it is what the outbox
// costs before the first byte goes to a device.
type counter struct{ told atomic.Int64 }

// Notify implements engine.Publisher.
func (c *counter) Notify(context.Context, engine.Notification) error {
	c.told.Add(1)
	return nil
}

// openEngine opens the store in dir. The engine's loops run. The publisher may be nil.
func openEngine(ctx context.Context, dir string, publisher engine.Publisher) (*inProcess, error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	p := &inProcess{store: s}
	p.Engine, err = engine.New(ctx, engine.Config{Store: s, UIDs: new(job.UIDs), Account: account, Publisher: publisher})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.stop = func() error {
		cancel()
		return <-ended
	}
	return p, nil
}

func (p *inProcess) close() error { return errors.Join(p.stop(), p.store.Close()) }

// report makes a thing's device report progress n.
func (p *inProcess) report(ctx context.Context, thing string, n int) error {
	_, err := p.UpdateJobExecution(ctx, device, engine.UpdateRequest{
		Thing: thing, JobID: liveJob, Update: job.Update{Status: job.InProgress, Details: details(n)},
	})
	return err
}
