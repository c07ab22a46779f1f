package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"muster/internal/config"
	"muster/internal/engine"
)

// Bounds of the HTTP server that nobody had a reason to set yet. A request is
// small and an answer at most a page: who needs longer is stuck, or means harm.
const (
	readTimeout    = 30 * time.Second // for header and body
	writeTimeout   = 60 * time.Second // from the end of the header to the end of the answer
	maxHeaderBytes = 64 << 10
)

// How long the stop of each part may take, after which it is given up. The time
// for requests under way is the configuration's.
const (
	loopsGrace = 5 * time.Second
	storeGrace = 10 * time.Second
	// A node that cannot say that it leaves is missed some seconds later.
	clusterGrace = 3 * time.Second
)

// server is a running Muster; see newServer in wire.go.
type server struct {
	cfg      config.Config
	folder   *folder
	listener net.Listener
	http     *http.Server
	engine   *engine.Engine
	devices  *devices
	members  *membership   // nil if it is alone on its database
	loops    []engine.Loop // beside the engine's own
	newKey   bool          // the first access key was made by this start
	stopping atomic.Bool
	log      *slog.Logger
}

// url returns where clients on this machine find the server.
func (s *server) url() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return "http://" + s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// run serves until ctx ends or a part fails, and then stops the parts in order:
// listener, loops, store. It calls ready once requests are answered.
func (s *server) run(ctx context.Context, ready func()) error {
	work, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	failed := make(chan error, 4)
	looped := make(chan struct{})
	s.members.run()
	go func() {
		defer close(looped)
		if err := s.engine.Run(work, s.loops...); err != nil {
			failed <- fmt.Errorf("background loops: %w", err)
		}
	}()
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("listener: %w", err)
		}
	}()

	s.devices.serve(work, failed)

	endpoint, deviceEndpoint := filepath.Join(s.cfg.Data, endpointName), filepath.Join(s.cfg.Data, deviceEndpointName)
	err := writeFile(deviceEndpoint, []byte(strings.Join(append(s.devices.urls(), ""), "\n")))
	if err == nil { // last: whoever waits for the server waits for this one
		err = writeFile(endpoint, []byte(s.url()+"\n"))
	}
	if err == nil {
		s.log.Info("serving", "url", s.url(), "data", s.cfg.Data, "version", version)
		ready()
		select {
		case <-ctx.Done():
		case err = <-failed:
		case err = <-s.members.failed():
		}
	}
	s.log.Info("stopping")
	err = errors.Join(err, removeFile(endpoint), removeFile(deviceEndpoint))
	return errors.Join(err, s.stop(stopLoops, looped))
}

// stop ends the parts in the order in which they need each other.
func (s *server) stop(stopLoops func(), looped <-chan struct{}) error {
	s.stopping.Store(true)
	err := within("requests", s.cfg.ShutdownGrace, s.http.Shutdown)
	if err != nil { // those who are still there have had their time
		s.log.Warn("stop", "err", err)
		_ = s.http.Close() // nothing can follow from the error
	}
	if err = within("devices", s.cfg.ShutdownGrace, s.devices.close); err != nil {
		s.log.Warn("stop", "err", err)
	}
	stopLoops()
	err = within("background loops", loopsGrace, func(ctx context.Context) error {
		select {
		case <-looped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	err = errors.Join(err, within("cluster", clusterGrace, s.members.leave), s.members.close())
	err = errors.Join(err, within("store", storeGrace, func(context.Context) error { return s.folder.Close() }))
	s.log.Info("stopped")
	return err
}

// within runs one step of the stop and waits for it no longer than grace.
func within(name string, grace time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- step(ctx) }()
	err := error(nil)
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s did not end within %s", name, grace)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
