package peers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// retellMost is how many subjects are told again in a beat at most: a node that
	// comes back has more to do than that.
	retellMost = 500
	// retellers is how many are at a time.
	retellers = 8
	// retellWait bounds how long one may take, and retellFaults is how many may fail
	// before the others wait for the next beat, too.
	retellWait   = 5 * time.Second
	retellFaults = 20
)

// debts are the subjects to be told again, each once, oldest first. What comes more
// than once within a beat, as from several nodes, is told once.
type debts struct {
	state map[string]debt
	order []string // those that wait
}

// debt says how a subject stands. The zero value is that nothing is owed.
type debt byte

const (
	waiting debt = iota + 1
	telling
	again // it is being told, and owed anew
)

func (d *debts) add(subject string) {
	switch d.state[subject] {
	case 0:
		if d.state == nil {
			d.state = make(map[string]debt)
		}
		d.state[subject] = waiting
		d.order = append(d.order, subject)
	case telling:
		d.state[subject] = again
	case waiting, again:
	}
}

// owe notes that the subscribers to a filter are to be told again. The lock must be held.
func (p *Peers) owe(filter string) {
	if p.cfg.Subject == nil || p.cfg.Retell == nil {
		return
	}
	if subject := p.cfg.Subject(filter); subject != "" {
		p.debts.add(subject)
	}
}

// owes reports whether the subscribers to a filter are still to be told again. The
// lock must be held.
func (p *Peers) owes(filter string) bool {
	return len(p.debts.state) > 0 && p.debts.state[p.cfg.Subject(filter)] != 0
}

// retell tells again what is owed, some each beat, until the peers are closed.
func (p *Peers) retell() {
	beat := time.NewTicker(p.cfg.Beat)
	defer beat.Stop()
	for {
		select {
		case <-p.closing.Done():
			return
		case <-beat.C:
			p.retellSome()
		}
	}
}

// retellSome tells the oldest subjects again. Those that could not be told come
// again after the others.
func (p *Peers) retellSome() {
	p.mu.Lock()
	due := p.debts.order[:min(len(p.debts.order), retellMost)]
	p.debts.order = p.debts.order[len(due):]
	p.mu.Unlock()
	if len(due) == 0 {
		return
	}
	var faults atomic.Int32
	left := make([]bool, len(due))
	var wg sync.WaitGroup
	var next atomic.Int32
	for range min(retellers, len(due)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(due) {
					return
				}
				if left[i] = faults.Load() >= retellFaults || !p.retellOne(due[i]); left[i] {
					faults.Add(1)
				}
			}
		})
	}
	wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, subject := range due {
		if left[i] {
			p.debts.order = append(p.debts.order, subject)
		}
	}
	p.changed()
}

// retellOne tells a subject again, and reports whether nothing of it is owed then.
func (p *Peers) retellOne(subject string) bool {
	p.mark(subject, telling)
	ctx, cancel := context.WithTimeout(p.closing, retellWait)
	defer cancel()
	err := p.cfg.Retell(ctx, subject)
	if err != nil {
		p.log.Debug("mqtt: a subject cannot be told again yet", "subject", subject, "err", err)
		p.mark(subject, waiting)
		return false
	}
	p.metrics.retold.Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.debts.state[subject] == again {
		p.debts.state[subject] = waiting
		return false
	}
	delete(p.debts.state, subject)
	return true
}

func (p *Peers) mark(subject string, as debt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.debts.state[subject] = as
}
