package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"muster/internal/client"
)

// outcome is where an execution stands, as far as devices care.
type outcome struct {
	status  string
	version int64
	step    string // of the details
}

func (o outcome) live() bool { return o.status == "QUEUED" || o.status == "IN_PROGRESS" }

// executionKey names an execution. Each job of the test queues one on a thing.
type executionKey struct{ thing, job string }

// record is what is known of an execution from acknowledgments alone.
type record struct {
	known outcome
	asked []outcome // what requests without an answer may have made of it
}

// jobRecord is what is known of a job.
type jobRecord struct {
	things   []string
	document string
	cancel   cancelState
	force    bool
}

type cancelState int

const (
	notCanceled cancelState = iota
	maybeCanceled
	canceled
)

// ledger holds everything that a server has acknowledged, and the requests that
// were under way when it was killed: those may have been served or not.
type ledger struct {
	mu         sync.Mutex
	things     map[string]string // acknowledged, with their ids
	jobs       map[string]*jobRecord
	maybe      map[string]*jobRecord // creates without an answer
	executions map[executionKey]*record
	touched    map[executionKey]bool // since the last audit
	starts     map[string]int        // how many start-nexts of a thing are without an answer
	late       bool                  // requests without an answer may still be served, much later
	acks       int
	killAt     int           // acknowledgments until the kill
	enough     chan struct{} // closed then
}

func newLedger() *ledger {
	return &ledger{
		things: make(map[string]string), jobs: make(map[string]*jobRecord), maybe: make(map[string]*jobRecord),
		executions: make(map[executionKey]*record), touched: make(map[executionKey]bool), starts: make(map[string]int),
	}
}

// round begins to count acknowledgments anew, up to n.
func (l *ledger) round(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks, l.killAt, l.enough = 0, n, make(chan struct{})
	clear(l.touched)
	return l.enough
}

// ack notes something under the lock and counts it.
func (l *ledger) ack(note func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note()
	l.acks++
	if l.acks == l.killAt {
		close(l.enough)
	}
}

// ending reports whether the server is killed or soon will be: it must not be
// lost before.
func (l *ledger) ending() bool {
	select {
	case <-l.enough:
		return true
	default:
		return false
	}
}

// do notes something under the lock.
func (l *ledger) do(note func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note()
}

// lost reports whether a request was left without an answer because the server
// went away: only then is its outcome unknown. A cluster may also be silent, or
// say that it does not know.
func (l *ledger) lost(err error) bool {
	e, answered := errors.AsType[*client.Error](err)
	if l.late && answered {
		return e.Status >= http.StatusInternalServerError || e.Code == "InternalError"
	}
	return err != nil && !answered && (l.late || !errors.Is(err, errSilent))
}

// canceling reports whether a cancel was asked for that ends what is in progress.
func (l *ledger) canceling(job string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs[job] != nil && l.jobs[job].cancel != notCanceled && l.jobs[job].force
}

// overtaken reports whether a cancel may have come before the rollout: in a
// cluster other nodes roll out, too, when the create is answered already.
func (l *ledger) overtaken(job string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.late && l.jobs[job].cancel != notCanceled
}

// untouched reports whether no device has been given an execution.
func (l *ledger) untouched(key executionKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.executions[key].known == outcome{"QUEUED", 1, ""}
}

// cancelable returns the jobs whose cancel can be judged: those of few things,
// which are rolled out when their create is answered.
func (l *ledger) cancelable() []string {
	ids := make(map[string]bool)
	for key := range l.touched {
		if j := l.jobs[key.job]; j != nil && j.cancel == notCanceled && len(j.things) < 10 {
			ids[key.job] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// started acknowledges an execution that a device was given: it has started it
// just now, or finds it as it was.
func (l *ledger) started(key executionKey, now outcome) (err error) {
	l.ack(func() {
		r := l.executions[key]
		if r == nil { // the create of its job has not been answered yet
			r = &record{known: outcome{"QUEUED", 1, ""}}
		}
		if allowed := l.allowed(key, r); now.status != "IN_PROGRESS" || !slices.Contains(allowed, now) {
			err = fmt.Errorf("%s is given %s as %+v, acknowledged was %+v, possible are %+v", key.thing, key.job, now, r.known, allowed)
		}
		l.starts[key.thing]--
		l.executions[key], l.touched[key] = r, true
		l.settle(r, now)
	})
	return err
}

// allowed returns what an execution may be found as.
func (l *ledger) allowed(key executionKey, r *record) []outcome {
	all := append([]outcome{r.known}, r.asked...)
	if r.known.status == "QUEUED" && l.starts[key.thing] > 0 {
		all = append(all, outcome{"IN_PROGRESS", r.known.version + 1, ""})
	}
	j := l.jobs[key.job]
	if j == nil || j.cancel == notCanceled {
		return all
	}
	var ends []outcome
	for _, o := range all {
		if o.status == "QUEUED" || o.live() && j.force {
			ends = append(ends, outcome{"CANCELED", o.version + 1, o.step})
		}
	}
	if j.cancel == canceled { // then it must have ended
		all = slices.DeleteFunc(all, func(o outcome) bool { return o.status == "QUEUED" || o.live() && j.force })
	}
	return append(all, ends...)
}

// found compares what an execution is with what it may be, and goes on from there.
func (l *ledger) found(key executionKey, got outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.executions[key]
	allowed := l.allowed(key, r)
	if !slices.Contains(allowed, got) {
		return fmt.Errorf("%s on %s is %+v, acknowledged was %+v, possible are %+v", key.job, key.thing, got, r.known, allowed)
	}
	l.settle(r, got)
	return nil
}

// settle notes where an execution stands. Requests that expect a version which
// has passed are never served, the others perhaps still are.
func (l *ledger) settle(r *record, now outcome) {
	r.known = now
	r.asked = slices.DeleteFunc(r.asked, func(o outcome) bool { return !l.late || o.version <= now.version })
}

// asking notes what a request may make of an execution.
func (l *ledger) asking(key executionKey, next outcome) {
	l.do(func() { l.executions[key].asked = append(l.executions[key].asked, next) })
}

// refused notes that a request was refused, and reports whether an earlier one
// without an answer explains why.
func (l *ledger) refused(key executionKey, next outcome) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.executions[key]
	r.asked = slices.DeleteFunc(r.asked, func(o outcome) bool { return o == next })
	return len(r.asked) > 0
}

// adopt takes a job into the books whose create was acknowledged or has turned
// out to have been served.
func (l *ledger) adopt(id string, j *jobRecord) {
	delete(l.maybe, id)
	l.jobs[id] = j
	for _, thing := range j.things {
		key := executionKey{thing, id}
		if l.executions[key] == nil { // a device may have been faster
			l.executions[key] = &record{known: outcome{"QUEUED", 1, ""}}
		}
		l.touched[key] = true
	}
}
