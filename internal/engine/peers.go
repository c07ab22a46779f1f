package engine

import (
	"context"

	"muster/internal/job"
	"muster/internal/store"
)

// Peers are the engines of the other nodes of a cluster. What they are told gets
// lost now and then: each looks every second for what it has missed.
type Peers interface {
	// Wake tells the engine that works on a part that there is something to do.
	// It must not block.
	Wake(w Wake)
	// Route says who has to be told of changes of a thing's queue: the other
	// nodes to which its devices are connected, or that keep their sessions, and
	// whether there is anybody else, here or elsewhere, who has only subscribed.
	Route(thing, namespace string) (holders []string, others bool)
	// Tell lets a node tell the devices of a thing that are its own: it calls
	// TellHere there and returns what that returns.
	Tell(ctx context.Context, node string, d Owed) (is job.Told, ok bool, err error)
}

// Wake says that there is something to do in a part.
type Wake struct {
	Part  int
	Tasks Tasks
	// Due is a new deadline, in milliseconds since the epoch, or 0.
	Due int64
}

// Woken takes what Wake has sent from another node. Parts that are not this
// engine's are passed over.
func (e *Engine) Woken(w Wake) {
	if _, mine := e.owned(w.Part); !mine {
		return
	}
	e.flags.raise(w.Tasks, w.Part)
	if w.Due != 0 {
		e.timers.earlier(w.Part, w.Due)
	}
	e.nudge()
}

// TellHere tells devices that are connected to this node what a row of the outbox
// owes them, on behalf of the engine that works on the row's part. It reports
// what they know now, or false if the row has to wait for requests under way.
func (e *Engine) TellHere(ctx context.Context, d Owed) (is job.Told, ok bool, err error) {
	since := e.holds.read()
	defer e.holds.done(since)
	var n Notification
	err = e.store.View(ctx, func(r store.Reader) error {
		var err error
		n, is, err = e.notification(r, d)
		return err
	})
	if err != nil {
		return job.Told{}, false, err
	}
	n.Here = true
	ok, err = e.tell(ctx, n, since)
	return is, ok, err
}
