package handler

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"

	"muster/internal/agent"
)

// idempotent is what a program contains near its beginning if running it again
// is harmless when it was interrupted.
const idempotent = "muster-agent: idempotent"

// idempotentWithin is how many bytes are looked at for it.
const idempotentWithin = 1024

// program is a handler that is a program. Its first argument is the user that
// it should work for, possibly empty: programs arrange that themselves, as those
// written for AWS's client do.
type program struct {
	host *Host
	file string // that is run
	name string // by which it is called: a link to file may be one of its many names
}

// Run implements agent.Handler.
func (p program) Run(ctx context.Context, c agent.Call) agent.Outcome {
	return p.host.run(ctx, process{file: p.file, argv: slices.Concat([]string{p.name, c.Action.User}, c.Action.Args)})
}

// Interrupted implements agent.Handler.
func (p program) Interrupted(agent.Call) agent.Verdict {
	f, err := os.Open(p.file)
	if err != nil {
		return agent.Lost
	}
	defer f.Close() //nolint:errcheck // it was only read
	head, err := io.ReadAll(io.LimitReader(f, idempotentWithin))
	if err != nil || !bytes.Contains(head, []byte(idempotent)) {
		return agent.Lost
	}
	return agent.Repeat
}

// command is a command with its arguments, run without a shell.
type command struct{ host *Host }

// Run implements agent.Handler.
func (c command) Run(ctx context.Context, call agent.Call) agent.Outcome {
	argv := slices.Clone(call.Action.Command)
	if file, ok := c.host.look(argv[0]); ok && call.Action.User == "" {
		argv[0] = file // else sudo looks for it, on the path of the user
	}
	return c.host.runAs(ctx, call.Action.User, process{argv: argv})
}

// Interrupted implements agent.Handler: nobody knows what a command does.
func (command) Interrupted(agent.Call) agent.Verdict { return agent.Lost }
