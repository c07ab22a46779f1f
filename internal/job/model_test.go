package job_test

import (
	"sort"

	"muster/internal/job"
)

// model is what the service promises, written down from its documents and not
// from the package: plain lists, searched from end to end, and everything
// happens at once. A canceled job has canceled executions, a deleted one none,
// and a timer fires on the millisecond; no loop comes later.
type model struct {
	now    int64
	things []*modelThing
	jobs   []*modelJob
	execs  []*modelExec
	joined []*modelTarget
}

type modelThing struct {
	name string
	uid  int64
	gone bool
}

type modelJob struct {
	id, namespace  string
	uid, created   int64
	status         string // as on the wire; "" is deleted
	continuous     bool
	timeoutMinutes int64
}

type modelExec struct {
	thing                    *modelThing
	job                      *modelJob
	number, version, cause   int64
	status                   job.Status
	details                  string
	queued, started, updated int64
	inProgressEnd, stepEnd   int64
	forced, deleted          bool
}

// modelTarget is a thing's part in a job: in or left, and the last number used.
type modelTarget struct {
	thing  *modelThing
	job    *modelJob
	in     bool
	number int64
}

// answer is what a caller is told: the execution, or why not.
type answer struct {
	refused                  string // kind of error, empty if none
	found                    bool
	status                   job.Status
	version, number          int64
	details                  string
	queued, started, updated int64
	deadline                 int64
	forced                   bool
}

func (m *model) thing(name string) *modelThing {
	for _, t := range m.things {
		if t.name == name && !t.gone {
			return t
		}
	}
	return nil
}

func (m *model) job(id string) *modelJob {
	for _, j := range m.jobs {
		if j.id == id && j.status != "" {
			return j
		}
	}
	return nil
}

// find returns the execution with the number, or the latest if that is 0.
func (m *model) find(thing, id string, number int64) *modelExec {
	t, j := m.thing(thing), m.job(id)
	var found *modelExec
	for _, x := range m.execs {
		if t == nil || j == nil || x.thing != t || x.job != j || x.deleted {
			continue
		}
		if number == 0 && (found == nil || x.number > found.number) || number != 0 && x.number == number {
			found = x
		}
	}
	return found
}

func (x *modelExec) pending() bool {
	return !x.deleted && (x.status == job.Queued || x.status == job.InProgress)
}

// deadline is the earlier of the timers that run.
func (x *modelExec) deadline() int64 {
	switch {
	case x.stepEnd != 0 && (x.inProgressEnd == 0 || x.stepEnd < x.inProgressEnd):
		return x.stepEnd
	default:
		return x.inProgressEnd
	}
}

// end makes x terminal at the present time.
func (m *model) end(x *modelExec, s job.Status) {
	x.status, x.inProgressEnd, x.stepEnd = s, 0, 0
	x.version++
	x.updated = m.now
}

// wait moves the clock; timers fire.
func (m *model) wait(ms int64) {
	m.now += ms
	for _, x := range m.execs {
		if x.pending() && x.deadline() != 0 && x.deadline() <= m.now {
			m.end(x, job.TimedOut)
		}
	}
}

// list returns what is pending, first the started ones, each by age.
func (m *model) list(thing *modelThing, namespace string) []*modelExec {
	var xs []*modelExec
	for _, x := range m.execs {
		if x.thing == thing && x.pending() && x.job.namespace == namespace {
			xs = append(xs, x)
		}
	}
	sort.Slice(xs, func(i, k int) bool {
		a, b := xs[i], xs[k]
		switch {
		case a.status != b.status:
			return a.status == job.InProgress
		case a.queued != b.queued:
			return a.queued < b.queued
		case a.job.created != b.job.created:
			return a.job.created < b.job.created
		}
		return a.job.id < b.job.id
	})
	return xs
}

func (m *model) start(x *modelExec, details string, step int64) {
	if x.status == job.Queued {
		x.started = m.now
		if x.job.timeoutMinutes > 0 {
			x.inProgressEnd = m.now + x.job.timeoutMinutes*minute
		}
	}
	x.status = job.InProgress
	x.version++
	x.updated = m.now
	x.describe(details)
	if step > 0 {
		x.stepEnd = m.now + step*minute
	}
	if step == -1 {
		x.stepEnd = 0
	}
}

func (x *modelExec) describe(details string) {
	if details != "" {
		x.details = details
	}
}

func (m *model) startNext(thing, namespace, details string, step int64) answer {
	t := m.thing(thing)
	if t == nil {
		return answer{refused: "not found"}
	}
	list := m.list(t, namespace)
	if len(list) == 0 {
		return answer{}
	}
	if list[0].status == job.Queued {
		m.start(list[0], details, step)
	}
	return list[0].answer()
}

func (m *model) update(thing, id string, number int64, to job.Status, expected *int64, details string, step int64) answer {
	x := m.find(thing, id, number)
	if x == nil {
		return answer{refused: "not found"}
	}
	if expected != nil && *expected != x.version {
		return x.refuse("version mismatch")
	}
	if !x.pending() {
		return x.refuse("invalid transition")
	}
	switch to {
	case job.InProgress:
		m.start(x, details, step)
	case job.Succeeded, job.Failed, job.Rejected:
		m.end(x, to)
		x.describe(details)
	default:
		return x.refuse("invalid transition")
	}
	return x.answer()
}

func (m *model) cancel(thing, id string, number int64, force bool, expected *int64, details string) answer {
	x := m.find(thing, id, number)
	if x == nil {
		return answer{refused: "not found"}
	}
	if expected != nil && *expected != x.version {
		return x.refuse("version mismatch")
	}
	if x.status != job.Queued && (x.status != job.InProgress || !force) {
		return x.refuse("invalid transition")
	}
	x.forced = x.status == job.InProgress
	m.end(x, job.Canceled)
	x.describe(details)
	return x.answer()
}

func (m *model) remove(thing, id string, number int64, force bool) answer {
	x := m.find(thing, id, number)
	if x == nil {
		return answer{refused: "not found"}
	}
	if x.status == job.InProgress && !force {
		return x.refuse("invalid transition")
	}
	x.deleted = true
	return answer{found: true}
}

// part returns the thing's part in a job, which it makes if need be.
func (m *model) part(t *modelThing, j *modelJob) *modelTarget {
	for _, p := range m.joined {
		if p.thing == t && p.job == j {
			return p
		}
	}
	p := &modelTarget{thing: t, job: j}
	m.joined = append(m.joined, p)
	return p
}

// enqueue makes t a target because of cause: it gets an execution unless it is one.
func (m *model) enqueue(t *modelThing, j *modelJob, cause int64) answer {
	p := m.part(t, j)
	if t.gone || j.status != "IN_PROGRESS" || p.in {
		return answer{}
	}
	p.in = true
	p.number++
	m.execs = append(m.execs, &modelExec{
		thing: t, job: j, number: p.number, version: 1, cause: cause, status: job.Queued, queued: m.now, updated: m.now,
	})
	return answer{found: true}
}

// leave makes t no target any more, unless it is one because of younger.
func (m *model) leave(t *modelThing, j *modelJob, younger int64) answer {
	p := m.part(t, j)
	if !p.in || j.status == "" || m.cause(t, j) == younger {
		return answer{}
	}
	p.in = false
	for _, x := range m.execs {
		if x.thing == t && x.job == j && x.pending() {
			m.end(x, job.Removed)
		}
	}
	return answer{found: true}
}

// cause returns that of the newest execution of a job on a thing, or 0 if there is none.
func (m *model) cause(t *modelThing, j *modelJob) int64 {
	var cause int64
	for _, x := range m.execs {
		if x.thing == t && x.job == j && !x.deleted {
			cause = x.cause
		}
	}
	return cause
}

func (m *model) removeThing(t *modelThing) {
	t.gone = true
	for _, x := range m.execs {
		if x.thing == t && x.pending() {
			m.end(x, job.Removed)
		}
	}
}

func (m *model) cancelJob(j *modelJob, force bool) string {
	if j.status != "IN_PROGRESS" {
		return "invalid"
	}
	j.status = "CANCELED"
	for _, x := range m.execs {
		if x.job == j && x.pending() && (force || x.status == job.Queued) {
			x.forced = x.status == job.InProgress
			m.end(x, job.Canceled)
		}
	}
	return ""
}

func (m *model) deleteJob(j *modelJob, force bool) string {
	if j.status == "IN_PROGRESS" && !force {
		return "invalid transition"
	}
	j.status = ""
	for _, x := range m.execs {
		if x.job == j {
			x.deleted = true
		}
	}
	return ""
}

// complete ends the snapshots that have nothing pending.
func (m *model) complete() {
	for _, j := range m.jobs {
		pending := false
		for _, x := range m.execs {
			pending = pending || x.job == j && x.pending()
		}
		if j.status == "IN_PROGRESS" && !j.continuous && !pending {
			j.status = "COMPLETED"
		}
	}
}

func (x *modelExec) answer() answer {
	return answer{
		found: true, status: x.status, version: x.version, number: x.number, details: x.details,
		queued: x.queued, started: x.started, updated: x.updated, deadline: x.deadline(), forced: x.forced,
	}
}

// refuse returns the answer with the state that goes with it.
func (x *modelExec) refuse(kind string) answer {
	return answer{refused: kind, status: x.status, version: x.version, details: x.details}
}
