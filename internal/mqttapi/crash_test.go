package mqttapi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"muster/internal/job"
	"muster/internal/store"

	"github.com/google/go-cmp/cmp"
)

var errDead = errors.New("the process is dead")

// fuse ends a process at the n-th thing that it does to the outside: a commit or
// a message to the broker.
type fuse struct {
	left  int  // until then; negative: never
	after bool // the deed is done, and only the process that did it never hears
	dead  bool
}

// do does a deed, unless the process dies before it.
func (f *fuse) do(deed func() error) error {
	if f.dead {
		return errDead
	}
	f.left--
	if f.left == 0 && !f.after {
		f.dead = true
		return errDead
	}
	err := deed()
	if f.left == 0 {
		f.dead = true
		return errDead
	}
	return err
}

// mortal is a store as a process sees it that may die.
type mortal struct {
	store.Store
	*fuse
}

func (m mortal) View(ctx context.Context, fn func(store.Reader) error) error {
	if m.dead {
		return errDead
	}
	return m.Store.View(ctx, fn)
}

func (m mortal) Update(ctx context.Context, fn func(store.Tx) error) error {
	return m.do(func() error { return m.Store.Update(ctx, fn) })
}

func (m mortal) UpdatePart(ctx context.Context, part int, fence int64, fn func(store.Tx) error) error {
	return m.do(func() error { return m.Store.UpdatePart(ctx, part, fence, fn) })
}

func (m mortal) UpdateQueues(ctx context.Context, refs []job.Ref, fn func(*job.Queue) error) error {
	return m.do(func() error { return m.Store.UpdateQueues(ctx, refs, fn) })
}

// story is what happens to a thing; each step is tried again after a crash, as
// operators and devices do, and does nothing then if it had been done.
var story = []func(*world) error{
	func(w *world) error { return w.tryCreate("a") },
	func(w *world) error { return w.tryCreate("b") },
	func(w *world) error { return w.device("start-next", "") },
	func(w *world) error { return w.tryCreate("c") },
	func(w *world) error { return w.device("a/update", `{"status":"SUCCEEDED"}`) },
	func(w *world) error { return w.device("c/update", `{"status":"IN_PROGRESS","expectedVersion":1}`) },
	func(w *world) error { return w.device("b/update", `{"status":"REJECTED"}`) },
	func(w *world) error {
		return w.engine.CancelJobExecution(w.t.Context(), operator, "t1", "c", job.Cancel{Force: true})
	},
}

func (w *world) tryCreate(id string) error {
	_, err := w.engine.CreateJob(w.t.Context(), operator, job.Spec{
		ID: id, Document: `{}`, Selection: job.Snapshot, Targets: []job.Target{{Kind: job.ThingTarget, Name: "t1"}},
	}, nil)
	return err
}

// device makes a request, which fails if it is answered with a fault.
func (w *world) device(topic, payload string) error {
	got := w.ask(b+topic, payload)
	if parse[struct{ Code string }](w.t, []byte(got[len(topic)+len("/accepted "):])).Code == "InternalError" {
		return errors.New(got)
	}
	return nil
}

// TestACrashLosesNoNotification ends the process at every single commit and
// message of a story, before and after it, and starts another one on the same
// store. Whatever a device was told before, in the end it is told what is; and
// it is told nothing more than once too often.
func TestACrashLosesNoNotification(t *testing.T) {
	t.Parallel()
	const want = 10 // messages
	none := &fuse{left: -1}
	if got := storyWithCrash(t, none); got != want {
		t.Fatalf("%d messages for the story without a crash, want %d", got, want)
	}
	for at := range -1 - none.left {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("deed %d, done %v", at+1, after), func(t *testing.T) {
				t.Parallel()
				f := &fuse{left: at + 1, after: after}
				if got := storyWithCrash(t, f); got < want || got > want+2 || f.left >= 0 {
					t.Errorf("%d messages, want %d and at most two more; fuse at %d", got, want, f.left)
				}
			})
		}
	}
}

// storyWithCrash plays the story in a process with a fuse and returns how many
// messages the broker has delivered.
func storyWithCrash(t *testing.T, f *fuse) int {
	t.Helper()
	w := newWorld(t, func(w *world) {
		w.wrap = func(s store.Store) store.Store { return mortal{s, f} }
		w.broker.around = f.do
	})
	var d told
	messages := 0
	for i, step := range story {
		for tries := 0; ; tries++ {
			err := step(w)
			settled := w.engine.Settle(t.Context())
			sent := w.broker.take()
			messages += len(sent)
			d.hear(t, sent)
			if !f.dead {
				if settled != nil || err != nil && tries == 0 {
					t.Fatalf("step %d: %v, %v", i, err, settled)
				}
				break
			}
			f.dead, f.left = false, -1
			w.restart()
		}
		list, next := w.truth()
		if diff := cmp.Diff(list, slices.Sorted(maps.Keys(d.list))); diff != "" || next != d.next {
			t.Fatalf("after step %d: the device believes %q is next, it is %q; pending (-is +told):\n%s", i, d.next, next, diff)
		}
	}
	return messages
}

// TestADeviceMayKnowMoreThanTheStoreSays: it has been told, the commit of that has
// failed, and before it is told again its queue goes back to where it was.
func TestADeviceMayKnowMoreThanTheStoreSays(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{true, false} {
		t.Run(fmt.Sprint("the server restarts: ", restarts), func(t *testing.T) {
			t.Parallel()
			f := &fuse{left: -1}
			w := newWorld(t, func(w *world) {
				w.wrap = func(s store.Store) store.Store { return mortal{s, f} }
				w.broker.around = f.do
			})
			w.must(w.tryCreate("a"))
			w.wait(time.Second)
			w.must(w.tryCreate("b"))
			w.settle()
			var d told
			d.hear(t, w.broker.take())
			f.left = 3 // the update, notify-next, the commit that says so
			w.must(w.device("b/update", `{"status":"IN_PROGRESS"}`))
			if err := w.engine.Settle(t.Context()); err == nil {
				t.Fatal("the commit has not failed")
			}
			d.hear(t, w.broker.take())
			if d.next != "b" {
				t.Fatalf("the device believes %q is next, want b", d.next)
			}
			f.dead, f.left = false, -1
			if restarts {
				w.restart()
			}
			w.must(w.device("b/update", `{"status":"SUCCEEDED"}`))
			w.settle()
			d.hear(t, w.broker.take())
			list, next := w.truth()
			if diff := cmp.Diff(list, slices.Sorted(maps.Keys(d.list))); diff != "" || next != d.next {
				t.Errorf("the device believes %q is next, it is %q; pending (-is +told):\n%s", d.next, next, diff)
			}
		})
	}
}

// truth returns what a device that asks is told.
func (w *world) truth() (pending []string, next string) {
	w.t.Helper()
	r := w.publish(b+"get", "")
	pending = slices.Sorted(maps.Keys(parse[pendingJobs](w.t, r.Payload).versions()))
	if x := parse[nextJob](w.t, w.publish(b+"$next/get", "").Payload).Execution; x != nil {
		next = x.JobID
	}
	return pending, next
}
