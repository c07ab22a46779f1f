package engine

import (
	"context"
	"time"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/store"
)

// Publisher tells connected devices that their queue has changed. Notify is
// called again for the same change after a crash, and never concurrently for one
// thing. It returns an error if the message could not be taken; it is then
// repeated. A device that is not connected is no error.
type Publisher interface {
	Notify(ctx context.Context, n Notification) error
}

// Notification is the present state of a thing's queue in a namespace, and what
// of it the device has not been told [jobs-comm-notifications].
type Notification struct {
	Thing, Namespace string
	// At is the time of sending, in milliseconds since the epoch.
	At int64
	// Notice says which messages are owed. If both, notify comes before notify-next.
	Notice job.Notice
	// Pending is the whole visible queue in order; the first is the front.
	Pending []job.Execution
	// Document is the front's job document; empty if there is no front.
	Document string
}

// outboxOnce tells devices what has changed. The state that is sent is the
// present one, so a burst of changes is told once; the row goes only after the
// publisher has taken the message. Things with requests under way are passed by.
func (e *Engine) outboxOnce(ctx context.Context, _ time.Time) (int, error) {
	e.outbox.lower()
	var done int
	for part := range e.store.Parts() {
		n, err := e.outboxPart(ctx, part)
		done += n
		if err != nil {
			e.outbox.raise()
			return done, err
		}
	}
	if done > 0 {
		e.outbox.raise()
	}
	return done, nil
}

func (e *Engine) outboxPart(ctx context.Context, part int) (int, error) {
	var rows []store.Dirty
	var owed []Notification
	var is []job.Told
	e.holds.read()
	defer e.holds.done()
	err := e.store.View(ctx, func(r store.Reader) error {
		var err error
		rows, err = r.Dirty(part, store.Page[int64]{Limit: chunk})
		if err != nil {
			return err
		}
		owed, is = owed[:0], is[:0]
		for _, d := range rows {
			n, told, err := e.notification(r, d)
			if err != nil {
				return err
			}
			owed, is = append(owed, n), append(is, told)
		}
		return nil
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var failed error
	sent := make([]int, 0, len(rows))
	for i, n := range owed {
		var told bool
		told, failed = e.tell(ctx, n)
		if failed != nil {
			break
		}
		if told {
			sent = append(sent, i)
		}
	}
	if len(sent) == 0 {
		return 0, failed
	}
	err = e.store.UpdatePart(ctx, part, 0, func(tx store.Tx) error {
		for _, i := range sent {
			err := tx.Sent(rows[i], is[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(sent), failed
}

// tell tells a device what it is owed, and reports false if that has to wait.
func (e *Engine) tell(ctx context.Context, n Notification) (bool, error) {
	if !e.holds.tell(n.Thing) {
		return false, nil
	}
	defer e.holds.told(n.Thing)
	if e.publisher == nil || n.Notice == (job.Notice{}) {
		return true, nil
	}
	n.At = e.now()
	return true, e.publisher.Notify(ctx, n)
}

// notification reads the queue of a dirty row as it is now.
// The time of sending is left to the sender.
func (e *Engine) notification(r store.Reader, d store.Dirty) (Notification, job.Told, error) {
	q, err := r.Queue(job.Ref{Thing: d.Thing, ThingUID: d.ThingUID})
	if err != nil {
		return Notification{}, job.Told{}, err
	}
	told := q.Told(d.Namespace)
	n := Notification{
		Thing: d.Thing, Namespace: d.Namespace,
		Notice: job.NoticeOf(d.Told, told), Pending: q.Pending(d.Namespace),
	}
	if n.Notice == (job.Notice{}) {
		// It has come back to what the device was told, but the device may have
		// asked in between, and work on what is gone again.
		n.Notice = job.Notice{List: true, Next: true}
	}
	if n.Notice.Next && len(n.Pending) > 0 {
		n.Document, err = e.document(r, n.Pending[0].Job.UID)
		if apierr.Is(err, apierr.NotFound) {
			err = nil
		}
	}
	return n, told, err
}
