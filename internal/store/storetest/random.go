package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// model is a store that is too simple to be wrong: everything in maps, every
// queue loaded with all there is. The store under test must do as it does.
type model struct {
	jobs   map[int64]*job.Job
	xs     map[xkey]job.Execution
	heads  map[[2]int64]job.Head // by job and thing
	dirty  map[string]job.Told   // by dirtyKey
	things []*thing.Thing
}

type xkey struct{ job, thing, number int64 }

func keyOf(x job.Execution) xkey { return xkey{x.Job.UID, x.ThingUID, x.Number} }

// queues does what UpdateQueues does.
func (m *model) queues(refs []job.Ref, fn func(*job.Queue) error) error {
	loaded := map[int64]*job.Queue{}
	for _, r := range refs {
		uid := r.ThingUID
		if uid == 0 {
			uid = m.registered(r.Thing)
		}
		q := loaded[uid]
		if q == nil {
			q = m.load(r.Thing, uid)
			loaded[uid] = q
		}
		q.Ref, q.Job = r, nil
		for _, j := range m.jobs {
			if j.UID == r.JobUID || r.JobUID == 0 && j.ID == r.JobID {
				b := j.Brief
				q.Job = &b
			}
		}
		err := fn(q)
		if err != nil {
			return err
		}
	}
	for _, q := range loaded {
		m.store(q)
	}
	return nil
}

func (m *model) registered(name string) int64 {
	for _, x := range m.things {
		if x.Name == name {
			return x.UID
		}
	}
	return 0
}

func (m *model) load(name string, uid int64) *job.Queue {
	var live, finished []job.Execution
	for _, x := range m.xs {
		if x.ThingUID != uid {
			continue
		}
		b := m.jobs[x.Job.UID].Brief
		x.Job = &b
		if x.Status.Pending() {
			live = append(live, x)
		} else {
			finished = append(finished, x)
		}
	}
	q := job.NewQueue(job.Thing{Name: name, UID: uid, Gone: uid == 0 || m.registered(name) != uid}, live)
	for _, x := range finished {
		q.Load(x)
	}
	for k, h := range m.heads {
		if k[1] == uid {
			q.LoadHead(k[0], h)
		}
	}
	return q
}

func (m *model) store(q *job.Queue) {
	for _, ch := range q.Changes() {
		if ch.After.Status == job.None {
			delete(m.xs, keyOf(ch.After))
			continue
		}
		m.xs[keyOf(ch.After)] = ch.After
	}
	for uid, h := range q.Heads() {
		m.heads[[2]int64{uid, q.Thing.UID}] = h
	}
	for _, d := range q.Dirty() {
		k := dirtyKey(q.Thing.Name, q.Thing.UID, d.Namespace)
		if _, ok := m.dirty[k]; !ok {
			m.dirty[k] = d.Told
		}
	}
}

// machine drives the store and the model with the same random history.
type machine struct {
	*bundle
	m    *model
	now  int64
	run  int
	live map[int64]int64 // live executions of each job after the last step
}

// testRandom compares the store with the model after every step: answers,
// executions, counts, dirty rows, deadlines and marks.
func testRandom(t *testing.T, open Open) {
	b := setup(t, open)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		m := &machine{bundle: b, now: t0, run: run, live: map[int64]int64{}, m: &model{
			jobs: map[int64]*job.Job{}, xs: map[xkey]job.Execution{}, heads: map[[2]int64]job.Head{}, dirty: map[string]job.Told{},
		}}
		m.init()
		r.Repeat(map[string]func(*rapid.T){
			"":               m.compare,
			"time passes":    func(r *rapid.T) { m.now += int64(rapid.IntRange(1, 20*minute).Draw(r, "by")) },
			"queues":         m.queues,
			"cancel a job":   m.cancelJob,
			"delete a job":   m.deleteJob,
			"replace":        m.replaceThing,
			"timers fire":    m.fire,
			"all is told":    m.tell,
			"another writer": m.closure,
		})
		if t.Failed() {
			r.Fatal("the store differs from the model")
		}
	})
}

func (m *machine) init() {
	for i := range 4 {
		x := m.newThing(fmt.Sprintf("run%d-%d", m.run, i))
		m.m.things = append(m.m.things, &x)
	}
	jobs := make([]job.Job, 4)
	for i := range jobs {
		jobs[i] = m.newJob(fmt.Sprintf("run%d-%d", m.run, i), func(j *job.Job) {
			j.TimeoutMinutes = int64(i) * 7
			if i == 3 {
				j.Namespace = "ns"
			}
		})
		m.m.jobs[jobs[i].UID] = &jobs[i]
	}
	m.update(func(tx store.Tx) error {
		var errs []error
		for _, x := range m.m.things {
			errs = append(errs, tx.InsertThing(*x))
		}
		for _, j := range jobs {
			errs = append(errs, tx.InsertJob(j, "{}"))
		}
		return errors.Join(errs...)
	})
}

func (m *machine) drawJob(r *rapid.T) *job.Job {
	uids := slices.Sorted(maps.Keys(m.m.jobs))
	return m.m.jobs[rapid.SampledFrom(uids).Draw(r, "job")]
}

// step is one ref and what is done to its queue.
type step struct {
	ref job.Ref
	do  func(*job.Queue) error
}

func (m *machine) drawStep(r *rapid.T) step {
	x := rapid.SampledFrom(m.m.things).Draw(r, "thing")
	j := m.drawJob(r)
	s := step{ref: job.Ref{Thing: x.Name, JobID: j.ID}}
	if rapid.Bool().Draw(r, "by uid") {
		s.ref = job.Ref{Thing: x.Name, ThingUID: x.UID, JobUID: j.UID}
	}
	s.ref.Number = rapid.SampledFrom([]int64{0, 0, 0, 1, 2}).Draw(r, "number")
	now, seq := m.now, m.next()
	switch rapid.SampledFrom([]string{"enqueue", "enqueue", "enqueue", "update", "update", "update", "next", "cancel", "delete", "leave", "remove", "settle"}).Draw(r, "do") {
	case "enqueue":
		s.ref.History = true
		s.do = func(q *job.Queue) error { q.Enqueue(seq, now); return nil }
	case "update":
		u := job.Update{
			Status:             rapid.SampledFrom([]job.Status{job.InProgress, job.InProgress, job.Succeeded, job.Failed}).Draw(r, "status"),
			StepTimeoutMinutes: rapid.SampledFrom([]int64{0, 0, -1, 1, 5, 30}).Draw(r, "step"),
			Details:            rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), rapid.String(), 0, 2).Draw(r, "details"),
		}
		s.do = func(q *job.Queue) error { _, err := q.Update(u, now); return err }
	case "next":
		s.do = func(q *job.Queue) error {
			_, _, err := q.StartNext("", job.Start{StepTimeoutMinutes: 3}, now)
			return err
		}
	case "cancel":
		force := rapid.Bool().Draw(r, "force")
		s.do = func(q *job.Queue) error { _, err := q.Cancel(job.Cancel{Force: force}, now); return err }
	case "delete":
		s.ref.History = true
		s.do = func(q *job.Queue) error { return q.Delete(true, now) }
	case "leave":
		s.ref.History = true
		s.do = func(q *job.Queue) error { q.Leave(seq, now); return nil }
	case "remove":
		s.do = func(q *job.Queue) error { q.RemoveAll(now); return nil }
	case "settle":
		s.do = func(q *job.Queue) error { q.Settle(now); return nil }
	}
	return s
}

// queues makes one call with one to four steps, in which an error either counts or does not.
func (m *machine) queues(r *rapid.T) {
	steps := make([]step, rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(r, "steps"))
	refs := make([]job.Ref, len(steps))
	for i := range steps {
		steps[i] = m.drawStep(r)
		refs[i] = steps[i].ref
	}
	strict := rapid.Bool().Draw(r, "errors count")
	m.both(refs, func(i int, q *job.Queue) error {
		err := steps[i].do(q)
		if strict {
			return err
		}
		return nil
	}, m.updateQueues)
}

// both runs the same on the model and the store and compares what the functions saw.
func (m *machine) both(refs []job.Ref, fn func(int, *job.Queue) error, update func([]job.Ref, func(*job.Queue) error) error) {
	record := func(update func([]job.Ref, func(*job.Queue) error) error) (saw []string, err error) {
		err = update(refs, func(q *job.Queue) error {
			if len(saw) == len(refs) {
				saw = nil // it runs again
			}
			err := fn(len(saw), q)
			x, asked := q.Asked()
			x.Job = nil
			saw = append(saw, fmt.Sprintf("%+v %+v: %v; asked %+v %v; %d live", q.Thing, q.Ref, err, x, asked, len(q.Live())))
			return err
		})
		return saw, err
	}
	want, wantErr := record(m.m.queues)
	got, gotErr := record(update)
	same(m.T, "what the functions saw", got, want)
	if (wantErr == nil) != (gotErr == nil) || wantErr != nil && apierr.KindOf(wantErr) != apierr.KindOf(gotErr) {
		m.Errorf("got error %v, want %v", gotErr, wantErr)
	}
}

func (m *machine) updateQueues(refs []job.Ref, fn func(*job.Queue) error) error {
	return m.s.UpdateQueues(m.Context(), refs, fn)
}

// closure does in a transaction what queues does.
func (m *machine) closure(r *rapid.T) {
	s := m.drawStep(r)
	m.both([]job.Ref{s.ref}, func(_ int, q *job.Queue) error { return s.do(q) }, func(refs []job.Ref, fn func(*job.Queue) error) error {
		return m.s.Update(m.Context(), func(tx store.Tx) error { return tx.Queues(refs, fn) })
	})
}

func settle(now int64) func(int, *job.Queue) error {
	return func(_ int, q *job.Queue) error { q.Settle(now); return nil }
}

func (m *machine) cancelJob(r *rapid.T) {
	j := m.drawJob(r)
	if j.State != job.Active {
		r.Skip("not active")
	}
	j.State, j.Forced = job.Stopped, rapid.Bool().Draw(r, "force")
	m.update(func(tx store.Tx) error { return tx.UpdateJob(*j) })
}

// deleteJob deletes a job as the engine does, in two steps, and makes another of its name.
func (m *machine) deleteJob(r *rapid.T) {
	j := m.drawJob(r)
	if j.State != job.Deleting {
		j.State = job.Deleting
		m.update(func(tx store.Tx) error { return tx.UpdateJob(*j) })
		return
	}
	var live []job.Ref
	for p := range m.s.Parts() {
		live = append(live, read(m.bundle, func(r store.Reader) ([]job.Ref, error) { return r.LiveThings(p, j.UID, 0, 1000) })...)
	}
	m.both(live, settle(m.now), m.updateQueues)
	m.purge(*j, 3)
	again := m.newJob(j.ID, func(n *job.Job) { n.Namespace = j.Namespace })
	m.update(func(tx store.Tx) error { return errors.Join(tx.DeleteJob(j.UID), tx.InsertJob(again, "{}")) })
	maps.DeleteFunc(m.m.xs, func(k xkey, _ job.Execution) bool { return k.job == j.UID })
	maps.DeleteFunc(m.m.heads, func(k [2]int64, _ job.Head) bool { return k[0] == j.UID })
	delete(m.m.jobs, j.UID)
	m.m.jobs[again.UID] = &again
}

// replaceThing deletes a thing and makes another of its name. Its executions stay.
func (m *machine) replaceThing(r *rapid.T) {
	x := rapid.SampledFrom(m.m.things).Draw(r, "thing")
	again := m.newThing(x.Name)
	m.update(func(tx store.Tx) error { return errors.Join(tx.DeleteThing(*x), tx.InsertThing(again)) })
	*x = again
}

// fire does what the timer loop does.
func (m *machine) fire(*rapid.T) {
	due := func() []job.Ref {
		return slices.DeleteFunc(m.due(m.now), func(r job.Ref) bool { return !m.mine(r.Thing) })
	}
	refs := due()
	m.both(refs, settle(m.now), m.updateQueues)
	m.update(func(tx store.Tx) error { return tx.Rearm(refs) })
	same(m.T, "due after all have fired", due(), nil)
}

// mine reports whether a thing is of this run, for runs share a store.
func (m *machine) mine(name string) bool { return m.m.registered(name) != 0 }

func (m *machine) tell(*rapid.T) {
	m.sent()
	clear(m.m.dirty)
	m.update(func(tx store.Tx) error {
		marks, err := tx.MarkedJobs(1000)
		for _, k := range marks {
			err = errors.Join(err, tx.UnmarkJob(k))
		}
		return err
	})
}

func (m *machine) compare(*rapid.T) {
	m.view(func(r store.Reader) error {
		for _, j := range m.m.jobs {
			m.compareJob(r, j)
		}
		for _, x := range m.m.things {
			m.compareDue(r, x)
		}
		return nil
	})
	dirty := m.dirty()
	maps.DeleteFunc(dirty, func(key string, _ job.Told) bool {
		name, _, _ := strings.Cut(key, " ")
		return !m.mine(name)
	})
	same(m.T, "dirty", dirty, m.m.dirty)
	marks := m.marks()
	for _, j := range m.m.jobs {
		live := read(m.bundle, func(r store.Reader) (job.Counts, error) { return r.Counts(j.UID) }).Live()
		if m.live[j.UID] > 0 && live == 0 && !slices.Contains(marks, j.UID) {
			m.Errorf("%s has lost its last live execution and is not marked", j.ID)
		}
		m.live[j.UID] = live
	}
}

func (m *machine) compareJob(r store.Reader, j *job.Job) {
	var want []job.Execution
	var counts job.Counts
	for _, x := range m.m.xs {
		if x.Job.UID == j.UID {
			x.Job = &j.Brief
			want = append(want, x)
			counts[x.Status]++
		}
	}
	slices.SortFunc(want, func(x, y job.Execution) int {
		return cmp.Or(cmp.Compare(m.s.PartOf(x.Thing), m.s.PartOf(y.Thing)), cmp.Compare(x.ThingUID, y.ThingUID), cmp.Compare(x.Number, y.Number))
	})
	got, _, _, err := r.JobExecutions(j.UID, store.ExecutionFilter{}, store.Page[store.JobExecutionKey]{Limit: 1000})
	check(m.T, err)
	same(m.T, "executions of "+j.ID, got, want)
	n, err := r.Counts(j.UID)
	check(m.T, err)
	same(m.T, "counts of "+j.ID, n, counts)
}

// compareDue holds the law of deadlines: one is stored for every execution that
// has one, and not later.
func (m *machine) compareDue(r store.Reader, x *thing.Thing) {
	part := m.s.PartOf(x.Name)
	q, err := r.Queue(job.Ref{Thing: x.Name, ThingUID: x.UID})
	check(m.T, err)
	for _, l := range q.Live() {
		if l.Deadline() == 0 {
			continue
		}
		due, err := r.Due(part, l.Deadline(), 1_000_000)
		check(m.T, err)
		if !slices.Contains(due, job.Ref{Thing: x.Name, ThingUID: x.UID, JobUID: l.Job.UID, Number: l.Number}) {
			m.Errorf("%s on %s has no stored deadline at %d", l.Job.ID, x.Name, l.Deadline())
		}
	}
}
