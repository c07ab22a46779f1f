package job_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/apierr"
	"muster/internal/job"
)

// TestQueueAgainstModel drives the package, in a store whose loops come late,
// and the model, where everything happens at once, through the same random
// histories. Whoever asks gets the same answer from both, and the promises of
// check hold after each step.
func TestQueueAgainstModel(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*rapid.T, *machine){
		"from nothing": func(*rapid.T, *machine) {},
		"from two queued jobs": func(t *rapid.T, m *machine) {
			for _, id := range []string{"j1", "j2"} {
				m.create(t, id)
				m.rollout(t, id)
			}
		},
		"from a long queue that has begun": func(t *rapid.T, m *machine) {
			for _, id := range []string{"j1", "j2", "j3", "n1"} {
				m.create(t, id)
				m.rollout(t, id)
			}
			m.serve(t, m.updateStep("t1", "j2", job.InProgress), m.updateStep("t1", "n1", job.InProgress))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine()
				m.addThing("t1")
				m.addThing("t2")
				begin(t, m)
				for range 2 { // each of them is some thirty steps
					t.Repeat(map[string]func(*rapid.T){"": m.check, "step": m.step})
				}
				m.sweep()
				m.outbox(t)
				m.checkDevices(t)
				m.checkHistory(t)
			})
		})
	}
}

// step does one random thing.
func (m *machine) step(t *rapid.T) {
	pick(t, "action",
		m.callers, m.callers, m.callers, m.callers, m.callers, m.callers,
		m.wait, m.wait, m.outbox,
		func(*rapid.T) { m.sweep() },
		func(*rapid.T) { m.complete() },
		m.createJob, m.changeTimeout, m.cancelJob, m.deleteJob, m.replaceThing,
	)(t)
}

// pick returns one of xs, each as likely as the others: rapid itself prefers the first.
func pick[T any](t *rapid.T, label string, xs ...T) T {
	n := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(t, label) {
		n *= 2
		if bit {
			n++
		}
	}
	return xs[n%len(xs)]
}

// machine holds both sides, and what the devices have heard.
type machine struct {
	real   *memory
	model  *model
	uids   job.UIDs
	heard  map[outlet]job.Told
	repeat bool // an outbox ran ahead of the sweep of a deletion: it may say a thing twice
}

func newMachine() *machine {
	return &machine{real: newMemory(), model: &model{now: t0}, heard: make(map[outlet]job.Told)}
}

func (m *machine) now() int64 { return m.model.now }

// anyExecution returns the names of a thing and a job: mostly of an execution
// that there is.
func (m *machine) anyExecution(t *rapid.T) (thing, id string) {
	if n := len(m.model.execs); n > 0 && pick(t, "known", true, true, true, false) {
		x := pick(t, "execution", m.model.execs[max(0, n-16):]...)
		return x.thing.name, x.job.id
	}
	return pick(t, "thing", "t1", "t2", "t3"), anyJob(t) // t3 is never registered
}

func anyJob(t *rapid.T) string { return pick(t, "job", "j1", "j2", "j3", "n1") }

func namespaceOf(id string) string {
	if id == "n1" {
		return "ns"
	}
	return ""
}

// step is one caller: what he does to a queue, and to the model.
type step struct {
	name  string
	ref   job.Ref
	real  func(*job.Queue) answer
	model func() answer
}

// callers draws some callers and serves them.
func (m *machine) callers(t *rapid.T) {
	steps := make([]step, pick(t, "callers", 1, 2, 3, 4))
	for i := range steps {
		steps[i] = m.draw(t)
	}
	m.serve(t, steps...)
}

// serve serves the callers together, in one load, and each with a load of his
// own, and asks the model: three times the same answers, twice the same store.
func (m *machine) serve(t *rapid.T, steps ...step) {
	alone, together := make([]answer, len(steps)), make([]answer, len(steps))
	apart := m.real.clone()
	var calls []call
	for i, s := range steps {
		before := apart.clone()
		apart.serve(call{s.ref, func(q *job.Queue) error {
			alone[i] = s.real(q)
			if alone[i].refused == "" {
				checkOutput(t, before, q)
			}
			return alone[i].err()
		}})
		checkStep(t, before, apart)
		if want := s.model(); alone[i] != want {
			t.Fatalf("%s: got %+v, want %+v", s.name, alone[i], want)
		}
		calls = append(calls, call{s.ref, func(q *job.Queue) error {
			rehearse(t, q, s)
			together[i] = s.real(q)
			return together[i].err()
		}})
	}
	m.real.serve(calls...)
	if !slices.Equal(together, alone) {
		t.Fatalf("served together: got %+v, want %+v", together, alone)
	}
	for what, pair := range map[string][2]any{
		"live": {apart.live, m.real.live}, "finished": {apart.done, m.real.done},
		"heads": {apart.heads, m.real.heads}, "counts": {apart.counts, m.real.counts},
	} {
		if d := cmp.Diff(pair[0], pair[1], cmp.AllowUnexported(owned{})); d != "" {
			t.Fatalf("served together, another store of %s (-alone +together):\n%s", what, d)
		}
	}
}

// rehearse does the step and takes it back: nothing of it may be left.
func rehearse(t *rapid.T, q *job.Queue, s step) {
	before, mark := observe(q), q.Mark()
	s.real(q)
	q.Return(mark)
	if after := observe(q); !reflect.DeepEqual(before, after) {
		t.Fatalf("%s and back: wrong (-before +after):\n%s", s.name, cmp.Diff(before, after))
	}
}

// draw returns a random caller.
func (m *machine) draw(t *rapid.T) step {
	thing, id := m.anyExecution(t)
	now := m.now()
	details := pick(t, "details", "", "a", "b")
	minutes := pick(t, "step timeout", 0, 0, -1, 1, int64(2))
	force := rapid.Bool().Draw(t, "force")
	expected := pick(t, "version", nil, nil, nil, nil, new(int64(1)), new(int64(2)), new(int64(3)), new(int64(99)))
	ref := job.Ref{Thing: thing, JobID: id, Number: pick(t, "number", 0, 0, 0, 0, 1, int64(2))}
	verbs := []string{"update", "update", "update", "update", "start-next", "start-next", "cancel", "delete"}
	if len(m.model.jobs) > 0 {
		verbs = append(verbs, "join", "join", "leave")
	}
	switch name := pick(t, "call", verbs...); name {
	case "update":
		to := pick(t, "status", append(job.Statuses(), job.InProgress, job.InProgress, job.InProgress, job.InProgress)...)
		return step{fmt.Sprintf("update %s %s %d to %s", thing, id, ref.Number, to), ref, func(q *job.Queue) answer {
			return answerOf(q.Update(job.Update{Status: to, Details: detailsOf(details), ExpectedVersion: expected, StepTimeoutMinutes: minutes}, now))
		}, func() answer { return m.model.update(thing, id, ref.Number, to, expected, details, minutes) }}
	case "start-next":
		namespace := namespaceOf(id)
		return step{fmt.Sprintf("start-next %s %q", thing, namespace), job.Ref{Thing: thing}, func(q *job.Queue) answer {
			x, ok, err := q.StartNext(namespace, job.Start{Details: detailsOf(details), StepTimeoutMinutes: minutes}, now)
			if err == nil && !ok {
				return answer{}
			}
			return answerOf(x, err)
		}, func() answer { return m.model.startNext(thing, namespace, details, minutes) }}
	case "cancel":
		return step{fmt.Sprintf("cancel %s %s %d force %v", thing, id, ref.Number, force), ref, func(q *job.Queue) answer {
			return answerOf(q.Cancel(job.Cancel{Force: force, ExpectedVersion: expected, Details: detailsOf(details)}, now))
		}, func() answer { return m.model.cancel(thing, id, ref.Number, force, expected, details) }}
	case "delete":
		ref.History = true
		return step{fmt.Sprintf("delete %s %s %d force %v", thing, id, ref.Number, force), ref, func(q *job.Queue) answer {
			if err := q.Delete(force, now); err != nil {
				return answerOf(job.Execution{}, err)
			}
			return answer{found: true}
		}, func() answer { return m.model.remove(thing, id, ref.Number, force) }}
	default:
		return m.drawChange(t, name)
	}
}

// drawChange returns a thing that becomes a target, or ceases to be one: by a
// new change, or for a join also by one that has happened before.
func (m *machine) drawChange(t *rapid.T, name string) step {
	things, jobs := m.model.things, m.model.jobs
	who := pick(t, "identity", things[max(0, len(things)-4):]...)
	what := pick(t, "job identity", jobs[max(0, len(jobs)-5):]...)
	seq := m.uids.Next(m.now())
	if n := len(m.model.joined); n > 0 && rapid.Bool().Draw(t, "known") {
		p := pick(t, "part", m.model.joined[max(0, n-8):]...)
		who, what = p.thing, p.job
	}
	if name == "leave" {
		younger := int64(-1) // no execution's
		if cause := m.model.cause(who, what); cause != 0 && pick(t, "rolled out before", false, false, true) {
			younger = cause
		}
		return m.leaveStep(who, what, seq, younger)
	}
	if pick(t, "again", false, false, true) {
		seq = what.uid // as a rollout that runs again
	}
	return m.joinStep(who, what, seq)
}

func refTo(who *modelThing, what *modelJob) job.Ref {
	return job.Ref{Thing: who.name, ThingUID: who.uid, JobUID: what.uid, History: true}
}

func (m *machine) joinStep(who *modelThing, what *modelJob, seq int64) step {
	now := m.now()
	return step{
		fmt.Sprintf("%s %d joins %s by %d", who.name, who.uid, what.id, seq), refTo(who, what),
		func(q *job.Queue) answer { return answer{found: q.Enqueue(seq, now)} },
		func() answer { return m.model.enqueue(who, what, seq) },
	}
}

func (m *machine) leaveStep(who *modelThing, what *modelJob, seq, younger int64) step {
	now := m.now()
	return step{
		fmt.Sprintf("%s %d leaves %s, before %d", who.name, who.uid, what.id, younger), refTo(who, what),
		func(q *job.Queue) answer { return answer{found: q.Leave(seq, now, younger)} },
		func() answer { return m.model.leave(who, what, younger) },
	}
}

// updateStep is a plain report.
func (m *machine) updateStep(thing, id string, to job.Status) step {
	now := m.now()
	return step{
		fmt.Sprintf("update %s %s to %s", thing, id, to), job.Ref{Thing: thing, JobID: id},
		func(q *job.Queue) answer { return answerOf(q.Update(job.Update{Status: to}, now)) },
		func() answer { return m.model.update(thing, id, 0, to, nil, "", 0) },
	}
}

func detailsOf(s string) map[string]string {
	if s == "" {
		return nil
	}
	return map[string]string{"step": s}
}

// answerOf returns what the package answers in the words of the model.
func answerOf(x job.Execution, err error) answer {
	if e, ok := errors.AsType[*apierr.Error](err); ok {
		a := answer{refused: e.Kind.String()}
		if e.State != nil {
			a.status, _ = job.ParseStatus(e.State.Status)
			a.version, a.details = e.State.Version, e.State.StatusDetails["step"]
		}
		return a
	}
	return answer{
		found: true, status: x.Status, version: x.Version, number: x.Number, details: x.Details["step"],
		queued: x.QueuedAt, started: x.StartedAt, updated: x.UpdatedAt, deadline: x.Deadline(), forced: x.ForceCanceled,
	}
}

// err returns an error if the caller was refused, so that the store takes nothing.
func (a answer) err() error {
	if a.refused == "" {
		return nil
	}
	return errors.New(a.refused)
}
