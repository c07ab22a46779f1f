package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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
	// Here limits it to devices that are connected to this node.
	Here bool
	// Except are other nodes that tell their own devices.
	Except []string
}

const (
	// outboxPause is how long rows rest that could not be sent.
	outboxPause = 250 * time.Millisecond
	// maxFaults is how many rows of a page may fail before the rest has to wait, too.
	maxFaults = 5
	// tellers is how many things are told at a time, so that they share the commits
	// that this takes.
	tellers = 64
)

func (e *Engine) outboxNext(context.Context) (time.Time, error) {
	if e.flags.up(Outbox) {
		return e.clock.Now(), nil
	}
	return timeOf(e.again.next(e.parts())), nil
}

// outboxOnce tells devices what has changed. The state that is sent is the
// present one, so a burst of changes is told once; the row goes only after the
// publisher has taken the message. Things with requests under way are passed by.
func (e *Engine) outboxOnce(ctx context.Context, now time.Time) (int, error) {
	for _, p := range e.again.take(e.parts(), now.UnixMilli()) {
		e.flags.raise(Outbox, p.Part)
	}
	return e.inParts(Outbox, 1, func(p Part) (int, error) { return e.outboxPart(ctx, p, now) })
}

// outboxPart deals with a page of a part's rows. The next page follows if some of
// this one could not be sent: nobody waits behind them.
func (e *Engine) outboxPart(ctx context.Context, p Part, now time.Time) (int, error) {
	since := e.holds.read()
	defer e.holds.done(since)
	rows, err := e.page(ctx, p.Part, e.outbox.begin(p))
	if err != nil {
		return 0, err
	}
	left := e.tellHolders(ctx, rows)
	sent, failed := e.tellAll(ctx, p, rows, since)
	if left {
		e.again.earlier(p.Part, now.Add(outboxPause).UnixMilli())
	}
	next := int64(0)
	if len(rows) == chunk && len(sent) < chunk {
		next = rows[chunk-1].Since
		e.flags.raise(Outbox, p.Part)
	}
	e.outbox.move(p.Part, next)
	if len(sent) == 0 {
		return 0, failed
	}
	err = e.store.UpdatePart(ctx, p.Part, p.Fence, func(tx store.Tx) error {
		for _, d := range sent {
			err := tx.Sent(d.Dirty, d.is)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e.outbox.doubt(p.Part, sent[len(sent)-1].Since)
		return 0, err
	}
	for _, d := range sent {
		e.outbox.forget(d)
	}
	return len(sent), failed
}

// delivery is a row of the outbox on its way.
type delivery struct {
	Owed
	holders []string // other nodes that tell their own devices
	here    bool     // anybody else is to be told from here
	owed    Notification
	is      job.Told // what the devices know once it is done
	done    bool     // by the holders
	torn    bool     // not all devices have been told the same
}

// Owed is a row of the outbox, and what is not known of it.
type Owed struct {
	store.Dirty
	// Doubt is whether the devices may have been told of it already, by somebody
	// who could not say so in the store. Then what they know is not what the row
	// says, and they must be told all there is.
	Doubt bool
}

// page reads a page of a part's rows and who is concerned. The queue is read only
// of those who are to be told from here.
func (e *Engine) page(ctx context.Context, part int, after int64) ([]delivery, error) {
	var ds []delivery
	err := e.store.View(ctx, func(r store.Reader) error {
		rows, err := r.Dirty(part, store.Page[int64]{After: after, Limit: chunk})
		if err != nil {
			return err
		}
		doubted := e.outbox.judge(part, rows)
		ds = make([]delivery, len(rows))
		for i, row := range rows {
			// Whom nobody tells knows what it knew.
			d := delivery{Owed: Owed{row, row.Since <= doubted}, here: true, is: row.Told}
			if e.peers != nil {
				d.holders, d.here = e.peers.Route(row.Thing, row.Namespace)
			}
			if d.here {
				d.owed, d.is, err = e.notification(r, d.Owed)
			}
			if err != nil {
				return err
			}
			d.owed.Except = d.holders
			ds[i] = d
		}
		return nil
	})
	return ds, err
}

// tellAll tells all devices that are to be told from here, and returns those rows
// with which it is done, in order. Many things are told at a time, the rows of one
// after each other. A row that cannot be told does not keep the others waiting,
// unless it is not the only one by far.
func (e *Engine) tellAll(ctx context.Context, p Part, ds []delivery, since int64) (sent []delivery, err error) {
	byThing := make(map[int64][]int, len(ds))
	var order []int64
	for i, d := range ds {
		if !d.done {
			continue
		}
		if byThing[d.ThingUID] == nil {
			order = append(order, d.ThingUID)
		}
		byThing[d.ThingUID] = append(byThing[d.ThingUID], i)
	}
	told, errs := make([]bool, len(ds)), make([]error, len(ds))
	var faults atomic.Int64
	var g errgroup.Group
	g.SetLimit(e.tellers)
	for _, thing := range order {
		g.Go(func() error {
			for _, i := range byThing[thing] {
				if faults.Load() >= maxFaults {
					return nil
				}
				told[i], errs[i] = e.tellRow(ctx, p, &ds[i], since)
				if errs[i] != nil {
					faults.Add(1)
				}
			}
			return nil
		})
	}
	_ = g.Wait() // none returns an error
	sent = make([]delivery, 0, len(ds))
	for i, d := range ds {
		if errs[i] != nil || d.torn { // some devices know more than others
			e.outbox.doubt(d.Part, d.Since)
		}
		if told[i] {
			sent = append(sent, d)
		}
	}
	return sent, errors.Join(errs...)
}

// tellRow tells the devices that are to be told from here of a row, and reports
// whether it is done with it.
func (e *Engine) tellRow(ctx context.Context, p Part, d *delivery, since int64) (bool, error) {
	if !d.here {
		return true, nil
	}
	if !slices.Contains(e.parts(), p) {
		return false, nil // somebody else's by now, who may be further
	}
	return e.tell(ctx, d.owed, since)
}

// tellHolders hands the rows to the nodes that must tell their devices, and
// reports whether one has failed to.
func (e *Engine) tellHolders(ctx context.Context, ds []delivery) bool {
	var failed atomic.Bool
	var g errgroup.Group
	g.SetLimit(tellers)
	for i := range ds {
		d := &ds[i]
		if len(d.holders) == 0 {
			d.done = true
			continue
		}
		g.Go(func() error {
			err := e.tellHolder(ctx, d)
			if err != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait() // none returns an error
	return failed.Load()
}

// tellHolder hands a row to each of its holders. One that lets it wait for
// requests under way wakes us when they are over. Nobody waits for a holder that
// cannot be reached but those that only it can tell.
func (e *Engine) tellHolder(ctx context.Context, d *delivery) error {
	var faults []error
	told, first := 0, !d.here
	for _, node := range d.holders {
		is, known := e.outbox.knows(node, d)
		if !known {
			var ok bool
			var err error
			is, ok, err = e.peers.Tell(ctx, node, d.Owed)
			if err != nil || !ok {
				faults = append(faults, err)
				continue
			}
		}
		told++
		if first {
			d.is, first = is, false
		}
		d.torn = d.torn || !is.Equal(d.is)
		if len(d.holders) > 1 && !known {
			e.outbox.note(node, d, is)
		}
	}
	err := errors.Join(faults...)
	d.done = told == len(d.holders)
	d.torn = d.torn || err != nil || told > 0 && !d.done
	return err
}

// tell tells a device what it is owed by a reading, see holds.read, and reports
// false if that has to wait.
func (e *Engine) tell(ctx context.Context, n Notification, since int64) (bool, error) {
	ok, stale := e.holds.tell(n.Thing, since)
	if stale {
		e.rouse(Outbox, e.store.PartOf(n.Thing))
	}
	if !ok {
		return false, nil
	}
	defer func() {
		if e.holds.told(n.Thing) {
			e.rouse(Outbox, e.store.PartOf(n.Thing))
		}
	}()
	if e.publisher == nil || n.Notice == (job.Notice{}) {
		return true, nil
	}
	n.At = e.now()
	err := e.publisher.Notify(ctx, n)
	return err == nil, err
}

// notification reads the queue of a dirty row as it is now.
// The time of sending is left to the sender.
func (e *Engine) notification(r store.Reader, d Owed) (Notification, job.Told, error) {
	q, err := r.Queue(job.Ref{Thing: d.Thing, ThingUID: d.ThingUID})
	if err != nil {
		return Notification{}, job.Told{}, err
	}
	told := q.Told(d.Namespace)
	n := Notification{
		Thing: d.Thing, Namespace: d.Namespace,
		Notice: job.NoticeOf(d.Told, told), Pending: q.Pending(d.Namespace),
	}
	if d.Doubt || n.Notice == (job.Notice{}) {
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

// outbox remembers how far the loop has come.
type outbox struct {
	mu     sync.Mutex
	after  map[int]int64      // by part: rows up to here could not be sent; guarded by mu
	known  map[known]job.Told // rows of several holders, and what these have told; guarded by mu
	doubts map[int]*doubt     // by part; guarded by mu
}

// doubt says of which rows of a part the devices may have been told though the
// store does not say so: those that were there when the part came here, and those
// that were told by halves, or where the commit has failed.
type doubt struct {
	fence int64
	fresh bool  // not all rows that were there have been seen
	upTo  int64 // rows up to here
}

// known is a row that one of several holders has taken.
type known struct {
	node, namespace string
	thingUID, seq   int64
}

func knownTo(node string, d *delivery) known { return known{node, d.Namespace, d.ThingUID, d.Seq} }

// begin returns behind which row the next page of a part begins.
func (o *outbox) begin(p Part) (after int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own(p)
	return o.after[p.Part]
}

// own returns what is in doubt of a part. o.mu is held.
func (o *outbox) own(p Part) *doubt {
	d := o.doubts[p.Part]
	if d == nil || d.fence != p.Fence {
		if o.doubts == nil {
			o.doubts = make(map[int]*doubt)
		}
		d = &doubt{fence: p.Fence, fresh: true}
		o.doubts[p.Part] = d
		delete(o.after, p.Part)
	}
	return d
}

// empty notes that there have been no rows of a part since it came here: those that
// come are nobody else's.
func (o *outbox) empty(p Part) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own(p).fresh = false
}

// judge returns up to which row of a page there is doubt.
func (o *outbox) judge(part int, page []store.Dirty) (upTo int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.doubts[part]
	if d.fresh && len(page) > 0 {
		d.upTo = max(d.upTo, page[len(page)-1].Since)
	}
	d.fresh = d.fresh && len(page) == chunk
	return d.upTo
}

// doubt notes that there is doubt of the rows of a part up to one.
func (o *outbox) doubt(part int, since int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.doubts[part]
	d.upTo = max(d.upTo, since)
}

func (o *outbox) move(part int, after int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.after == nil {
		o.after = make(map[int]int64)
	}
	o.after[part] = after
}

func (o *outbox) knows(node string, d *delivery) (job.Told, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	is, ok := o.known[knownTo(node, d)]
	return is, ok
}

// note remembers that a node has taken a row, and what its devices know now. If that is too much to remember,
// they are told once more.
func (o *outbox) note(node string, d *delivery, is job.Told) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || len(o.known) > 10*chunk {
		o.known = make(map[known]job.Told)
	}
	o.known[knownTo(node, d)] = is
}

func (o *outbox) forget(d delivery) {
	if len(d.holders) < 2 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, node := range d.holders {
		delete(o.known, knownTo(node, &d))
	}
}
