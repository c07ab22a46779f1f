package job

import (
	"cmp"
	"maps"
	"slices"

	"muster/internal/apierr"
)

// Ref names a thing's queue and what is asked of it.
type Ref struct {
	// Thing is the thing's name. It is always set.
	Thing string
	// ThingUID is set by loops that mean one identity of the thing, even one
	// that is no longer registered; 0 means whoever has the name now.
	ThingUID int64
	// JobID or JobUID names the execution asked for; both empty if none is.
	JobID  string
	JobUID int64
	// Number is the execution number asked for; 0 is the latest.
	Number int64
	// History asks for the latest execution and the Head of the job asked for,
	// also where they are finished. Enqueue, Leave and Delete need it.
	History bool
	// Registered says that ThingUID is set and that this very transaction has read
	// that it is registered under Thing: the driver need not look.
	Registered bool
}

// Head is what is kept about a (thing, job) pair beyond its executions, so
// that numbers are never used twice and a re-join is told from a re-run.
type Head struct {
	// Number is the highest execution number ever used that may no longer be
	// seen in an execution; 0 is none.
	Number int64
	// Left is the sequence number of the change by which the thing ceased to be
	// a target; 0 while it is one.
	Left int64
}

// Thing is the identity of a queue's owner.
type Thing struct {
	Name string
	// UID is the identity the queue belongs to; 0 if no thing has the name.
	UID int64
	// Gone says that UID is not, or no longer, registered under Name.
	Gone bool
}

// registered reports whether there is a thing to queue for.
func (t Thing) registered() bool { return t.UID != 0 && !t.Gone }

// Queue is one thing's job executions during one transaction: its live ones,
// those asked for, and the changes made so far. The methods that change it
// Settle it first; then they do what they are asked wholly, or return an error
// and do nothing of it. It is not safe for concurrent use.
type Queue struct {
	// Thing is the owner.
	Thing Thing
	// Ref is what the current caller asked for.
	Ref Ref
	// Job is the job that Ref names, or nil if there is none.
	Job *Brief

	// Slices, because they hold one or two executions as a rule. live and finished
	// are replaced, not modified, and before only grows, so that marks stay good.
	loaded   []Execution // the live ones as stored, in queue order
	live     []Execution // the live ones now, in queue order
	finished []Execution // those loaded or ended since, in no order
	before   []Execution // as stored, of those changed; Status None if new
	heads    map[int64]Head
	newHeads map[int64]Head
	muted    bool
}

// NewQueue returns the queue of a thing with the live executions given, in any
// order. It takes ownership of the slice.
func NewQueue(t Thing, live []Execution) *Queue {
	slices.SortFunc(live, compare)
	return &Queue{Thing: t, loaded: live, live: live}
}

// Load adds a stored finished execution that Ref asks for. Where Ref may mean
// one, all of its job must be loaded: an earlier caller may have deleted the latest.
func (q *Queue) Load(x Execution) {
	if find(q.before, x.Key()) < 0 {
		q.finished = with(q.finished, x, true)
	}
}

// LoadHead adds the stored head of a job.
func (q *Queue) LoadHead(jobUID int64, h Head) {
	if q.heads == nil {
		q.heads = make(map[int64]Head, 1)
	}
	q.heads[jobUID] = h
}

// Mute makes Dirty return nothing, for a server whose devices only poll: a row
// that nobody will ever send need not be written.
func (q *Queue) Mute() { q.muted = true }

// compare orders a queue: IN_PROGRESS first, then by queuedAt, job creation and
// job id [jobs-api, GetPendingJobExecutions; divergences, queue order].
func compare(a, b Execution) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.QueuedAt, b.QueuedAt),
		cmp.Compare(a.Job.CreatedAt, b.Job.CreatedAt),
		cmp.Compare(a.Job.ID, b.Job.ID),
		cmp.Compare(a.Number, b.Number),
	)
}

func rank(x Execution) int {
	if x.Status == InProgress {
		return 0
	}
	return 1
}

// visible reports whether x is in the pending list of its namespace: what a
// job being deleted, or waiting for its schedule, has queued is hidden.
func (x Execution) visible() bool {
	switch x.Job.State {
	case Deleting:
		return false
	case Scheduled:
		return x.Status == InProgress
	default:
		return x.Status.Pending()
	}
}

// shown reports whether x, as stored, is in what its device was told. A deletion
// hides it at once, but the device is only told with the change that takes it away.
func (x Execution) shown() bool { return x.Job.State == Deleting || x.visible() }

// Live returns the executions that are queued or in progress, hidden ones
// included, in queue order. The slice must not be modified.
func (q *Queue) Live() []Execution { return q.live }

// Pending returns the visible executions of a namespace in queue order.
func (q *Queue) Pending(namespace string) []Execution { return pending(q.live, namespace) }

func pending(live []Execution, namespace string) []Execution {
	var p []Execution
	for _, x := range live {
		if x.visible() && x.Job.Namespace == namespace {
			p = append(p, x)
		}
	}
	return p
}

// Front returns the execution that $next means in a namespace, and whether there is one.
func (q *Queue) Front(namespace string) (Execution, bool) {
	for _, x := range q.live {
		if x.visible() && x.Job.Namespace == namespace {
			return x, true
		}
	}
	return Execution{}, false
}

// Asked returns the execution that Ref asks for, live or finished, or NotFound
// naming what is missing. Executions of a job that is being deleted are not found.
func (q *Queue) Asked() (Execution, error) {
	if !q.Thing.registered() {
		return Execution{}, apierr.New(apierr.NotFound, "Thing %s not found.", q.Thing.Name)
	}
	if q.Job == nil {
		return Execution{}, apierr.New(apierr.NotFound, "Job %s not found.", q.Ref.JobID)
	}
	x, ok := q.latest(q.Job.UID, q.Ref.Number)
	if !ok || x.Job.State == Deleting {
		return Execution{}, q.noExecution()
	}
	return x, nil
}

func (q *Queue) noExecution() error {
	if q.Ref.Number != 0 {
		return apierr.New(apierr.NotFound, "Execution %d of job %s on thing %s not found.", q.Ref.Number, q.Job.ID, q.Thing.Name)
	}
	return apierr.New(apierr.NotFound, "Execution of job %s on thing %s not found.", q.Job.ID, q.Thing.Name)
}

// latest returns the execution of a job with the number given, or with the
// highest number known if number is 0.
func (q *Queue) latest(jobUID, number int64) (Execution, bool) {
	var best Execution
	take := func(x Execution) {
		if x.Job.UID == jobUID && (number == 0 || x.Number == number) && x.Number > best.Number {
			best = x
		}
	}
	for _, x := range q.live {
		take(x)
	}
	for _, x := range q.finished {
		take(x)
	}
	return best, best.Number != 0
}

func (q *Queue) head(jobUID int64) Head {
	if h, ok := q.newHeads[jobUID]; ok {
		return h
	}
	return q.heads[jobUID]
}

func (q *Queue) setHead(jobUID int64, h Head) {
	if q.newHeads == nil {
		q.newHeads = make(map[int64]Head, 1)
	}
	q.newHeads[jobUID] = h
}

// put records that the execution with x's key is now x. x with status None is deleted.
func (q *Queue) put(x Execution) {
	k := x.Key()
	if find(q.before, k) < 0 {
		old, ok := q.latest(k.JobUID, k.Number)
		if !ok {
			old = Execution{Job: x.Job, Number: x.Number}
		}
		q.before = append(q.before, old)
	}
	q.live = with(q.live, x, x.Status.Pending())
	q.finished = with(q.finished, x, x.Status.Terminal())
}

func find(xs []Execution, k Key) int {
	return slices.IndexFunc(xs, func(x Execution) bool { return x.Key() == k })
}

// with returns xs without the execution that has x's key, and with x in its
// place in queue order if it is to stay. It leaves xs as it is.
func with(xs []Execution, x Execution, stay bool) []Execution {
	i := find(xs, x.Key())
	if i < 0 && !stay {
		return xs
	}
	out := make([]Execution, 0, len(xs)+1)
	for j, y := range xs {
		if j != i {
			out = append(out, y)
		}
	}
	if stay {
		at, _ := slices.BinarySearchFunc(out, x, compare)
		out = slices.Insert(out, at, x)
	}
	return out
}

// Mark is a point to return to. Returning to it ends the marks made since.
type Mark struct {
	live, finished, before []Execution
	newHeads               map[int64]Head
}

// Mark returns the present state of the queue.
func (q *Queue) Mark() Mark {
	return Mark{q.live, q.finished, q.before, maps.Clone(q.newHeads)}
}

// Return takes the queue back to m, forgetting every change made, and all that
// was loaded, since.
func (q *Queue) Return(m Mark) {
	q.live, q.finished, q.before, q.newHeads = m.live, m.finished, m.before, maps.Clone(m.newHeads)
}
