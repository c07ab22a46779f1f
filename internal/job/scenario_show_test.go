package job_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
)

// look returns a queue as a caller who asks now must see it.
func (w *world) look(ref job.Ref) *job.Queue {
	q := w.queue(ref)
	q.Settle(w.now)
	return q
}

// pending is pending THING [namespace=NS].
func (w *world) pending(l line) error {
	xs := w.look(job.Ref{Thing: l.word(0)}).Pending(l.options["namespace"])
	if len(xs) == 0 {
		w.printf("nothing pending")
	}
	for _, x := range xs {
		w.printf("%s", w.long(x))
	}
	return nil
}

// next is next THING [namespace=NS]: a device that asks for $next.
func (w *world) next(l line) error {
	x, ok := w.look(job.Ref{Thing: l.word(0)}).Front(l.options["namespace"])
	if !ok {
		w.printf("nothing pending")
		return nil
	}
	w.printf("%s", w.long(x))
	return nil
}

// describe is describe THING JOB [number=N].
func (w *world) describe(l line) error {
	x, err := w.look(job.Ref{Thing: l.word(0), JobID: l.word(1), Number: l.number("number")}).Asked()
	if err != nil {
		return err
	}
	w.printf("%s", w.long(x))
	return nil
}

// listExecutions is executions JOB, as they are stored.
func (w *world) listExecutions(l line) error {
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	for _, x := range w.executions() {
		if x.Job.UID == j.UID {
			w.printf("%s #%d %s", x.Thing, x.Number, w.long(x))
		}
	}
	return nil
}

// describeJob is job ID.
func (w *world) describeJob(l line) error {
	j, err := w.job(l.word(0))
	if err != nil {
		return err
	}
	var counts []string
	for _, s := range job.Statuses() {
		if n := w.counts[j.UID][s]; n != 0 {
			counts = append(counts, fmt.Sprintf("%s:%d", s, n))
		}
	}
	w.printf("%s %s %v", j.ID, j.State, counts)
	return nil
}

func (w *world) printChange(c job.Change) {
	if c.After.Status == job.None {
		w.printf("%s %s deleted", c.Before.Thing, name(c.Before))
		return
	}
	w.printf("%s %s", c.After.Thing, w.show(c.After))
}

// printNews prints what a device is told, in the order in which it is told.
func (w *world) printNews(n news) {
	at := n.thing
	if n.namespace != "" {
		at += "/" + n.namespace
	}
	if n.notice.List {
		w.printf("notify %s %s", at, summary(n.queue.Pending(n.namespace)))
	}
	if n.notice.Next {
		front := "-"
		if x, ok := n.queue.Front(n.namespace); ok {
			front = w.show(x)
		}
		w.printf("notify-next %s %s", at, front)
	}
}

// summary returns a list such as {IN_PROGRESS:[job1 v2] QUEUED:[job2 v1, job3 v1]}.
func summary(xs []job.Execution) string {
	var lists []string
	xs = xs[:min(len(xs), job.MaxListed)]
	for _, s := range []job.Status{job.InProgress, job.Queued} {
		var list []string
		for _, x := range xs {
			if x.Status == s {
				list = append(list, fmt.Sprintf("%s v%d", name(x), x.Version))
			}
		}
		if len(list) > 0 {
			lists = append(lists, fmt.Sprintf("%s:[%s]", s, strings.Join(list, ", ")))
		}
	}
	return "{" + strings.Join(lists, " ") + "}"
}

// name returns the job's id, with the execution's number if it is not the first.
func name(x job.Execution) string {
	if x.Number == 1 {
		return x.Job.ID
	}
	return fmt.Sprintf("%s#%d", x.Job.ID, x.Number)
}

// show returns an execution such as job1 IN_PROGRESS v2 {k=v} until 12:20:00, 1199s left.
func (w *world) show(x job.Execution) string {
	s := fmt.Sprintf("%s %s v%d", name(x), x.Status, x.Version)
	if len(x.Details) > 0 {
		s += " " + details(x.Details)
	}
	if x.ForceCanceled {
		s += " forced"
	}
	if left, ok := x.SecondsLeft(w.now); ok {
		s += fmt.Sprintf(" until %s, %ds left", hhmmss(x.Deadline()), left)
	}
	return s
}

// long is show with the times of the execution.
func (w *world) long(x job.Execution) string {
	s := w.show(x) + ", queued " + hhmmss(x.QueuedAt)
	if x.StartedAt != 0 {
		s += ", started " + hhmmss(x.StartedAt)
	}
	return s + ", updated " + hhmmss(x.UpdatedAt)
}

func details(d map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(d)) {
		pairs = append(pairs, k+"="+d[k])
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// refusal returns an error such as invalid transition: text (SUCCEEDED v3 {s=1}).
func refusal(e *apierr.Error) string {
	s := e.Kind.String() + ": " + e.Message
	if e.State != nil {
		s += fmt.Sprintf(" (%s v%d", e.State.Status, e.State.Version)
		if len(e.State.StatusDetails) > 0 {
			s += " " + details(e.State.StatusDetails)
		}
		s += ")"
	}
	return s
}

func hhmmss(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") }
