package job_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"muster/internal/job"
)

// memory is a store of maps that does with a queue what a driver does: load,
// serve one or several calls, write what has changed. It checks what it is
// handed as a driver's guards would and panics if a rule of the queue is broken.
type memory struct {
	jobs       map[int64]*job.Job // by uid; replaced, never modified
	things     map[string]int64   // the uid of every registered thing
	live, done map[owned]job.Execution
	heads      map[owned]job.Head // key without number
	counts     map[int64]job.Counts
	dirty      map[outlet]job.Told
}

// owned is the key of an execution in the whole store.
type owned struct {
	thing int64
	job.Key
}

// outlet is where a device listens.
type outlet struct {
	thing     string
	uid       int64
	namespace string
}

func newMemory() *memory {
	return &memory{
		jobs: make(map[int64]*job.Job), things: make(map[string]int64),
		live: make(map[owned]job.Execution), done: make(map[owned]job.Execution),
		heads: make(map[owned]job.Head), counts: make(map[int64]job.Counts), dirty: make(map[outlet]job.Told),
	}
}

func (m *memory) clone() *memory {
	return &memory{
		maps.Clone(m.jobs), maps.Clone(m.things), maps.Clone(m.live), maps.Clone(m.done),
		maps.Clone(m.heads), maps.Clone(m.counts), maps.Clone(m.dirty),
	}
}

// call is one caller of UpdateQueues.
type call struct {
	ref job.Ref
	fn  func(*job.Queue) error
}

// serve runs the calls, each thing's queue loaded once, and stores what they
// change. A call that fails changes nothing, and fails alone.
func (m *memory) serve(calls ...call) []error {
	queues := make(map[int64]*job.Queue)
	var order []*job.Queue
	errs := make([]error, len(calls))
	for i, c := range calls {
		uid := m.uidOf(c.ref)
		q := queues[uid]
		if q == nil {
			q = m.load(c.ref)
			queues[uid] = q
			order = append(order, q)
		}
		m.aim(q, c.ref)
		mark := q.Mark()
		errs[i] = c.fn(q)
		if errs[i] != nil {
			q.Return(mark)
		}
	}
	for _, q := range order {
		m.save(q)
	}
	return errs
}

// queue returns the queue that ref names, to be read.
func (m *memory) queue(ref job.Ref) *job.Queue {
	q := m.load(ref)
	m.aim(q, ref)
	return q
}

func (m *memory) uidOf(ref job.Ref) int64 { return cmp.Or(ref.ThingUID, m.things[ref.Thing]) }

func (m *memory) load(ref job.Ref) *job.Queue {
	t := job.Thing{Name: ref.Thing, UID: m.uidOf(ref)}
	t.Gone = t.UID != m.things[ref.Thing]
	var live []job.Execution
	for k, x := range m.live {
		if k.thing == t.UID {
			live = append(live, m.fresh(x))
		}
	}
	return job.NewQueue(t, live)
}

// fresh returns x with its job as it is in this transaction.
func (m *memory) fresh(x job.Execution) job.Execution {
	x.Job = &m.jobs[x.Job.UID].Brief
	return x
}

// aim makes q ready for a caller: what its ref names, and no more than it asks for.
func (m *memory) aim(q *job.Queue, ref job.Ref) {
	q.Ref, q.Job = ref, nil
	for _, j := range m.jobs {
		if ref.JobUID == j.UID || ref.JobUID == 0 && ref.JobID == j.ID {
			q.Job = &j.Brief
		}
	}
	if q.Job == nil {
		return
	}
	for k, x := range m.done {
		if k.thing == q.Thing.UID && k.JobUID == q.Job.UID {
			q.Load(m.fresh(x))
		}
	}
	if ref.History {
		q.LoadHead(q.Job.UID, m.heads[owned{q.Thing.UID, job.Key{JobUID: q.Job.UID}}])
	}
}

func (m *memory) save(q *job.Queue) {
	changes := q.Changes()
	for _, c := range changes {
		k := owned{q.Thing.UID, c.After.Key()}
		if stored := m.at(k); stored.Version != c.Before.Version || stored.Status != c.Before.Status {
			panic(fmt.Sprintf("guard: %v is stored as %s v%d, not %s v%d", k, stored.Status, stored.Version, c.Before.Status, c.Before.Version))
		}
		delete(m.live, k)
		delete(m.done, k)
		switch {
		case c.After.Status.Pending():
			m.live[k] = c.After
		case c.After.Status.Terminal():
			m.done[k] = c.After
		}
	}
	job.Count(m.counts, changes)
	maps.DeleteFunc(m.counts, func(_ int64, c job.Counts) bool { return c == job.Counts{} })
	for uid, h := range q.Heads() {
		m.heads[owned{q.Thing.UID, job.Key{JobUID: uid}}] = h
	}
	for _, d := range q.Dirty() {
		at := outlet{q.Thing.Name, q.Thing.UID, d.Namespace}
		if _, ok := m.dirty[at]; !ok {
			m.dirty[at] = d.Told
		}
	}
}

func (m *memory) at(k owned) job.Execution {
	if x, ok := m.live[k]; ok {
		return x
	}
	return m.done[k]
}

// executions returns all of them, by thing, job and number.
func (m *memory) executions() []job.Execution {
	all := slices.AppendSeq(slices.Collect(maps.Values(m.live)), maps.Values(m.done))
	slices.SortFunc(all, func(a, b job.Execution) int {
		return cmp.Or(cmp.Compare(a.ThingUID, b.ThingUID), cmp.Compare(a.Job.UID, b.Job.UID), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// due returns refs to what has timed out by now, earliest first.
func (m *memory) due(now int64) []job.Ref {
	var late []job.Execution
	for _, x := range m.live {
		if x.Overdue(now) {
			late = append(late, x)
		}
	}
	slices.SortFunc(late, func(a, b job.Execution) int {
		return cmp.Or(cmp.Compare(a.Deadline(), b.Deadline()), cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.Job.UID, b.Job.UID))
	})
	var refs []job.Ref
	for _, x := range late {
		refs = append(refs, job.Ref{Thing: x.Thing, ThingUID: x.ThingUID})
	}
	return slices.Compact(refs)
}

// holders returns refs to the things that have a live execution of a job, by name.
func (m *memory) holders(jobUID int64) []job.Ref {
	var refs []job.Ref
	for _, x := range m.live {
		if x.Job.UID == jobUID {
			refs = append(refs, job.Ref{Thing: x.Thing, ThingUID: x.ThingUID, JobUID: jobUID})
		}
	}
	slices.SortFunc(refs, func(a, b job.Ref) int {
		return cmp.Or(cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.ThingUID, b.ThingUID))
	})
	return refs
}

// forget removes a job that is being deleted, with everything that is left of it.
func (m *memory) forget(jobUID int64) {
	maps.DeleteFunc(m.done, func(k owned, _ job.Execution) bool { return k.JobUID == jobUID })
	maps.DeleteFunc(m.heads, func(k owned, _ job.Head) bool { return k.JobUID == jobUID })
	delete(m.counts, jobUID)
	delete(m.jobs, jobUID)
}

// news is what one device is told.
type news struct {
	outlet
	notice job.Notice
	queue  *job.Queue // as it is when it is told
}

// send empties the outbox and returns what devices are told, by thing and namespace.
func (m *memory) send() []news {
	var out []news
	for at, was := range m.dirty {
		q := m.queue(job.Ref{Thing: at.thing, ThingUID: at.uid})
		if n := job.NoticeOf(was, q.Told(at.namespace)); n.List || n.Next {
			out = append(out, news{at, n, q})
		}
	}
	clear(m.dirty)
	slices.SortFunc(out, func(a, b news) int {
		return cmp.Or(cmp.Compare(a.thing, b.thing), cmp.Compare(a.uid, b.uid), cmp.Compare(a.namespace, b.namespace))
	})
	return out
}
