package sqlite

import (
	"cmp"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"muster/internal/apierr"
	"muster/internal/job"
)

// owner identifies a queue: by the thing's uid, or by name where no thing has it.
type owner struct {
	uid  int64
	name string // empty if uid is set
}

// entry is a loaded queue and what the driver must remember to store it again.
type entry struct {
	q       *job.Queue
	part    int
	armed   map[job.Key]int64 // stored deadlines, of those that have one
	history map[int64]bool    // jobs whose finished executions and head are loaded
	mark    job.Mark
	call    int // the call that mark belongs to
}

// queues are the queues that calls of one transaction work on. Several calls on
// one thing share one queue. They are forgotten when anything else writes.
type queues struct {
	c       *conn
	parts   int
	briefs  *briefs
	names   map[string]int64 // uid of the thing that has the name, 0 for none
	entries map[owner]*entry
	order   []*entry // in the order of loading
	call    int
}

func newQueues(c *conn, parts int) *queues {
	return &queues{
		c: c, parts: parts, briefs: newBriefs(c),
		names: make(map[string]int64), entries: make(map[owner]*entry),
	}
}

// run calls fn for each ref. If fn fails, what it has changed is taken back and
// failed is what it returned; err is a failure of the database.
func (qs *queues) run(refs []job.Ref, fn func(*job.Queue) error) (failed, err error) {
	qs.call++
	for i, ref := range refs {
		e, err := qs.ready(ref)
		if err != nil {
			return nil, err
		}
		if e.call != qs.call {
			e.mark, e.call = e.q.Mark(), qs.call
		}
		failed = protect(func() error { return fn(e.q) })
		if failed != nil {
			return failed, qs.undo(refs[:i+1])
		}
	}
	return nil, nil
}

func (qs *queues) undo(refs []job.Ref) error {
	for _, ref := range refs {
		e, err := qs.entry(ref)
		if err != nil {
			return err
		}
		if e.call == qs.call {
			e.q.Return(e.mark)
			e.history = nil // what was loaded since the mark went with it
			e.call = 0
		}
	}
	return nil
}

// protect turns a panic into an error: the writer serves others, too.
func protect(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = apierr.Wrap(apierr.Internal, fmt.Errorf("%v\n%s", p, debug.Stack()), "panic in a transaction")
		}
	}()
	return fn()
}

// ready returns the queue that ref names, with everything that ref asks for.
func (qs *queues) ready(ref job.Ref) (*entry, error) {
	e, err := qs.entry(ref)
	if err != nil {
		return nil, err
	}
	j, err := qs.job(ref)
	if err != nil {
		return nil, err
	}
	e.q.Ref, e.q.Job = ref, j
	if e.wants(ref, j) {
		// Usually loaded already, for all refs at once. Not if the live execution
		// that ref would have meant has gone since, in this very transaction.
		err = qs.loadHistory(e.part, j.UID, []int64{e.q.Thing.UID})
	}
	return e, err
}

// wants reports whether finished executions and the head of job j must be loaded for ref.
func (e *entry) wants(ref job.Ref, j *job.Brief) bool {
	if j == nil || e.q.Thing.UID == 0 || e.history[j.UID] {
		return false
	}
	return ref.History || !slices.ContainsFunc(e.q.Live(), func(x job.Execution) bool {
		return x.Job.UID == j.UID && (ref.Number == 0 || ref.Number == x.Number)
	})
}

func (qs *queues) job(ref job.Ref) (*job.Brief, error) {
	switch {
	case ref.JobUID != 0:
		return qs.briefs.uid(ref.JobUID)
	case ref.JobID != "":
		return qs.briefs.id(ref.JobID)
	}
	return nil, nil
}

// entry returns the queue that ref names, loading it if load has not.
func (qs *queues) entry(ref job.Ref) (*entry, error) {
	_, known := qs.names[ref.Thing]
	e := qs.entries[qs.owner(ref)]
	if known && e != nil {
		return e, nil
	}
	err := qs.load([]job.Ref{ref})
	return qs.entries[qs.owner(ref)], err
}

func (qs *queues) owner(ref job.Ref) owner {
	uid := cmp.Or(ref.ThingUID, qs.names[ref.Thing])
	if uid == 0 {
		return owner{name: ref.Thing}
	}
	return owner{uid: uid}
}

// load reads the queues of all refs that are not loaded yet, and what the refs
// ask for, in a few statements for each part.
func (qs *queues) load(refs []job.Ref) error {
	parts := make(map[int][]job.Ref, 1)
	for _, ref := range refs {
		p := PartOf(ref.Thing, qs.parts)
		parts[p] = append(parts[p], ref)
	}
	for _, p := range slices.Sorted(maps.Keys(parts)) {
		err := qs.loadPart(p, parts[p])
		if err != nil {
			return err
		}
	}
	return nil
}

func (qs *queues) loadPart(part int, refs []job.Ref) error {
	err := qs.loadNames(part, refs)
	if err != nil {
		return err
	}
	err = qs.loadLive(part, refs)
	if err != nil {
		return err
	}
	return qs.loadHistories(part, refs)
}

func (qs *queues) loadNames(part int, refs []job.Ref) error {
	var ask []string
	for _, ref := range refs {
		if _, ok := qs.names[ref.Thing]; !ok {
			qs.names[ref.Thing] = 0
			ask = append(ask, ref.Thing)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	text, err := names(ask)
	if err != nil {
		return err
	}
	return qs.c.query(`SELECT t.name, t.uid FROM json_each(?) k CROSS JOIN things t ON t.part = ? AND t.name = k.value`, func(r row) error {
		qs.names[r.text(0)] = r.int(1)
		return nil
	}, text, part)
}

const selectLive = `SELECT ` + executionColumns + ` FROM json_each(?) k CROSS JOIN live ON part = ? AND thing_uid = k.value`

func (qs *queues) loadLive(part int, refs []job.Ref) error {
	var ask []int64
	var fresh []*entry
	for _, ref := range refs {
		o := qs.owner(ref)
		if qs.entries[o] != nil {
			continue
		}
		e := &entry{part: part, q: &job.Queue{Thing: job.Thing{Name: ref.Thing, UID: o.uid, Gone: o.uid == 0 || o.uid != qs.names[ref.Thing]}}}
		qs.entries[o] = e
		fresh = append(fresh, e)
		if o.uid != 0 {
			ask = append(ask, o.uid)
		}
	}
	live := make(map[int64][]job.Execution, len(ask))
	if len(ask) > 0 {
		var xs []execution
		err := qs.c.query(selectLive, func(r row) error {
			x, err := executionRow(r)
			xs = append(xs, x)
			return err
		}, list(ask), part)
		if err != nil {
			return err
		}
		for i := range xs {
			err := qs.take(&xs[i])
			if err != nil {
				return err
			}
			live[xs[i].ThingUID] = append(live[xs[i].ThingUID], xs[i].Execution)
		}
	}
	for _, e := range fresh {
		e.q = job.NewQueue(e.q.Thing, live[e.q.Thing.UID])
		qs.order = append(qs.order, e)
	}
	return nil
}

// take completes a live execution and remembers its stored deadline.
func (qs *queues) take(x *execution) error {
	err := qs.briefs.complete(x)
	if err != nil {
		return err
	}
	if x.armed == 0 {
		return nil
	}
	e := qs.entries[owner{uid: x.ThingUID}]
	if e.armed == nil {
		e.armed = make(map[job.Key]int64, 1)
	}
	e.armed[x.Key()] = x.armed
	return nil
}

// loadHistories loads the histories that refs ask for, job by job.
func (qs *queues) loadHistories(part int, refs []job.Ref) error {
	var ask map[int64][]int64
	for _, ref := range refs {
		j, err := qs.job(ref)
		if err != nil {
			return err
		}
		e := qs.entries[qs.owner(ref)]
		if !e.wants(ref, j) {
			continue
		}
		if ask == nil {
			ask = make(map[int64][]int64, 1)
		}
		ask[j.UID] = append(ask[j.UID], e.q.Thing.UID)
	}
	for _, uid := range slices.Sorted(maps.Keys(ask)) {
		err := qs.loadHistory(part, uid, ask[uid])
		if err != nil {
			return err
		}
	}
	return nil
}

const selectFinished = `SELECT ` + executionColumns + ` FROM json_each(?) k CROSS JOIN finished ON job_uid = ? AND part = ? AND thing_uid = k.value`

// loadHistory loads all finished executions of one job on some things, and
// their heads. All of them, because the newest may be deleted in this very
// transaction; there is one, unless the thing has been a target repeatedly.
func (qs *queues) loadHistory(part int, jobUID int64, things []int64) error {
	for _, uid := range things {
		e := qs.entries[owner{uid: uid}]
		if e.history == nil {
			e.history = make(map[int64]bool, 1)
		}
		e.history[jobUID] = true
	}
	ask := list(things)
	err := qs.c.query(selectFinished, func(r row) error {
		x, err := executionRow(r)
		if err != nil {
			return err
		}
		x.Job = qs.briefs.byUID[jobUID]
		qs.entries[owner{uid: x.ThingUID}].q.Load(x.Execution)
		return nil
	}, ask, jobUID, part)
	if err != nil {
		return err
	}
	return qs.c.query(`SELECT thing_uid, number, left_at FROM json_each(?) k CROSS JOIN heads ON job_uid = ? AND part = ? AND thing_uid = k.value`, func(r row) error {
		qs.entries[owner{uid: r.int(0)}].q.LoadHead(jobUID, job.Head{Number: r.int(1), Left: r.int(2)})
		return nil
	}, ask, jobUID, part)
}
