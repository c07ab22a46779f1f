// Command muster-agent runs jobs on a device: it connects to Muster, or to AWS
// IoT, over MQTT, asks what is next, does what the job document says, and
// reports. It is one static program that needs nothing but a folder for its
// journal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"muster/internal/agent"
	"muster/internal/agent/dial"
	"muster/internal/agent/handler"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "muster-agent:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "muster-agent:", err)
		os.Exit(1)
	}
}

// run is the program without its process.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	s, err := load(args, getenv, stdout)
	if err != nil {
		return err
	}
	if s.showVersion {
		fmt.Fprintln(stdout, "muster-agent", version)
		return nil
	}
	level := slog.LevelInfo
	if s.quiet {
		level = slog.LevelWarn
	}
	a, err := build(s, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// build makes the agent that the settings describe.
func build(s *settings, log *slog.Logger) (*agent.Agent, error) {
	tls, err := dial.LoadTLS(s.ca, s.cert, s.key)
	if err != nil {
		return nil, err
	}
	transport, err := dial.New(dial.Config{URL: s.endpoint, ClientID: s.clientID, TLS: tls, KeepAlive: s.keepAlive})
	if err != nil {
		return nil, err
	}
	host := handler.New(handler.Config{
		Dir: s.handlerDir, HandlersOnly: s.handlersOnly, Builtins: s.builtins(), Unit: handler.OwnUnit(),
	})
	return agent.New(agent.Config{
		Thing: s.thing, Transport: transport, Handlers: host.Find,
		Dir: s.stateDir, Boot: handler.BootID(), Poll: s.poll, Once: s.once, Log: log,
	})
}
