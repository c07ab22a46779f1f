package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
	"muster/internal/thing"
)

// t0 is the time at which tests begin, in milliseconds since the epoch.
const t0 = 1_770_000_000_000

const minute = 60_000

// errStop is what a closure of a test returns to have its changes undone.
var errStop = errors.New("stop")

// same fails the test unless want and got are equal; nil and empty are.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // much faster, and mostly enough
		return
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// kind fails the test unless err is an *apierr.Error of kind k.
func kind(t *testing.T, err error, k apierr.Kind) {
	t.Helper()
	if !apierr.Is(err, k) {
		t.Errorf("got error %v, want one of kind %q", err, k)
	}
}

func (b *bundle) newThing(name string) thing.Thing {
	uid := b.next()
	return thing.Thing{UID: uid, Name: name, ID: fmt.Sprintf("id-%d", uid), Version: 1, CreatedAt: t0}
}

// things stores n things called prefix000 and so on.
func (b *bundle) things(prefix string, n int) []thing.Thing {
	b.Helper()
	ts := make([]thing.Thing, n)
	for i := range ts {
		ts[i] = b.newThing(fmt.Sprintf("%s%03d", prefix, i))
	}
	b.update(func(tx store.Tx) error {
		for _, t := range ts {
			err := tx.InsertThing(t)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ts
}

func (b *bundle) newJob(id string, change ...func(*job.Job)) job.Job {
	uid := b.next()
	j := job.New(job.Spec{ID: id, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: "any", UID: 1}}}, uid, t0+uid%1000)
	for _, c := range change {
		c(&j)
	}
	return j
}

// job stores a job.
func (b *bundle) job(id string, change ...func(*job.Job)) job.Job {
	b.Helper()
	j := b.newJob(id, change...)
	b.update(func(tx store.Tx) error { return tx.InsertJob(j, `{"job":"`+id+`"}`) })
	return j
}

// refs returns refs to the executions of j on things, as rollouts use them.
func refs(j job.Job, ts ...thing.Thing) []job.Ref {
	rs := make([]job.Ref, len(ts))
	for i, t := range ts {
		rs[i] = job.Ref{Thing: t.Name, ThingUID: t.UID, JobUID: j.UID, History: true}
	}
	return rs
}

// enqueue queues j on things at the time given.
func (b *bundle) enqueue(j job.Job, now int64, ts ...thing.Thing) {
	b.Helper()
	must(b.T, b.s.UpdateQueues(b.Context(), refs(j, ts...), func(q *job.Queue) error {
		if !q.Enqueue(j.UID, now) {
			return fmt.Errorf("%s is not queued on %s", j.ID, q.Thing.Name)
		}
		return nil
	}))
}

// ref is what a device names: a thing and a job id.
func ref(t thing.Thing, j job.Job) job.Ref { return job.Ref{Thing: t.Name, JobID: j.ID} }

// report lets the device of t report a status of j.
func (b *bundle) report(t thing.Thing, j job.Job, s job.Status, now int64) {
	b.Helper()
	must(b.T, b.change(ref(t, j), func(q *job.Queue) error {
		_, err := q.Update(job.Update{Status: s}, now)
		return err
	}))
}

// change runs fn on one queue.
func (b *bundle) change(r job.Ref, fn func(*job.Queue) error) error {
	return b.s.UpdateQueues(b.Context(), []job.Ref{r}, fn)
}

// queue reads the queue that r names.
func (b *bundle) queue(r job.Ref) *job.Queue {
	b.Helper()
	return read(b, func(rd store.Reader) (*job.Queue, error) { return rd.Queue(r) })
}

// executions returns all executions of a job, by pages of size limit.
func (b *bundle) executions(j job.Job, f store.ExecutionFilter, limit int) []job.Execution {
	b.Helper()
	return pages(b, limit, func(r store.Reader, p store.Page[store.JobExecutionKey]) ([]job.Execution, store.JobExecutionKey, bool, error) {
		return r.JobExecutions(j.UID, f, p)
	})
}

// pages reads a whole list page by page, each on a snapshot of its own.
func pages[T, K any](b *bundle, limit int, list func(store.Reader, store.Page[K]) ([]T, K, bool, error)) []T {
	b.Helper()
	var got []T
	p := store.Page[K]{Limit: limit}
	for range 1_000_000 {
		var more bool
		b.view(func(r store.Reader) error {
			page, next, m, err := list(r, p)
			if len(page) > limit {
				b.Errorf("page of %d, want %d at most", len(page), limit)
			}
			got = append(got, page...)
			p.After, more = next, m
			return err
		})
		if !more {
			return got
		}
	}
	b.Fatal("the list never ends")
	return nil
}

// named makes a list without a next key one for pages: the name of the last row is it.
func named[T any](list func(store.Reader, store.Page[string]) ([]T, bool, error), name func(T) string) func(store.Reader, store.Page[string]) ([]T, string, bool, error) {
	return func(r store.Reader, p store.Page[string]) ([]T, string, bool, error) {
		page, more, err := list(r, p)
		next := p.After
		if len(page) > 0 {
			next = name(page[len(page)-1])
		}
		return page, next, more, err
	}
}

func (b *bundle) counts(j job.Job) job.Counts {
	b.Helper()
	return read(b, func(r store.Reader) (job.Counts, error) { return r.Counts(j.UID) })
}
