package job_test

import (
	"cmp"
	"reflect"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/internal/job"
)

// check holds what must be true after each step.
func (m *machine) check(t *rapid.T) {
	m.checkLists(t)
	m.checkCounts(t)
	m.checkOneLive(t)
}

// place is one line of a list.
type place struct {
	job             string
	number, version int64
	status          job.Status
}

// checkLists compares every pending list, as a caller sees it who asks now.
func (m *machine) checkLists(t *rapid.T) {
	for _, thing := range m.model.things {
		q := m.real.queue(job.Ref{Thing: thing.name, ThingUID: thing.uid})
		q.Settle(m.now())
		for _, namespace := range []string{"", "ns"} {
			var got, want []place
			for _, x := range q.Pending(namespace) {
				got = append(got, place{x.Job.ID, x.Number, x.Version, x.Status})
			}
			for _, x := range m.model.list(thing, namespace) {
				want = append(want, place{x.job.id, x.number, x.version, x.status})
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s %q: got %v pending, want %v", thing.name, namespace, got, want)
			}
			x, ok := q.Front(namespace)
			if ok != (len(got) > 0) || ok && (place{x.Job.ID, x.Number, x.Version, x.Status}) != got[0] {
				t.Fatalf("%s %q: got front %v, want the first of %v", thing.name, namespace, x, got)
			}
		}
	}
}

// checkCounts counts what is stored by hand.
func (m *machine) checkCounts(t *rapid.T) {
	counted := make(map[int64]job.Counts)
	for _, x := range m.real.executions() {
		c := counted[x.Job.UID]
		c[x.Status]++
		counted[x.Job.UID] = c
	}
	for uid, j := range m.real.jobs {
		if counted[uid] != m.real.counts[uid] {
			t.Fatalf("%s: got counts %v, want %v", j, m.real.counts[uid], counted[uid])
		}
	}
}

// checkOneLive holds that a thing never has a job twice at the same time, and
// that what is live is the latest.
func (m *machine) checkOneLive(t *rapid.T) {
	var last job.Execution
	for _, x := range m.real.executions() { // by thing, job and number
		if last.ThingUID == x.ThingUID && last.Job != nil && last.Job.UID == x.Job.UID && last.Status.Pending() {
			t.Fatalf("%s number %d of %s is %s beside number %d", x.Thing, last.Number, x.Job.ID, last.Status, x.Number)
		}
		last = x
	}
}

// checkDevices holds that a device which only listens knows the truth, once
// every loop has come to its end.
func (m *machine) checkDevices(t *rapid.T) {
	for _, thing := range m.model.things {
		for _, namespace := range []string{"", "ns"} {
			at := outlet{thing.name, thing.uid, namespace}
			var want job.Told
			for i, x := range m.model.list(thing, namespace) {
				k := job.Key{JobUID: x.job.uid, Number: x.number}
				if i == 0 {
					want.Front = k
				}
				want.Set = append(want.Set, k)
			}
			slices.SortFunc(want.Set, func(a, b job.Key) int { return cmp.Compare(a.JobUID, b.JobUID) })
			if got := m.heard[at]; !got.Equal(want) {
				t.Fatalf("%v heard of %v, want %v", at, got, want)
			}
		}
	}
}

// checkHistory compares every execution there is, to the last field that does
// not depend on when a loop came by.
func (m *machine) checkHistory(t *rapid.T) {
	var want []answer
	for _, x := range m.model.execs {
		if !x.deleted {
			want = append(want, x.answer())
		}
	}
	var got []answer
	for _, x := range m.real.executions() {
		got = append(got, answerOf(x, nil))
	}
	order := func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.queued, b.queued), cmp.Compare(a.number, b.number), cmp.Compare(a.status, b.status),
			cmp.Compare(a.version, b.version), cmp.Compare(a.started, b.started), cmp.Compare(a.details, b.details), cmp.Compare(a.deadline, b.deadline))
	}
	for _, as := range [][]answer{got, want} {
		for i := range as {
			as[i].updated = 0
		}
		slices.SortFunc(as, order)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got history %+v, want %+v", got, want)
	}
}

// checkStep holds what one caller may change: versions grow by one, numbers go
// on, and what has ended stays as it is or goes.
func checkStep(t *rapid.T, before, after *memory) {
	for k, x := range after.live {
		was, ok := before.live[k]
		switch {
		case before.done[k].Status != job.None:
			t.Fatalf("%v is %s again", k, x.Status)
		case !ok && (x.Version != 1 || x.Status != job.Queued || x.StartedAt != 0 || x.Details != nil):
			t.Fatalf("new: got %+v, want it fresh", x)
		case !ok && x.Number != highest(before, k)+1:
			t.Fatalf("new: got number %d after %d", x.Number, highest(before, k))
		case ok && !reflect.DeepEqual(was, x) && x.Version != was.Version+1:
			t.Fatalf("%v: got version %d after %d", k, x.Version, was.Version)
		case ok && (x.QueuedAt != was.QueuedAt || was.StartedAt != 0 && x.StartedAt != was.StartedAt):
			t.Fatalf("%v: got other times %+v after %+v", k, x, was)
		}
	}
	for k, x := range after.done {
		if was, ok := before.done[k]; ok && !gocmp.Equal(was, x) {
			t.Fatalf("%v had ended as %+v and is %+v", k, was, x)
		}
		if was, ok := before.live[k]; ok && x.Version != was.Version+1 {
			t.Fatalf("%v: got version %d after %d", k, x.Version, was.Version)
		}
	}
}

// highest returns the highest number that a thing has ever had of a job.
func highest(m *memory, k owned) int64 {
	n := m.heads[owned{k.thing, job.Key{JobUID: k.JobUID}}].Number
	for _, x := range m.executions() {
		if x.ThingUID == k.thing && x.Job.UID == k.JobUID {
			n = max(n, x.Number)
		}
	}
	return n
}

// checkOutput holds that a queue puts out what it changed and no more, and that
// it is dirty where the front or the set moved.
func checkOutput(t *rapid.T, before *memory, q *job.Queue) {
	var moved []string
	changes := q.Changes()
	for _, c := range changes {
		if reflect.DeepEqual(c.Before, c.After) {
			t.Fatalf("got a change of %v that changes nothing", c.After)
		}
	}
	for _, namespace := range []string{"", "ns"} {
		var was job.Told
		for _, x := range before.executions() {
			if x.ThingUID == q.Thing.UID && x.Status.Pending() && x.Job.Namespace == namespace {
				was.Set = append(was.Set, x.Key())
			}
		}
		// A canceled or deleted job's executions were told and are still in the set: the front is the loaded queue's.
		for _, x := range before.queue(job.Ref{Thing: q.Thing.Name, ThingUID: q.Thing.UID}).Live() {
			if x.Job.Namespace == namespace {
				was.Front = x.Key()
				break
			}
		}
		if !was.Equal(q.Told(namespace)) && len(changes) > 0 {
			moved = append(moved, namespace)
		}
	}
	var dirty []string
	for _, d := range q.Dirty() {
		dirty = append(dirty, d.Namespace)
	}
	if !slices.Equal(dirty, moved) {
		t.Fatalf("got dirty %q, want %q", dirty, moved)
	}
}
