package agent

import "context"

// Handler does one kind of action.
type Handler interface {
	// Run does it. When ctx ends it should come to an end soon: the device is
	// shut down, or the server has ended the execution.
	Run(ctx context.Context, c Call) Outcome
	// Interrupted says what is to be made of an action that had begun when the
	// agent or the machine went down.
	Interrupted(c Call) Verdict
}

// Call is one action to do.
type Call struct {
	// Action is what the job document says.
	Action Action
	// Rebooted says that the machine has been started anew since the action
	// began. It is for Interrupted.
	Rebooted bool
	// Again says that the action had begun before, in an earlier life of the
	// agent, and is repeated. It is for Run.
	Again bool
	// Report tells the server about progress while the action runs, in a few
	// short members beside those that the agent reports itself. It does not
	// block; of several reports in a row only the last may be sent.
	Report func(details map[string]string)
}

// Outcome is how an action has gone.
type Outcome struct {
	// Reason is why it failed; empty means that it has succeeded.
	Reason string
	// Stdout and Stderr are the ends of its output. A little over
	// [MaxDetail] characters is enough.
	Stdout, Stderr string
	// StderrLines is how many lines it wrote to its standard error.
	StderrLines int
	// Details are reported with the last status of the execution, in a few
	// short members. Those that the agent reports itself give way to them, and
	// so do those of actions before.
	Details map[string]string
}

// Verdict is what is made of an interrupted action.
type Verdict uint8

// The verdicts.
const (
	// Lost means that nobody knows what it has done: it has failed.
	Lost Verdict = iota
	// Repeat means that doing it again is harmless.
	Repeat
	// Done means that its interruption shows that it has succeeded.
	Done
)
