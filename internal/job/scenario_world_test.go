package job_test

import (
	"errors"
	"fmt"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
)

// world is what a story plays in: a store, a clock that only the story moves,
// things and groups, and loops that run after each command unless they are held.
type world struct {
	*memory
	now     int64
	uids    job.UIDs
	groups  map[string]map[string]int64 // the uids of the memberships, by group and thing
	rolling map[int64]bool              // jobs whose rollout is held
	out     []string
}

func newWorld() *world {
	return &world{
		memory: newMemory(), now: t0,
		groups: make(map[string]map[string]int64), rolling: make(map[int64]bool),
	}
}

// verbs are the commands of the story language.
var verbs = map[string]func(*world, line) error{
	// the clock and the registry
	"at": (*world).setClock, "wait": (*world).wait,
	"thing": (*world).addThings, "delete-thing": (*world).deleteThing,
	"group": (*world).join, "join": (*world).join, "leave": (*world).leave,
	// the operator
	"create-job": (*world).createJob, "update-job": (*world).updateJob,
	"cancel-job": (*world).cancelJob, "delete-job": (*world).deleteJob, "associate": (*world).associate,
	"cancel": (*world).cancel, "delete": (*world).deleteExecution,
	// the loops
	"rollout": (*world).rolloutAgain, "sweep": (*world).sweepJob, "timers": (*world).timers,
	// the device
	"update": (*world).update, "start-next": (*world).startNext,
	// looking
	"pending": (*world).pending, "next": (*world).next, "describe": (*world).describe,
	"executions": (*world).listExecutions, "job": (*world).describeJob,
}

// run runs a command, then the outbox and the loop that ends jobs. An error is
// a mistake in the story; what a caller is refused is output.
func (w *world) run(l line) error {
	do := verbs[l.verb]
	if do == nil {
		return errors.New("no such command")
	}
	err := do(w, l)
	if e, ok := errors.AsType[*apierr.Error](err); ok {
		w.printf("error: %s", refusal(e))
	} else if err != nil {
		return err
	}
	for _, n := range w.send() {
		w.printNews(n)
	}
	w.endJobs()
	return nil
}

func (w *world) printf(format string, args ...any) {
	w.out = append(w.out, fmt.Sprintf(format, args...))
}

// taken returns the output so far and forgets it.
func (w *world) taken() []string {
	out := w.out
	w.out = nil
	return out
}

// change runs fn on a queue and prints what it changed there.
func (w *world) change(ref job.Ref, fn func(*job.Queue) error) error {
	var changes []job.Change
	err := w.serve(call{ref, func(q *job.Queue) error {
		err := fn(q)
		changes = q.Changes()
		return err
	}})[0]
	if err != nil {
		return err
	}
	for _, c := range changes {
		w.printChange(c)
	}
	return nil
}

func (w *world) setClock(l line) error {
	at, err := time.Parse("15:04:05", l.word(0))
	if err != nil {
		at, err = time.Parse("15:04", l.word(0))
	}
	if err != nil {
		return err
	}
	day := time.UnixMilli(t0).UTC().Truncate(24 * time.Hour)
	ms := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second).UnixMilli()
	if ms < w.now {
		return errors.New("the clock would go back")
	}
	w.now = ms
	return nil
}

func (w *world) wait(l line) error {
	d, err := time.ParseDuration(l.word(0))
	w.now += d.Milliseconds()
	return err
}

func (w *world) addThings(l line) error {
	for _, name := range l.words {
		w.things[name] = w.uids.Next(w.now)
	}
	return nil
}

// deleteThing takes the name away; what the thing has pending is removed later,
// by a loop that means the old identity.
func (w *world) deleteThing(l line) error {
	ref := job.Ref{Thing: l.word(0), ThingUID: w.things[l.word(0)]}
	delete(w.things, ref.Thing)
	return w.change(ref, func(q *job.Queue) error { q.RemoveAll(w.now); return nil })
}

// join makes things members of a group, new or not: group and join.
func (w *world) join(l line) error {
	if w.groups[l.word(0)] == nil {
		w.groups[l.word(0)] = make(map[string]int64)
	}
	for _, name := range l.words[1:] {
		membership := w.uids.Next(w.now)
		w.groups[l.word(0)][name] = membership
		for _, j := range w.following(l.word(0)) {
			if err := w.enqueue(name, j, membership); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave ends a membership, and a thing's part in the jobs of which it is then
// no target any more.
func (w *world) leave(l line) error {
	group, name := l.word(0), l.word(1)
	delete(w.groups[group], name)
	seq := w.uids.Next(w.now)
	for _, j := range w.following(group) {
		if w.targeted(j, name) {
			continue
		}
		err := w.change(job.Ref{Thing: name, JobUID: j.UID, History: true}, func(q *job.Queue) error {
			q.Leave(seq, w.now)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// targeted reports whether a thing is a target of a job by itself or by a group.
func (w *world) targeted(j *job.Job, thing string) bool {
	for _, t := range j.Targets {
		if _, in := w.groups[t.Name][thing]; in || t.Name == thing {
			return true
		}
	}
	return false
}
