package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"muster/internal/job"
)

// flush is what changed queues write: for each statement the rows, column by
// column, in the order of the table's key, so that batches that meet wait for
// each other and do not deadlock.
type flush struct {
	s *Store

	touched, changed, reported rows // of live
	ended, deleted             rows // of live, of finished
	queued, live, finished     rows // inserted
	rearmed                    rows // of live
	passed                     rows // of live again, that are inserted here
	fresh                      fresh
	disarmed, armed            due
	headsNew, headsChanged     heads
	dirty                      dirty
	counts                     map[jobPart]job.Counts
}

// rows are executions. Each statement takes the columns that it needs.
type rows struct {
	parts                                                            []int32
	things, queuedAt, jobs, numbers, turns                           []int64
	status                                                           []int32
	forced                                                           []bool
	versions, startedAt, updatedAt, inProgress, steps, causes, armed []int64
	names                                                            []string
	details                                                          []*string
}

func (r *rows) key(part int, x job.Execution) {
	r.parts = append(r.parts, int32(part))
	r.things, r.queuedAt = append(r.things, x.ThingUID), append(r.queuedAt, x.QueuedAt)
	r.jobs, r.numbers = append(r.jobs, x.Job.UID), append(r.numbers, x.Number)
}

func (r *rows) body(x job.Execution) error {
	r.status, r.forced = append(r.status, int32(x.Status)), append(r.forced, x.ForceCanceled)
	r.versions, r.startedAt, r.updatedAt = append(r.versions, x.Version), append(r.startedAt, x.StartedAt), append(r.updatedAt, x.UpdatedAt)
	r.inProgress, r.steps = append(r.inProgress, x.InProgressDeadline), append(r.steps, x.StepDeadline)
	return r.describe(x)
}

func (r *rows) describe(x job.Execution) error {
	var details *string
	if len(x.Details) > 0 {
		b, err := json.Marshal(x.Details)
		if err != nil {
			return fmt.Errorf("postgres: details of an execution: %w", err)
		}
		text := string(b)
		details = &text
	}
	r.details = append(r.details, details)
	return nil
}

// due are rows of deadlines.
type due struct {
	parts                     []int32
	at, things, jobs, numbers []int64
	names                     []string
}

// add adds a deadline of an execution.
func (d *due) add(part int, at int64, x job.Execution) {
	d.parts, d.at = append(d.parts, int32(part)), append(d.at, at)
	d.things, d.jobs, d.numbers = append(d.things, x.ThingUID), append(d.jobs, x.Job.UID), append(d.numbers, x.Number)
	d.names = append(d.names, x.Thing)
}

// fresh are executions that begin.
type fresh struct {
	parts                 []int32
	things, jobs, numbers []int64
	names                 []string
	headless              []bool // no head was read, so there must be none
}

func (n *fresh) add(part int, x job.Execution, headless bool) {
	n.parts, n.things, n.jobs = append(n.parts, int32(part)), append(n.things, x.ThingUID), append(n.jobs, x.Job.UID)
	n.numbers, n.names, n.headless = append(n.numbers, x.Number), append(n.names, x.Thing), append(n.headless, headless)
}

// heads are rows of heads: as they are to be, and as they were read.
type heads struct {
	parts                                           []int32
	jobs, things, numbers, left, wasNumber, wasLeft []int64
}

// dirty are rows of dirty.
type dirty struct {
	parts             []int32
	things, seqs      []int64
	namespaces, names []string
	told              [][]byte
}

// jobPart is a row of counts.
type jobPart struct {
	jobUID int64
	part   int
}

// flush collects what has changed. The queues must not be used any more.
func (s *Store) flush(qs *queues) (*flush, error) {
	f := &flush{s: s, counts: make(map[jobPart]job.Counts)}
	slices.SortFunc(qs.order, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.q.Thing.UID, b.q.Thing.UID))
	})
	for _, e := range qs.order {
		err := f.entry(e)
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *flush) entry(e *entry) error {
	changes := e.q.Changes()
	for _, ch := range changes {
		err := f.change(e, ch)
		if err != nil {
			return err
		}
		f.count(e.part, ch)
	}
	dirty := e.q.Dirty()
	f.touch(e, changes, dirty)
	f.heads(e)
	for _, d := range dirty {
		y := &f.dirty
		y.parts, y.things, y.seqs = append(y.parts, int32(e.part)), append(y.things, e.q.Thing.UID), append(y.seqs, f.s.seqs.next())
		y.namespaces, y.names = append(y.namespaces, d.Namespace), append(y.names, e.q.Thing.Name)
		y.told = append(y.told, d.Told.Encode())
	}
	return nil
}

// change stores one execution as it is now.
func (f *flush) change(e *entry, ch job.Change) error {
	was, is := ch.Before, ch.After
	row := e.row(was.Key())
	armed := f.arm(e.part, row.armed, is)
	switch {
	case was.Status.Pending() && progress(was, is) && armed == row.armed:
		p := &f.reported
		p.key(e.part, is)
		p.turns, p.versions, p.updatedAt = append(p.turns, row.turn), append(p.versions, is.Version), append(p.updatedAt, is.UpdatedAt)
		return p.describe(is)
	case was.Status.Pending() && is.Status.Pending():
		f.changed.key(e.part, is)
		f.changed.turns, f.changed.armed = append(f.changed.turns, row.turn), append(f.changed.armed, armed)
		return f.changed.body(is)
	case was.Status.Pending():
		f.ended.key(e.part, was)
		f.ended.turns = append(f.ended.turns, row.turn)
	case was.Status.Terminal():
		f.deleted.key(e.part, was)
	}
	if was.Status == job.None {
		_, head := e.head(is.Job.UID)
		f.fresh.add(e.part, is, !head)
	}
	switch {
	case was.Status == job.None && is.Status.Terminal():
		// Through live, where nobody else can then begin the same.
		f.passed.key(e.part, is)
		f.passed.turns, f.live.armed = append(f.passed.turns, 1), append(f.live.armed, 0)
		err := f.insert(&f.live, e.part, is)
		if err != nil {
			return err
		}
		return f.insert(&f.finished, e.part, is)
	case justQueued(is) && armed == 0:
		q := &f.queued
		q.key(e.part, is)
		q.updatedAt, q.causes, q.names = append(q.updatedAt, is.UpdatedAt), append(q.causes, is.Cause), append(q.names, is.Thing)
	case is.Status.Pending():
		f.live.armed = append(f.live.armed, armed)
		return f.insert(&f.live, e.part, is)
	case is.Status.Terminal():
		return f.insert(&f.finished, e.part, is)
	}
	return nil
}

// progress reports whether nothing but version, time and details differ, as is so
// with most of what devices report.
func progress(was, is job.Execution) bool {
	return was.Status == is.Status && was.StartedAt == is.StartedAt && was.InProgressDeadline == is.InProgressDeadline &&
		was.StepDeadline == is.StepDeadline && was.ForceCanceled == is.ForceCanceled
}

func (f *flush) insert(to *rows, part int, x job.Execution) error {
	to.key(part, x)
	to.causes, to.names = append(to.causes, x.Cause), append(to.names, x.Thing)
	return to.body(x)
}

// arm makes the stored deadline of an execution one that is not later than the
// real one, and returns it.
func (f *flush) arm(part int, stored int64, x job.Execution) int64 {
	due := x.Deadline()
	keep := x.Status.Pending() && stored != 0 && (due == 0 || stored <= due)
	if keep {
		return stored
	}
	if stored != 0 {
		f.disarmed.add(part, stored, x)
	}
	if due != 0 {
		f.armed.add(part, due, x)
	}
	return due
}

// touch sees to it that of two batches that change one thing's queue, neither
// knowing of the other, one fails: what devices are told, and which execution is
// next, depends on all live ones. A guard on the rows that change is not enough
// if they change different ones, or add some. So whoever moves something writes
// the first of the rows that it has read, at least its turn. Where a thing has
// one live execution, as a rule, that costs nothing.
//
// Who only adds something behind the front need not: whatever the others do, the
// set differs from what the device knows, and the front is the one that they leave.
func (f *flush) touch(e *entry, changes []job.Change, dirty []job.Dirty) {
	moved, added := false, true
	for _, ch := range changes {
		moved = moved || ch.Before.Status != ch.After.Status && (ch.Before.Status.Pending() || ch.After.Status.Pending())
		added = added && ch.Before.Status == job.None
	}
	if !moved || len(e.stored) == 0 {
		return
	}
	if added && !slices.ContainsFunc(dirty, func(d job.Dirty) bool { return d.Told.Front != e.q.Told(d.Namespace).Front }) {
		return
	}
	first := e.stored[0]
	if slices.ContainsFunc(changes, func(ch job.Change) bool { return ch.Before.Key() == first.key }) {
		return
	}
	t := &f.touched
	t.parts, t.things, t.queuedAt = append(t.parts, int32(e.part)), append(t.things, e.q.Thing.UID), append(t.queuedAt, first.queuedAt)
	t.jobs, t.numbers, t.turns = append(t.jobs, first.key.JobUID), append(t.numbers, first.key.Number), append(t.turns, first.turn)
}

func (f *flush) heads(e *entry) {
	now := e.q.Heads()
	if len(now) == 0 {
		return
	}
	for _, uid := range slices.Sorted(maps.Keys(now)) {
		to := &f.headsNew
		was, stored := e.head(uid)
		if stored {
			to = &f.headsChanged
		}
		to.parts, to.jobs, to.things = append(to.parts, int32(e.part)), append(to.jobs, uid), append(to.things, e.q.Thing.UID)
		to.numbers, to.left = append(to.numbers, now[uid].Number), append(to.left, now[uid].Left)
		to.wasNumber, to.wasLeft = append(to.wasNumber, was.Number), append(to.wasLeft, was.Left)
	}
}

func (f *flush) count(part int, ch job.Change) {
	if ch.Before.Status == ch.After.Status {
		return
	}
	k := jobPart{ch.After.Job.UID, part}
	n := f.counts[k]
	if ch.Before.Status != job.None {
		n[ch.Before.Status]--
	}
	if ch.After.Status != job.None {
		n[ch.After.Status]++
	}
	f.counts[k] = n
}
