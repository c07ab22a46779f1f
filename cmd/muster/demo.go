package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"muster/internal/client"
	"muster/internal/config"
)

type demoCmd struct {
	Devices int     `default:"6" help:"Number of simulated devices, 1 to 5000."`
	Speed   float64 `default:"1" help:"How fast the devices work, 0.1 to 100."`
	Once    bool    `help:"End when the job is over instead of waiting for Ctrl-C."`
}

// Help describes the command beyond its flags.
func (demoCmd) Help() string {
	return "It starts a server on a temporary folder, which it deletes at the end if all went well, registers a group of things, and connects simulated devices over MQTT, " +
		"which are the agent of muster-agent with made-up work. Then it creates a job for the group and shows its progress. One device fails, so that there is something to see. " +
		"The server goes on until Ctrl-C, to be looked at with the AWS CLI."
}

func (c demoCmd) validate() error {
	switch {
	case c.Devices < 1 || c.Devices > 5000:
		return errors.New("--devices must be from 1 to 5000")
	case !(c.Speed >= 0.1 && c.Speed <= 100): // not a number is neither
		return errors.New("--speed must be from 0.1 to 100")
	}
	return nil
}

// Run plays the demo. To be interrupted is its normal end, unless it was to wait
// for the job.
func (c demoCmd) Run(ctx context.Context, sys system) error {
	if err := c.validate(); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return err
	}
	played, err := c.play(ctx, sys, folder)
	if err != nil {
		return fmt.Errorf("%w; what the server says of it is in %s", err, filepath.Join(folder, logName))
	}
	err = os.RemoveAll(folder)
	if err == nil && c.Once && !played {
		return &exitError{exitInterrupted, "interrupted"}
	}
	return err
}

// play plays the demo on a folder, and reports whether it came to its end or was
// interrupted.
func (c demoCmd) play(ctx context.Context, sys system, folder string) (played bool, err error) {
	s, closeLog, err := newDemoServer(ctx, folder)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	err = s.around(ctx, func(ctx context.Context) error {
		api, err := s.client()
		if err != nil {
			return err
		}
		d := demo{
			demoCmd: c, api: api, server: s, out: newTerminal(sys.stdout, sys.getenv),
		}
		err = d.play(ctx)
		played = err == nil
		return err
	})
	return played, err
}

// newDemoServer builds a server on folder, which logs into a file there: the
// terminal is for the devices.
func newDemoServer(ctx context.Context, folder string) (_ *server, closeLog func() error, err error) {
	cfg := config.Default()
	cfg.Data, cfg.MasterKeyFile = folder, filepath.Join(folder, "master.key")
	cfg.Dev, cfg.AnyRegion = true, true
	l, err := demoListener(ctx, cfg.Listen)
	if err != nil {
		return nil, nil, err
	}
	cfg.Listen, cfg.MQTTListen = l.Addr().String(), "127.0.0.1:0"
	cfg.Endpoint = cfg.Listen
	log, err := os.OpenFile(filepath.Join(folder, logName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	s, err := newServer(ctx, cfg, l, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return s, log.Close, nil
}

// demoListener takes the usual port, or any if that is taken: the demo is to run
// beside whatever there is.
func demoListener(ctx context.Context, usual string) (net.Listener, error) {
	if l, err := listen(ctx, "--listen", usual); err == nil {
		return l, nil
	}
	return listen(ctx, "--listen", "127.0.0.1:0")
}

// around runs the server while use runs, and stops it when that returns.
func (s *server) around(ctx context.Context, use func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- s.run(ctx, func() { close(ready) })
		stop() // a server that has failed leaves nothing to be used
	}()
	var err error
	select {
	case <-ready:
		err = use(ctx)
	case <-ctx.Done():
	}
	stop()
	failed := <-served
	if errors.Is(err, context.Canceled) { // by Ctrl-C, or because the server has failed
		err = nil
	}
	return errors.Join(err, failed)
}

// client returns a client of a server that was made with its first access key.
func (s *server) client() (*client.Client, error) {
	k, _, err := client.FindCredentials(client.Sources{Data: s.cfg.Data})
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Endpoint: s.url(), Region: s.cfg.Region, Credentials: k})
}

// What the demo makes.
const (
	demoGroup    = "demo-fleet"
	demoJob      = "demo-firmware-2"
	demoVersion  = "2.0.0"
	demoDocument = `{"operation":"install","package":"firmware","version":"` + demoVersion + `"}`
)

// Bounds of the demo.
const (
	demoPatience = 2 * time.Minute // for a job at speed 1 and above: one that takes longer will not end
	demoFrame    = 100 * time.Millisecond
	demoRows     = 20 // devices that are shown one by one; of more, only the sum
	demoConnects = 64 // devices that are about to connect at a time
)

// logName is the file in the demo's folder that its server logs to.
const logName = "server.log"

// demoThing returns the name of the i-th device, counted from 0.
func demoThing(i int) string { return fmt.Sprintf("demo-device-%02d", i+1) }
