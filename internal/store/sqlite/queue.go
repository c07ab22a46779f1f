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

// entry is a loaded queue and what the driver must remember to store it again.
type entry struct {
	q       *job.Queue
	part    int
	armed   map[job.Key]int64 // stored deadlines, of those that have one
	history []int64           // jobs whose finished executions and head are loaded
	mark    job.Mark
	call    int // the call that mark belongs to
}

// queues are the queues that calls of one transaction work on. Several calls on
// one thing share one queue. They are forgotten when anything else writes.
type queues struct {
	c      *conn
	parts  int
	briefs *briefs
	names  map[string]int64  // uid of the thing that has the name, 0 for none
	things map[int64]*entry  // by thing uid
	nobody map[string]*entry // by name, where no thing has it
	order  []*entry          // in the order of loading
	call   int
}

func newQueues(c *conn, parts int) *queues {
	return &queues{c: c, parts: parts, briefs: newBriefs(c), names: make(map[string]int64), things: make(map[int64]*entry)}
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
	if j == nil || e.q.Thing.UID == 0 || slices.Contains(e.history, j.UID) {
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
	e := qs.find(ref)
	if e != nil {
		return e, nil
	}
	err := qs.load([]job.Ref{ref})
	return qs.find(ref), err
}

// find returns the queue that ref names, or nil if it is not loaded.
func (qs *queues) find(ref job.Ref) *entry {
	uid := cmp.Or(ref.ThingUID, qs.names[ref.Thing])
	if uid == 0 {
		return qs.nobody[ref.Thing]
	}
	return qs.things[uid]
}

// load reads the queues of all refs that are not loaded yet, and what the refs
// ask for, in a few statements for each part.
func (qs *queues) load(refs []job.Ref) error {
	err := qs.loadNames(refs)
	if err != nil {
		return err
	}
	if qs.parts == 1 {
		return qs.loadPart(0, refs)
	}
	parts := make(map[int][]job.Ref)
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
	err := qs.loadLive(part, qs.add(part, refs))
	if err != nil {
		return err
	}
	return qs.loadHistories(part, refs)
}

// loadNames reads which things have the names that are not known yet. The index
// holds the uids, and is much smaller than the table.
func (qs *queues) loadNames(refs []job.Ref) error {
	var ask []string
	for _, ref := range refs {
		_, known := qs.names[ref.Thing]
		switch {
		case known:
		case ref.Registered:
			qs.names[ref.Thing] = ref.ThingUID
		default:
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
	return qs.c.query(`SELECT name, uid FROM json_each(?) k CROSS JOIN things INDEXED BY things_name ON name = k.value`, func(r row) error {
		qs.names[r.text(0)] = r.int(1)
		return nil
	}, text)
}

// add makes an empty queue for each thing that has none yet, and returns the
// uids of those things.
func (qs *queues) add(part int, refs []job.Ref) []int64 {
	uids := make([]int64, 0, len(refs))
	for _, ref := range refs {
		if qs.find(ref) != nil {
			continue
		}
		registered := qs.names[ref.Thing]
		owner := job.Thing{Name: ref.Thing, UID: cmp.Or(ref.ThingUID, registered)}
		owner.Gone = owner.UID == 0 || owner.UID != registered
		e := &entry{part: part, q: job.NewQueue(owner, nil)}
		qs.order = append(qs.order, e)
		if owner.UID != 0 {
			qs.things[owner.UID] = e
			uids = append(uids, owner.UID)
			continue
		}
		if qs.nobody == nil {
			qs.nobody = make(map[string]*entry)
		}
		qs.nobody[ref.Thing] = e
	}
	return uids
}

const (
	selectLive  = `SELECT ` + executionColumns + ` FROM json_each(?) k CROSS JOIN live ON part = ? AND thing_uid = k.value`
	selectRange = `SELECT ` + executionColumns + ` FROM live WHERE part = ? AND thing_uid BETWEEN ? AND ?`
)

// between decides how the live executions of things are read. Whoever goes
// through things in order, as a rollout does, mostly finds few: then it is
// cheaper to read what stands from the first to the last than to look each
// thing up. n is how many that are, or -1 if each is to be looked up.
func (qs *queues) between(part int, uids []int64) (n int64, err error) {
	if len(uids) < 8 || !slices.IsSorted(uids) {
		return -1, nil
	}
	n, err = qs.c.int(`SELECT count(*) FROM (SELECT 1 FROM live WHERE part = ? AND thing_uid BETWEEN ? AND ? LIMIT ? + 0)`,
		part, uids[0], uids[len(uids)-1], len(uids)+1)
	if n > int64(len(uids)) {
		n = -1
	}
	return n, err
}

// loadLive puts the live executions of things into their queues. The rows of
// one thing come one after another.
func (qs *queues) loadLive(part int, uids []int64) error {
	n, err := qs.between(part, uids)
	if err != nil || n == 0 || len(uids) == 0 {
		return err
	}
	query, args := selectLive, []any{list(uids), part}
	if n > 0 {
		query, args = selectRange, []any{part, uids[0], uids[len(uids)-1]}
	}
	xs := make([]job.Execution, 0, len(uids))
	from := 0
	put := func() {
		if from < len(xs) {
			e := qs.things[xs[from].ThingUID]
			e.q = job.NewQueue(e.q.Thing, xs[from:len(xs):len(xs)])
			from = len(xs)
		}
	}
	err = qs.c.query(query, func(r row) error {
		x, err := executionRow(r)
		if err != nil {
			return err
		}
		if n > 0 {
			if _, asked := slices.BinarySearch(uids, x.ThingUID); !asked {
				return nil
			}
		}
		err = qs.briefs.complete(&x)
		if err != nil {
			return err
		}
		if from < len(xs) && xs[from].ThingUID != x.ThingUID {
			put()
		}
		xs = append(xs, x.Execution)
		if x.armed != 0 {
			qs.things[x.ThingUID].arm(x.Key(), x.armed)
		}
		return nil
	}, args...)
	put()
	return err
}

func (e *entry) arm(k job.Key, due int64) {
	if e.armed == nil {
		e.armed = make(map[job.Key]int64, 1)
	}
	e.armed[k] = due
}

// loadHistories loads the histories that refs ask for, job by job.
func (qs *queues) loadHistories(part int, refs []job.Ref) error {
	var ask map[int64][]int64
	for _, ref := range refs {
		j, err := qs.job(ref)
		if err != nil {
			return err
		}
		e := qs.find(ref)
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

const selectFinished = `SELECT ` + executionColumns + ` FROM json_each(?) k CROSS JOIN finished INDEXED BY finished_job ON job_uid = ? AND part = ? AND thing_uid = k.value`

// loadHistory loads all finished executions of one job on some things, and
// their heads. All of them, because the newest may be deleted in this very
// transaction; there is one, unless the thing has been a target repeatedly.
func (qs *queues) loadHistory(part int, jobUID int64, things []int64) error {
	for _, uid := range things {
		e := qs.things[uid]
		e.history = append(e.history, jobUID)
	}
	finished, heads, err := qs.anyHistory(part, jobUID, things)
	if err != nil {
		return err
	}
	ask := list(things)
	if finished {
		err = qs.c.query(selectFinished, func(r row) error {
			x, err := executionRow(r)
			if err != nil {
				return err
			}
			x.Job = qs.briefs.byUID[jobUID]
			qs.things[x.ThingUID].q.Load(x.Execution)
			return nil
		}, ask, jobUID, part)
	}
	if err != nil || !heads {
		return err
	}
	return qs.c.query(`SELECT thing_uid, number, left_at FROM json_each(?) k CROSS JOIN heads ON job_uid = ? AND part = ? AND thing_uid = k.value`, func(r row) error {
		qs.things[r.int(0)].q.LoadHead(jobUID, job.Head{Number: r.int(1), Left: r.int(2)})
		return nil
	}, ask, jobUID, part)
}

// anyHistory reports whether there are finished executions and heads of a job
// between the lowest and the highest of some things. A rollout goes through the
// things in order: where it has not been, there are none to look for.
func (qs *queues) anyHistory(part int, jobUID int64, things []int64) (finished, heads bool, err error) {
	if len(things) < 8 {
		return true, true, nil
	}
	from, to := slices.Min(things), slices.Max(things)
	err = qs.c.query(`SELECT EXISTS (SELECT 1 FROM finished INDEXED BY finished_job WHERE job_uid = ? AND part = ? AND thing_uid BETWEEN ? AND ?),`+
		` EXISTS (SELECT 1 FROM heads WHERE job_uid = ? AND part = ? AND thing_uid BETWEEN ? AND ?)`, func(r row) error {
		finished, heads = r.bool(0), r.bool(1)
		return nil
	}, jobUID, part, from, to, jobUID, part, from, to)
	return finished, heads, err
}
