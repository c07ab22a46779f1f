package peers

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"muster/internal/mqtt"
)

// What one node knows of another's filters, and what follows if it did not know
// them in time.
//
// Whoever must reach the subscribers of a topic asks its own routes, and is done if
// nobody is there. So a filter counts only from the moment on in which every node
// has it. Each node numbers its announcements: an edition is one message of
// filters. With each beat, and at once when it has taken one, a node reports which
// edition of the other's it has, and since which one it has had all of them without
// a gap that the other does not know of (its base). Where a report closes a gap,
// what was sent meanwhile to the filters in it may have missed them, so their
// subscribers are told again how things are.
//
// Four rules keep that rare:
//   - A client that subscribes is answered when all nodes have the filter, or after
//     a few beats. What it is told, or asks for, after that is up to date.
//   - A session that moves has its filters on the old node for linger after it has
//     gone. If all have the new one's by then, there was no gap.
//   - A node that starts works on nothing before it knows the others, and takes
//     those that it does not know for holders of everything.
//   - Reports are settled with the node that they are about, so that nothing is
//     reported twice, nor forgotten while a message is lost.

// When an entry is safe.
const (
	// unsettled is while those who have subscribed have not been answered.
	unsettled = math.MaxInt64
	// unsafe is when others are relied on to have the filter.
	unsafe = 0
)

// view is what one node knows of another's filters.
type view struct {
	term uint64 // tells it from one that was forgotten
	base uint64 // there is no gap since that edition, but for those that were settled
	have uint64 // the newest edition
}

// report is what nodes tell each other of their views.
type report struct {
	view
	// seenTerm and seen are the term and edition of the last report that was taken
	// from the other one.
	seenTerm, seen uint64
}

// report returns what a node is told. The lock must be held.
func (p *Peers) report(n *node) []byte {
	return appendReport(nil, report{view: n.ours, seenTerm: n.theirs.term, seen: n.theirs.have})
}

// readReport takes over what a node knows of the filters here. The lock must be held.
func (p *Peers) readReport(n *node, c *cursor) {
	r := c.report()
	if c.bad {
		return
	}
	from := r.base
	if r.term == n.theirs.term {
		from = max(from, n.theirs.have)
	}
	if r.have > from {
		p.review(from, r.have)
	}
	n.behind = n.behind && r.have <= n.theirs.have
	n.theirs = r.view
	if r.seenTerm == n.ours.term {
		n.ours.base = max(n.ours.base, min(r.seen, n.ours.have))
	}
	p.settle()
}

// review tells those again whose filters a node has got to know with the editions
// after one and up to another, unless it was in time. The lock must be held.
func (p *Peers) review(after, upTo uint64) {
	now := p.since(time.Now())
	if after < p.forgotten {
		for filter, e := range p.interest {
			if e.edition > after && e.edition <= upTo && e.safe < now {
				p.owe(filter)
			}
		}
		return
	}
	i, _ := slices.BinarySearchFunc(p.recent, after+1, func(a announcement, edition uint64) int {
		return cmp.Compare(a.edition, edition)
	})
	for _, a := range p.recent[i:] {
		if a.edition > upTo {
			return
		}
		if e := p.interest[a.filter]; e.edition == a.edition && e.safe < now {
			p.owe(a.filter)
		}
	}
}

// announcement is a filter that others were told of.
type announcement struct {
	filter  string
	edition uint64
}

// maxRecent is how many announcements are remembered by themselves: for older ones
// all filters are gone through.
const maxRecent = 1 << 14

// remember remembers that a filter is in the present edition. The lock must be held.
func (p *Peers) remember(filter string) {
	if len(p.recent) >= maxRecent {
		p.forgotten = p.recent[maxRecent/2-1].edition
		p.recent = append(p.recent[:0], p.recent[maxRecent/2:]...)
	}
	p.recent = append(p.recent, announcement{filter, p.edition})
}

// since returns a time as entries have it: in nanoseconds, greater than 0.
func (p *Peers) since(t time.Time) int64 { return max(int64(t.Sub(p.begun)), 1) }

// settling is a wait for all nodes to have an edition.
type settling struct {
	edition uint64 // 0 until it is known
	done    chan struct{}
}

// settle ends the waits for editions that all have. The lock must be held.
func (p *Peers) settle() {
	if len(p.settling) == 0 {
		return
	}
	floor := p.floor()
	kept := p.settling[:0]
	for _, w := range p.settling {
		if w.edition != 0 && w.edition <= floor {
			close(w.done)
			continue
		}
		kept = append(kept, w)
	}
	clear(p.settling[len(kept):])
	p.settling = kept
}

// floor returns the edition that all nodes have that can be asked. A node that has
// not been met waits for this one, and one that was waited for in vain is not waited
// for again until it has moved. The lock must be held.
func (p *Peers) floor() uint64 {
	floor := uint64(math.MaxUint64)
	for _, n := range p.nodes {
		if n.met && !n.behind && !p.silent(n) {
			floor = min(floor, n.theirs.have)
		}
	}
	return floor
}

// Settle implements mqtt.Peers. It takes one beat longer at most than it takes to
// find out that a node says nothing: who needs to reach the client counts that one
// in by then.
func (p *Peers) Settle(ctx context.Context, filters []string) {
	owed := p.owing(filters)
	if len(owed) == 0 {
		return
	}
	if w := p.enlist(owed); w != nil {
		late := time.NewTimer((patience + 1) * p.cfg.Beat)
		defer late.Stop()
		select {
		case <-w.done:
		case <-late.C:
			p.outrun(w)
		case <-ctx.Done():
		case <-p.closing.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, filter := range owed {
		if e, ok := p.interest[filter]; ok {
			e.safe = unsafe
			p.interest[filter] = e
		}
	}
}

// outrun gives up a wait, and notes for whom it was.
func (p *Peers) outrun(w *settling) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nodes {
		n.behind = n.behind || n.theirs.have < w.edition
	}
	p.settle()
}

// enlist returns a wait for all nodes to have some filters, or nil if they do. Who
// has given it up leaves it: it ends with those of the others.
func (p *Peers) enlist(filters []string) *settling {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &settling{done: make(chan struct{})}
	for _, filter := range filters {
		e := p.interest[filter]
		if e.dirty && e.told == mqtt.Absent {
			w.edition = 0
			p.settling = append(p.settling, w)
			return w
		}
		w.edition = max(w.edition, e.edition)
	}
	if w.edition <= p.floor() {
		return nil
	}
	p.settling = append(p.settling, w)
	return w
}

// Inherit implements mqtt.Peers.
func (p *Peers) Inherit(filters []string, held time.Time) {
	owed := p.owing(filters)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, filter := range owed {
		e, ok := p.interest[filter]
		switch {
		case !ok:
		case held.IsZero():
			e.safe = unsafe
			p.owe(filter)
		default:
			e.safe = min(e.safe, p.since(held))
		}
		if ok {
			p.interest[filter] = e
		}
	}
}

// Unsettled implements mqtt.Peers.
func (p *Peers) Unsettled(filters []string) bool {
	owed := p.owing(filters)
	if len(owed) == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	floor := uint64(math.MaxUint64)
	for _, n := range p.nodes {
		if n.alive || n.met && !p.silent(n) {
			floor = min(floor, n.theirs.have)
		}
	}
	for _, filter := range owed {
		e := p.interest[filter]
		if e.edition > floor || e.dirty && e.told == mqtt.Absent || p.owes(filter) {
			return true
		}
	}
	return false
}

// owing returns those of some filters, and of the topics that they imply, whose
// subscribers are to be told again if they may have missed something.
func (p *Peers) owing(filters []string) []string {
	if p.cfg.Subject == nil || p.cfg.Retell == nil {
		return nil
	}
	var owed []string
	for _, filter := range filters {
		if p.cfg.Subject(filter) != "" {
			owed = append(owed, filter)
		}
		for _, topic := range p.implied(filter) {
			if p.cfg.Subject(topic) != "" {
				owed = append(owed, topic)
			}
		}
	}
	return owed
}
