package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Variables of the environment that say which program is under test.
const (
	// BinaryEnv names a program that is there already. Nothing is built then.
	BinaryEnv = "MUSTER_TEST_BINARY"
	// RaceEnv, if not empty, builds the program with the race detector. What it
	// finds ends up in the server's log, and as exit code 66.
	RaceEnv = "MUSTER_TEST_RACE"
)

// Program is a built program.
type Program struct {
	// Path is the binary. Every user may run it.
	Path string
}

// Build builds the program into dir, or takes the one that [BinaryEnv] names.
func Build(ctx context.Context, dir string) (Program, error) {
	if path := os.Getenv(BinaryEnv); path != "" {
		path, err := filepath.Abs(path)
		return Program{path}, err
	}
	path := filepath.Join(dir, "muster")
	args := []string{"build", "-o", path}
	if os.Getenv(RaceEnv) != "" {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "muster/cmd/muster")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return Program{}, fmt.Errorf("harness: %s: %w\n%s", strings.Join(cmd.Args, " "), err, out.Bytes())
	}
	return Program{path}, nil
}

// Result is how a command has ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a command of the program that ends by itself. A code other than 0 is
// no error; not to end before ctx is one.
func (p Program) Run(ctx context.Context, c Config, args ...string) (Result, error) {
	cmd := c.command(p, args)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	child, err := start(cmd)
	if err != nil {
		return Result{}, fmt.Errorf("harness: %s: %w", strings.Join(args, " "), err)
	}
	select {
	case <-child.ended:
	case <-ctx.Done():
		_ = cmd.Process.Kill() // it may have ended just now
		<-child.ended
		return Result{}, fmt.Errorf("harness: %s: %w\n%s%s", strings.Join(args, " "), ctx.Err(), stdout.Bytes(), stderr.Bytes())
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, nil
}
