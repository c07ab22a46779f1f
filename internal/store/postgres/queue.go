package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"

	"muster/internal/job"
)

// entry is a loaded queue and what the driver must remember to store it again.
type entry struct {
	q       *job.Queue
	part    int
	stored  []stored // its live rows, as read
	history []int64  // jobs whose finished executions and head are loaded
	heads   []int64  // jobs whose head is stored, of those
	was     []job.Head

	mark   job.Mark
	marked int // how much of history was loaded at the mark
	call   int // the call that mark belongs to
}

// stored is a live row as it was read.
type stored struct {
	key                   job.Key
	queuedAt, armed, turn int64
}

// row returns the live row of an execution as it was read.
func (e *entry) row(k job.Key) stored {
	for _, s := range e.stored {
		if s.key == k {
			return s
		}
	}
	return stored{key: k}
}

// head returns the head of a job as it was read, and whether there was one.
func (e *entry) head(jobUID int64) (job.Head, bool) {
	i := slices.Index(e.heads, jobUID)
	if i < 0 {
		return job.Head{}, false
	}
	return e.was[i], true
}

// pair is a thing and a job whose history is to be loaded.
type pair struct {
	part             int
	thingUID, jobUID int64
}

// queues are the queues that calls of one batch work on, all of them read by one
// statement. Several calls on one thing share one queue.
type queues struct {
	parts  int
	byUID  briefs
	byID   map[string]*job.Brief
	names  map[string]int64  // uid of the thing that has the name, 0 for none
	things map[int64]*entry  // by thing uid
	nobody map[string]*entry // by name, where no thing has it
	order  []*entry          // in the order of the refs
	call   int

	// more reads the history of one thing and job, where a call asks for it only
	// because of what an earlier one of the batch has done.
	more func(ask) error
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
			e.mark, e.marked, e.call = e.q.Mark(), len(e.history), qs.call
		}
		failed = protect(func() error { return fn(e.q) })
		if failed != nil {
			qs.undo(refs[:i+1])
			return failed, nil
		}
	}
	return nil, nil
}

func (qs *queues) undo(refs []job.Ref) {
	for _, ref := range refs {
		e := qs.find(ref)
		if e.call == qs.call {
			e.q.Return(e.mark)
			e.history = e.history[:e.marked] // what was loaded since went with it
			e.call = 0
		}
	}
}

// ready returns the queue that ref names, with everything that ref asks for.
func (qs *queues) ready(ref job.Ref) (*entry, error) {
	e, j := qs.find(ref), qs.job(ref)
	e.q.Ref, e.q.Job = ref, j
	if !e.wants(ref, j) {
		return e, nil
	}
	// Usually loaded already. Not if the live execution that ref would have meant
	// has gone since, in this very batch.
	a := ask{}
	a.history(pair{e.part, e.q.Thing.UID, j.UID})
	return e, qs.more(a)
}

// wants reports whether finished executions and the head of job j must be loaded for ref.
func (e *entry) wants(ref job.Ref, j *job.Brief) bool {
	if j == nil || e.q.Thing.UID == 0 || slices.Contains(e.history, j.UID) {
		return false
	}
	return ref.History || !slices.ContainsFunc(e.q.Live(), func(x job.Execution) bool {
		return x.Job.UID == j.UID && (ref.Number == 0 || ref.Number == x.Number)
	})
}

func (qs *queues) job(ref job.Ref) *job.Brief {
	switch {
	case ref.JobUID != 0:
		return qs.byUID[ref.JobUID]
	case ref.JobID != "":
		return qs.byID[ref.JobID]
	}
	return nil
}

// find returns the queue that ref names.
func (qs *queues) find(ref job.Ref) *entry {
	uid := cmp.Or(ref.ThingUID, qs.names[ref.Thing])
	if uid == 0 {
		return qs.nobody[ref.Thing]
	}
	return qs.things[uid]
}

// loadQueues reads the queues of all refs and everything that the refs ask for,
// by one statement, so that all of it was so at one moment. That refs ask for
// history is often only known from what is read: then it is read once more, all
// of it.
func loadQueues(parts int, refs []job.Ref, read func(ask, func(pgx.Rows) error) error) (*queues, error) {
	a := newAsk(parts, refs)
	for {
		qs := &queues{
			parts: parts, byUID: make(briefs), byID: make(map[string]*job.Brief),
			names: make(map[string]int64), things: make(map[int64]*entry),
		}
		got := result{live: make([]execution, 0, len(a.names)+len(a.uids)), names: make([]foundName, 0, len(a.names))}
		err := read(a, got.take)
		if err != nil {
			return nil, err
		}
		err = qs.fill(a, refs, &got)
		if err != nil {
			return nil, err
		}
		again := false
		for _, ref := range refs {
			e, j := qs.find(ref), qs.job(ref)
			if e.wants(ref, j) {
				again = a.history(pair{e.part, e.q.Thing.UID, j.UID}) || again
			}
		}
		if !again {
			qs.more = func(a ask) error {
				var got result
				err := read(a, got.take)
				if err == nil {
					err = qs.remember(a, &got)
				}
				return err
			}
			return qs, nil
		}
	}
}

// fill makes the queues of what was read.
func (qs *queues) fill(a ask, refs []job.Ref, got *result) error {
	for i := range got.jobs {
		j := &got.jobs[i]
		qs.byUID[j.UID], qs.byID[j.ID] = j, j
	}
	for _, n := range got.names {
		qs.names[n.name] = n.uid
	}
	for _, ref := range refs {
		if ref.Registered {
			qs.names[ref.Thing] = ref.ThingUID
		}
	}
	for _, ref := range refs {
		qs.add(ref)
	}
	err := qs.live(got.live)
	if err != nil {
		return err
	}
	return qs.remember(a, got)
}

// add makes an empty queue for the thing that ref names, if it has none yet.
func (qs *queues) add(ref job.Ref) {
	if qs.find(ref) != nil {
		return
	}
	registered := qs.names[ref.Thing]
	owner := job.Thing{Name: ref.Thing, UID: cmp.Or(ref.ThingUID, registered)}
	owner.Gone = owner.UID == 0 || owner.UID != registered
	e := &entry{part: PartOf(ref.Thing, qs.parts), q: job.NewQueue(owner, nil)}
	qs.order = append(qs.order, e)
	if owner.UID != 0 {
		qs.things[owner.UID] = e
		return
	}
	if qs.nobody == nil {
		qs.nobody = make(map[string]*entry)
	}
	qs.nobody[ref.Thing] = e
}

// live puts live executions into their queues. A thing that is asked for by name
// and by uid has been read twice; those that nobody has asked for are left out.
func (qs *queues) live(found []execution) error {
	order := func(a, b execution) int {
		return cmp.Or(cmp.Compare(a.ThingUID, b.ThingUID), cmp.Compare(a.QueuedAt, b.QueuedAt), cmp.Compare(a.jobUID, b.jobUID), cmp.Compare(a.Number, b.Number))
	}
	slices.SortFunc(found, order)
	found = slices.CompactFunc(found, func(a, b execution) bool { return order(a, b) == 0 })
	xs, rows := make([]job.Execution, len(found)), make([]stored, len(found))
	for from := 0; from < len(found); {
		to := from
		e := qs.things[found[from].ThingUID]
		for ; to < len(found) && found[to].ThingUID == found[from].ThingUID; to++ {
			if e == nil {
				continue
			}
			x := &found[to]
			x.Thing = e.q.Thing.Name
			err := qs.byUID.complete(x)
			if err != nil {
				return err
			}
			xs[to] = x.Execution
			rows[to] = stored{x.Key(), x.QueuedAt, x.armed, x.turn}
		}
		if e != nil {
			e.q = job.NewQueue(e.q.Thing, xs[from:to:to])
			e.stored = rows[from:to:to]
		}
		from = to
	}
	return nil
}

// remember puts finished executions and heads into their queues, and notes that
// they are there.
func (qs *queues) remember(a ask, got *result) error {
	for i, uid := range a.pastThings {
		if e := qs.things[uid]; e != nil && !slices.Contains(e.history, a.pastJobs[i]) {
			e.history = append(e.history, a.pastJobs[i])
		}
	}
	for i := range got.finished {
		x := &got.finished[i]
		e := qs.things[x.ThingUID]
		if e == nil {
			continue
		}
		x.Thing = e.q.Thing.Name
		err := qs.byUID.complete(x)
		if err != nil {
			return err
		}
		e.q.Load(x.Execution)
	}
	for _, h := range got.heads {
		e := qs.things[h.thingUID]
		if e == nil {
			continue
		}
		e.q.LoadHead(h.jobUID, h.Head)
		if !slices.Contains(e.heads, h.jobUID) {
			e.heads, e.was = append(e.heads, h.jobUID), append(e.was, h.Head)
		}
	}
	return nil
}
