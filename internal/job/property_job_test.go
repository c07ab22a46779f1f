package job_test

import (
	"slices"

	"pgregory.net/rapid"

	"muster/internal/apierr"
	"muster/internal/job"
)

// addThing registers a thing on both sides.
func (m *machine) addThing(name string) {
	uid := m.uids.Next(m.now())
	m.real.things[name] = uid
	m.model.things = append(m.model.things, &modelThing{name: name, uid: uid})
}

// replaceThing deletes a thing and makes another one under its name.
func (m *machine) replaceThing(t *rapid.T) {
	if pick(t, "keep", true, true, true, false) {
		return
	}
	name := pick(t, "thing", "t1", "t2")
	ref := job.Ref{Thing: name, ThingUID: m.real.things[name]}
	m.model.removeThing(m.model.thing(name))
	delete(m.real.things, name)
	m.real.serve(call{ref, func(q *job.Queue) error { q.RemoveAll(m.now()); return nil }})
	m.addThing(name)
}

// wait moves the clock. The loop that watches deadlines may come late: whoever
// asks must not notice.
func (m *machine) wait(t *rapid.T) {
	m.model.wait(pick(t, "time", 1, second, 30*second, minute))
	if rapid.Bool().Draw(t, "timers are in time") {
		m.timers()
	}
}

func (m *machine) timers() { m.settle(m.real.due(m.now())) }

func (m *machine) settle(refs []job.Ref) {
	for _, ref := range refs {
		m.real.serve(call{ref, func(q *job.Queue) error { q.Settle(m.now()); return nil }})
	}
}

// rowOf returns the job that has the id now, or nil.
func (m *machine) rowOf(id string) *job.Job {
	for _, j := range m.real.jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// createJob creates a job under a free id and mostly rolls it out at once.
func (m *machine) createJob(t *rapid.T) {
	id := anyJob(t)
	m.create(t, id)
	if j := m.model.job(id); j.status == "IN_PROGRESS" && pick(t, "rollout", true, true, false) {
		m.rollout(t, id)
	}
}

// create creates a job unless the id is taken.
func (m *machine) create(t *rapid.T, id string) {
	if old := m.rowOf(id); old != nil {
		if old.State != job.Deleting {
			return
		}
		m.sweep() // the id is free when the last execution has gone
	}
	s := job.Spec{ID: id, Namespace: namespaceOf(id), Selection: job.Snapshot}
	s.TimeoutMinutes = pick(t, "timeout", 0, 1, int64(2))
	if rapid.Bool().Draw(t, "continuous") {
		s.Selection = job.Continuous
	}
	j := job.New(s, m.uids.Next(m.now()), m.now())
	m.real.jobs[j.UID] = &j
	m.model.jobs = append(m.model.jobs, &modelJob{
		id: id, namespace: s.Namespace, uid: j.UID, created: m.now(), status: "IN_PROGRESS",
		continuous: s.Selection == job.Continuous, timeoutMinutes: s.TimeoutMinutes,
	})
}

// rollout queues a job for every thing.
func (m *machine) rollout(t *rapid.T, id string) {
	for _, who := range m.model.things {
		j := m.model.job(id)
		m.serve(t, m.joinStep(who, j, j.uid))
	}
}

// changeJob asks both sides for a change of a job's row; the sweep comes later.
func (m *machine) changeJob(t *rapid.T, real func(job.Job) (job.Job, error), model func(*modelJob) string) {
	id := anyJob(t)
	row, other := m.rowOf(id), m.model.job(id)
	if row == nil || other == nil {
		if other != nil || row != nil && row.State != job.Deleting {
			t.Fatalf("%s: got row %v, want %v", id, row, other)
		}
		return
	}
	// What has timed out by now did so before the operator came.
	m.timers()
	next, err := real(*row)
	got := ""
	if err != nil {
		got = apierr.KindOf(err).String()
	}
	if want := model(other); got != want {
		t.Fatalf("%s: got %q, want %q", row, got, want)
	}
	m.real.jobs[row.UID] = &next
}

func (m *machine) cancelJob(t *rapid.T) {
	force := rapid.Bool().Draw(t, "force")
	m.changeJob(t,
		func(j job.Job) (job.Job, error) { return j.Cancel(job.CancelJob{Force: force}, m.now()) },
		func(j *modelJob) string { return m.model.cancelJob(j, force) })
}

func (m *machine) deleteJob(t *rapid.T) {
	force := rapid.Bool().Draw(t, "force")
	if pick(t, "keep", true, true, false) {
		return
	}
	m.changeJob(t,
		func(j job.Job) (job.Job, error) { return j.Delete(force, m.now()) },
		func(j *modelJob) string { return m.model.deleteJob(j, force) })
}

func (m *machine) changeTimeout(t *rapid.T) {
	minutes := pick(t, "timeout", 0, 1, int64(2))
	m.changeJob(t,
		func(j job.Job) (job.Job, error) { return j.Update(job.Patch{TimeoutMinutes: &minutes}, m.now()) },
		func(j *modelJob) string {
			if j.status != "IN_PROGRESS" {
				return "invalid"
			}
			j.timeoutMinutes = minutes
			return ""
		})
}

// complete is the loop that ends snapshots; it goes by the counters.
func (m *machine) complete() {
	m.timers()
	m.model.complete()
	for uid, j := range m.real.jobs {
		if next, ok := j.Complete(false, m.real.counts[uid].Live(), m.now()); ok {
			m.real.jobs[uid] = &next
		}
	}
}

// sweep runs every loop to its end.
func (m *machine) sweep() {
	m.timers()
	for uid, j := range m.real.jobs {
		m.settle(m.real.holders(uid))
		if j.State == job.Deleting {
			m.real.forget(uid)
		}
	}
}

// outbox tells the devices what has changed. It says nothing without need.
func (m *machine) outbox(t *rapid.T) {
	for _, n := range m.real.send() {
		is, was := n.queue.Told(n.namespace), m.heard[n.outlet]
		if need := job.NoticeOf(was, is); n.notice != need && !m.repeat {
			t.Fatalf("%v is told %+v, want %+v: it heard %v and there is %v", n.outlet, n.notice, need, was, is)
		}
		if n.notice.List {
			was.Set = is.Set
		}
		if n.notice.Next {
			was.Front = is.Front
		}
		m.heard[n.outlet] = was
	}
	m.repeat = slices.ContainsFunc(m.real.executions(), func(x job.Execution) bool {
		return x.Status.Pending() && m.real.jobs[x.Job.UID].State == job.Deleting
	})
}
