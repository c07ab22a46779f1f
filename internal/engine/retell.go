package engine

import (
	"context"
	"slices"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

// errBusy is why devices cannot be told at the moment.
var errBusy = apierr.New(apierr.Unavailable, "The thing has requests under way.")

const (
	// retellTries is how often Retell looks whether requests are under way, and
	// retellPause how long it waits in between, in wall-clock time: one that finds
	// that it has been passed by waits for it.
	retellTries = 50
	retellPause = 20 * time.Millisecond
)

// Retell tells those devices of a thing that are connected to this node, or whose
// sessions it keeps, what its queue in a namespace is now: notify and notify-next,
// whatever they have been told. It is for those that whoever dealt with the outbox
// may not have known of. It gives way to requests under way, and returns
// apierr.Unavailable if that takes longer than a second, or else the error of the
// publisher or the store: try again.
func (e *Engine) Retell(ctx context.Context, thing, namespace string) error {
	d := store.Dirty{Part: e.store.PartOf(thing), Thing: thing, Namespace: namespace}
	for range retellTries {
		_, ok, err := e.TellHere(ctx, Owed{Dirty: d, Doubt: true})
		if ok || err != nil {
			return err
		}
		pause := time.NewTimer(retellPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	return errBusy
}

// RetellNamespaces is Retell for each namespace in which something is pending, but
// for the common queue: which others there have been, nobody knows.
func (e *Engine) RetellNamespaces(ctx context.Context, thing string) error {
	var names []string
	err := e.store.View(ctx, func(r store.Reader) error {
		q, err := r.Queue(job.Ref{Thing: thing})
		if err != nil {
			return err
		}
		names = nil
		for _, x := range q.Live() {
			if ns := x.Job.Namespace; ns != "" && !slices.Contains(names, ns) {
				names = append(names, ns)
			}
		}
		return nil
	})
	for _, ns := range names {
		if err == nil {
			err = e.Retell(ctx, thing, ns)
		}
	}
	return err
}
