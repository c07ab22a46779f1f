package handler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"muster/internal/agent"
)

// process is a program to run.
type process struct {
	file  string // empty: what argv begins with
	argv  []string
	env   []string  // beside the agent's own
	stdin io.Reader // nil: empty
}

// runAs runs a process for a user.
func (h *Host) runAs(ctx context.Context, user string, p process) agent.Outcome {
	argv, err := h.as(user, p.argv)
	if err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	p.argv = argv
	return h.run(ctx, p)
}

// run runs a process to its end. When ctx ends, it is told to stop, with all
// that it has started, and killed if it does not.
func (h *Host) run(ctx context.Context, p process) agent.Outcome {
	var stdout, stderr tail
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	if p.file != "" {
		cmd.Path, cmd.Err = p.file, nil
	}
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, &stdout, &stderr
	// A service that was started may keep the pipes of the program that has
	// started it, so the end of the program is not that of its output.
	cmd.WaitDelay = h.cfg.Grace
	stoppable(cmd)
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && wasTerminated(e.ProcessState) {
		h.settle(ctx)
	}
	if cmd.Process != nil && ctx.Err() != nil {
		kill(cmd.Process)
	}
	out := agent.Outcome{Stdout: stdout.String(), Stderr: stderr.String(), StderrLines: stderr.lines()}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		out.Reason = reason(err)
	}
	return out
}

// settle waits a moment for ctx to end, after a program that was told to stop.
// Who stops the service that the agent is tells both at once, and the end of the
// program may be seen first: it would be taken for a failure of the program.
func (h *Host) settle(ctx context.Context) {
	t := time.NewTimer(h.cfg.Grace / 10)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// reason says how a process has failed.
func reason(err error) string {
	e, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case !ok:
		return err.Error()
	case e.Exited():
		return fmt.Sprintf("exited with status %d", e.ExitCode())
	default:
		return e.ProcessState.String() // such as "signal: killed"
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	n    int  // lines that have ended
	open bool // the last one has not
}

// keep is how many bytes are kept at least: MaxDetail characters of any kind.
const keep = 4 * agent.MaxDetail

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > 0 {
		t.n += bytes.Count(p, []byte("\n"))
		t.open = p[n-1] != '\n'
	}
	if n > keep {
		p = p[n-keep:]
	}
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*keep {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-keep:]...)
	}
	return n, nil
}

// add writes a text.
func (t *tail) add(text string) { _, _ = t.Write([]byte(text)) } // it never fails

// String returns the end.
func (t *tail) String() string { return string(t.kept) }

// lines returns how many lines were written.
func (t *tail) lines() int {
	if t.open {
		return t.n + 1
	}
	return t.n
}
