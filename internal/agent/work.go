package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"muster/internal/topic"
	"muster/internal/wire"
)

// The statuses that a device reports.
const (
	InProgress = "IN_PROGRESS"
	Succeeded  = "SUCCEEDED"
	Failed     = "FAILED"
	Rejected   = "REJECTED"
)

// What is reported for executions that are not run.
const (
	reasonInvalid = "Unable to execute job, invalid job document provided!" // as AWS's client says it
	reasonUnknown = "the execution was in progress already, and this device has no record of what was done"
	reasonDamaged = "this device's record of what was done is damaged"
	reasonEnded   = "the server ended the execution before it was finished"
)

// maxStarts is how often a step is begun at most, when its handler says that it
// may be repeated: one that takes the device down each time must come to an end.
const maxStarts = 3

// report is a status as it is told to the server.
type report struct {
	Status  string            `json:"status"`
	Details map[string]string `json:"details,omitempty"`
}

// receive makes an execution that is new here the current one.
func (a *Agent) receive(x *next) {
	k := keyOf(x)
	a.log.Info("execution received", "job", k.Job, "number", k.Number, "status", x.status)
	if err := a.journal.receive(k, x.document); err != nil {
		// What is not written down is not begun.
		a.log.Error("journal cannot be written", "err", err)
		a.journal.finish(report{Failed, details(reasonDetail, err.Error())})
		return
	}
	_, err := a.cfg.Parse(x.document)
	switch {
	case err != nil:
		a.journal.finish(report{Rejected, details(reasonDetail, reasonInvalid, errorDetail, err.Error())})
	case x.status == InProgress && !a.cfg.Adopt && !a.journal.replaced(k):
		// The journal was lost, or something else has started it. If it has
		// replaced one that was worked on here, a report on that one may have
		// started it, which was on its way; nothing of it has been done.
		a.journal.finish(report{Failed, details(reasonDetail, reasonUnknown)})
	}
}

// work brings the current execution to its end, from wherever it stands. It
// leaves it there when ctx ends before.
func (a *Agent) work(ctx context.Context, t *task) {
	if t.final == nil {
		if !a.claim(ctx, t) || !a.runAll(ctx, t) || ctx.Err() != nil {
			return
		}
	}
	if err := a.deliver(ctx, t.key, *t.final); err != nil {
		return
	}
	a.journal.end()
}

// claim tells the server that the execution is in progress, and reports whether
// it is. Nothing is run that the server does not know to be: it may have been
// canceled in the meantime.
func (a *Agent) claim(ctx context.Context, t *task) bool {
	code, err := a.update(ctx, t.key, report{Status: InProgress})
	switch {
	case err != nil:
		return false
	case code == "":
		return true
	case t.step == 0 && t.starts == 0:
		a.log.Warn("execution cannot be started", "job", t.Job, "number", t.Number, "code", code)
		a.refused = t.key
		a.journal.end()
	default:
		a.ended(t, code)
	}
	return false
}

// ended takes note that the server has ended the execution, which had begun.
func (a *Agent) ended(t *task, code string) {
	a.log.Warn("execution was ended by the server", "job", t.Job, "number", t.Number, "code", code)
	a.journal.finish(report{Failed, details(reasonDetail, reasonEnded)}) // in case it comes back
	a.journal.end()
}

// deliver sends a last status until it is accepted, or refused in a way that
// cannot be helped. It fails when ctx ends before.
func (a *Agent) deliver(ctx context.Context, k key, r report) error {
	code, err := a.update(ctx, k, r)
	if err == nil && code == "InvalidRequest" && len(r.Details) > 0 {
		// The status must not be lost because of what is said about it.
		a.log.Warn("details were refused", "job", k.Job, "number", k.Number)
		code, err = a.update(ctx, k, report{Status: r.Status})
	}
	switch {
	case err != nil:
		return err
	case code != "":
		a.log.Warn("last status was refused", "job", k.Job, "number", k.Number, "status", r.Status, "code", code)
	default:
		a.log.Info("execution finished", "job", k.Job, "number", k.Number, "status", r.Status)
		if a.cfg.Finished != nil {
			a.cfg.Finished(k.Job, r.Status)
		}
	}
	return nil
}

// update reports a status and returns the code of the refusal, if it was
// refused. It fails when ctx ends before that is known.
func (a *Agent) update(ctx context.Context, k key, r report) (code string, err error) {
	t := topic.Topic{Kind: topic.Update, Thing: a.cfg.Thing, Job: k.Job}
	answer, err := a.link.request(ctx, t, wire.UpdateJobExecutionRequest{
		Status: r.Status, StatusDetails: r.Details, ExecutionNumber: &k.Number,
	}, func(lost <-chan struct{}) (string, error) { return a.confirm(ctx, k, lost) })
	return answer.code, err
}

// notFound is the code for an execution that the server does not know.
const notFound = "ResourceNotFound"

// confirm waits until the server has said what is next on the connection that
// lost tells, and returns the code notFound if another execution has taken the
// name and number of k: the job was deleted and made again, perhaps while the
// device was offline, and what is said of the one would be taken for the other.
// It fails if the connection is lost or ctx ends before that is known.
func (a *Agent) confirm(ctx context.Context, k key, lost <-chan struct{}) (code string, err error) {
	var asked uint64 // about how many news
	for {
		v := a.front.view(k)
		switch {
		case v.settled != lost: // it is being asked
		case !v.replaced:
			return "", nil
		case v.asked:
			return notFound, nil
		case v.told != asked:
			a.ask() // a notification may be late; the answer to a question is the truth
			asked = v.told
		}
		select {
		case <-v.changed:
		case <-lost:
			return "", errOffline
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// runAll does the actions that are left, while the server is told about the
// progress. It reports false if the server has ended the execution.
func (a *Agent) runAll(ctx context.Context, t *task) bool {
	doc, err := a.cfg.Parse(t.document)
	if err != nil { // the journal holds only documents that were fine
		a.journal.finish(report{Rejected, details(reasonDetail, reasonInvalid, errorDetail, err.Error())})
		return true
	}
	running, stop := context.WithCancelCause(ctx)
	p := newProgress()
	var watch sync.WaitGroup
	watching, unwatch := context.WithCancel(ctx)
	watch.Go(func() {
		if code := a.watch(watching, t.key, p); code != "" {
			stop(&endedError{code})
		}
	})
	final := a.runActions(running, t, doc, p)
	unwatch()
	watch.Wait()
	if e, ok := errors.AsType[*endedError](context.Cause(running)); ok && ctx.Err() == nil {
		a.ended(t, e.code)
		return false
	}
	if final != nil {
		a.journal.finish(*final)
	}
	return true
}

// endedError carries the code with which the server has refused a report.
type endedError struct{ code string }

// Error says what the code means.
func (e *endedError) Error() string { return "agent: " + reasonEnded + ": " + e.code }

// runActions does the actions that are left, and returns what is to be
// reported, or nil if ctx has ended before that is known.
func (a *Agent) runActions(ctx context.Context, t *task, doc Document, p *progress) *report {
	for t.step < len(doc.Actions) {
		if ctx.Err() != nil {
			return nil
		}
		action := doc.Actions[t.step]
		place := fmt.Sprintf("%d/%d", t.step+1, len(doc.Actions))
		where := details(stepDetail, place, actionDetail, action.Name)
		tell := func(more map[string]string) { p.report(where, more) }
		tell(nil)
		out := a.runAction(ctx, t, action, tell)
		if ctx.Err() != nil && out.Reason != "" {
			return nil // it was stopped; what it has done is not known
		}
		a.log.Info("step done", "job", t.Job, "step", place, "action", action.Name, "failure", out.Reason)
		if out.Reason != "" && !action.IgnoreFailure {
			out.Reason = fmt.Sprintf("step %s (%s): %s", place, action.Name, out.Reason)
			return t.conclude(Failed, doc, out)
		}
		a.journal.stepEnd(out)
	}
	return t.conclude(Succeeded, doc, Outcome{})
}

// conclude returns the last report, with the outcome of the last action.
func (t *task) conclude(status string, doc Document, out Outcome) *report {
	stdout := ""
	if doc.IncludeStdout {
		stdout = t.stdout + out.Stdout
	}
	d := details(reasonDetail, out.Reason, stdoutDetail, stdout, stderrDetail, t.stderr+out.Stderr)
	return &report{status, merged(merged(d, t.details), out.Details)}
}

// runAction does one action, or decides what has become of one that had begun
// when the agent went down.
func (a *Agent) runAction(ctx context.Context, t *task, action Action, tell func(map[string]string)) Outcome {
	h, err := a.cfg.Handlers(action)
	if err != nil {
		return Outcome{Reason: err.Error()}
	}
	c := Call{Action: action, Again: t.starts > 0, Report: tell}
	if t.starts > 0 {
		c.Rebooted = t.boot != a.cfg.Boot && t.boot != "" && a.cfg.Boot != ""
		verdict := h.Interrupted(c)
		if verdict == Repeat && t.starts >= maxStarts {
			return Outcome{Reason: fmt.Sprintf("interrupted %d times", t.starts)}
		}
		switch verdict {
		case Repeat:
		case Done:
			return Outcome{}
		case Lost:
			return Outcome{Reason: "interrupted: the agent or the machine went down while it ran"}
		}
	}
	if err := a.journal.stepStart(a.cfg.Boot); err != nil {
		return Outcome{Reason: err.Error()}
	}
	out := h.Run(ctx, c)
	if n := action.AllowStderr; n != nil && out.Reason == "" && out.StderrLines > *n {
		out.Reason = fmt.Sprintf("it wrote %d lines to its standard error, of which %d are allowed", out.StderrLines, *n)
	}
	return out
}
