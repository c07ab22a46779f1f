// Package agent is the device's side of jobs: it asks for the next execution,
// runs what the job document says, and tells the server how that went.
//
// It survives what happens to devices. Every step is written down before it
// begins and after it has ended, so that after a power cut the agent knows what
// may have happened and what cannot have: a step that had begun is run again
// only if its handler says that this is harmless, and is reported as failed
// otherwise. A last status is sent until the server has taken it, over any
// number of connections and restarts. One execution runs at a time.
//
// How messages travel is the business of a [Transport] (package dial has one
// over MQTT), what the steps do that of a [Handler] (package handler has those
// of a Linux device).
package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config says who a device is and what it can do. Thing, Transport and Handlers
// are required.
type Config struct {
	// Thing is the name of the device's thing.
	Thing string
	// Transport connects to the server.
	Transport Transport
	// Handlers finds the handler for an action. The error is reported as the
	// reason for which the step failed.
	Handlers func(Action) (Handler, error)
	// Parse reads a job document; nil is [ParseDocument]. An execution whose
	// document it refuses is rejected. It must always say the same of the same text.
	Parse func(text string) (Document, error)
	// Adopt makes the agent do an execution that is in progress already and
	// unknown to its journal, from the beginning. It is for devices that keep
	// no journal and to which doing it again is harmless. Others report it as failed.
	Adopt bool
	// Dir is the folder of the journal, which only one agent at a time can
	// use. It is made if missing. Empty keeps the journal in memory: nothing
	// is known after a restart.
	Dir string
	// Boot identifies the time since the machine was started: it changes when
	// the machine starts anew and at no other time. Empty is unknown.
	Boot string
	// Poll is the longest time without asking the server what is next, in case
	// a notification was lost; 0 means an hour.
	Poll time.Duration
	// Once makes Run return when no execution is pending.
	Once bool
	// Finished, if not nil, is told of every execution for which the server has
	// taken a last status. It must not block.
	Finished func(jobID, status string)
	// Log is told what happens; nil discards.
	Log *slog.Logger
}

// Agent is one device.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	link    *link
	front   *front
	journal *journal      // from Run on
	refused key           // the last execution that could not be started
	asks    chan struct{} // holds one request to ask for the next execution
}

// New returns an agent, which does nothing until Run. It fails if something
// that is required is missing.
func New(c Config) (*Agent, error) {
	if c.Thing == "" || c.Transport == nil || c.Handlers == nil {
		return nil, errors.New("agent: a device needs a thing, a transport and handlers")
	}
	c.Poll = cmp.Or(c.Poll, time.Hour)
	if c.Parse == nil {
		c.Parse = ParseDocument
	}
	a := &Agent{
		cfg:   c,
		log:   cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("thing", c.Thing),
		front: newFront(),
		asks:  make(chan struct{}, 1),
	}
	a.link = newLink(c.Transport, c.Thing, a.log, func(x *next) { a.front.set(x, false) })
	a.link.once = c.Once
	return a, nil
}

// Run does the work of the device until ctx ends, and then returns nil. A step
// that is running is told to stop; the journal knows that it had begun. Run
// fails if the journal cannot be opened and, with Once, if the server cannot be
// reached. It must be called once.
func (a *Agent) Run(ctx context.Context) error {
	j, err := openJournal(a.cfg.Dir, a.log)
	if err != nil {
		return err
	}
	a.journal = j
	running, stop := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.link.run(running); err != nil {
			stop(err)
		}
	})
	wg.Go(func() {
		if err := a.askWhenNeeded(running); err != nil {
			stop(err)
		}
	})
	a.loop(running)
	if ctx.Err() == nil { // nobody has told it to stop
		err = context.Cause(running)
	}
	stop(nil)
	wg.Wait()
	return errors.Join(err, j.close())
}

// loop works on one execution after the other. It returns when ctx ends or,
// with Once, when nothing is left to do.
func (a *Agent) loop(ctx context.Context) {
	for {
		if t := a.journal.current(); t != nil {
			a.work(ctx, t)
			if ctx.Err() != nil {
				return
			}
			a.front.forget(t.key)
			a.ask()
		}
		n, ok := a.front.wait(ctx)
		if !ok || a.cfg.Once && n.asked && n.x == nil {
			return
		}
		if n.x != nil {
			a.take(ctx, n)
		}
	}
}

// take makes the execution that is next the current one, unless it has been
// worked on already.
func (a *Agent) take(ctx context.Context, n news) {
	k := keyOf(n.x)
	last, known := a.journal.ended(k)
	switch {
	case !known:
		if k.same(a.refused) { // the server said no, and says it again
			pause(ctx, firstWait)
			a.refused = key{}
		}
		a.receive(n.x)
	case !n.asked:
		a.ask() // a notification may be late; the answer to a question is the truth
	default:
		// The server has forgotten what it was told, as after the restoration
		// of a backup. What was done is told again, not done again.
		a.log.Warn("execution has ended here already", "job", k.Job, "number", k.Number, "status", last.Status)
		if a.deliver(ctx, k, last) == nil {
			a.front.forget(k)
			pause(ctx, firstWait)
			a.ask()
		}
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
