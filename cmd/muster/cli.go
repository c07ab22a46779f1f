package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/alecthomas/kong"

	"muster/internal/client"
	"muster/internal/config"
)

// cli is the grammar of the command line.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Demo    demoCmd    `cmd:"" help:"Run a server with simulated devices and watch a job roll out."`
	Init    initCmd    `cmd:"" help:"Make a data folder with its first access key."`
	Keys    keysCmd    `cmd:"" help:"Make, list and disable access keys."`
	Jobs    jobsCmd    `cmd:"" help:"Create, watch and control jobs."`
	Things  thingsCmd  `cmd:"" help:"Register and list things."`
	Groups  groupsCmd  `cmd:"" help:"Make thing groups and fill them."`
	Migrate migrateCmd `cmd:"" help:"Bring PostgreSQL up to date, or move an installation there."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const description = `Muster runs jobs for fleets of devices: the AWS IoT Jobs API over HTTP and MQTT, on one machine with a folder, or on many with a PostgreSQL.

muster demo shows it at work; muster serve runs it, without any configuration. AWS clients and devices use it unmodified.`

// Exit codes that are the same for every command.
const (
	exitFailure     = 1
	exitInterrupted = 130 // as shells tell of a program that Ctrl-C has ended
)

// run parses the command line and runs its command.
func run(ctx context.Context, args []string, sys system) error {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var c cli
	c.Serve.flags = config.NewFlags()
	c.Serve.Plugins = kong.Plugins{c.Serve.flags.Struct()}
	helped := false // kong has answered --help, and goes on parsing where it would have exited
	parser, err := kong.New(&c,
		kong.Name("muster"), kong.Description(description),
		kong.Writers(sys.stdout, sys.stderr), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(sys))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; muster --help shows what there is", err)
	}
	return explain(ctx, command.Run())
}

// explain adds what to do to errors that all commands have in common.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return &exitError{exitInterrupted, "interrupted"}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		where := e.URL
		if u, err := url.Parse(e.URL); err == nil {
			where = u.Scheme + "://" + u.Host
		}
		cause := e.Err
		if op, ok := errors.AsType[*net.OpError](err); ok {
			cause = op.Err
			if sys, ok := errors.AsType[*os.SyscallError](op.Err); ok {
				cause = sys.Err
			}
		}
		return fmt.Errorf("no answer from %s: %w; is the server running, and is this its address?", where, cause)
	}
	switch client.Code(err) {
	case "UnrecognizedClientException", "InvalidSignatureException":
		return fmt.Errorf("%w; --data, --profile and --region choose what requests are signed with", err)
	}
	return err
}
