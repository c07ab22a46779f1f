package cluster

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
)

// Hub joins buses within one process: that of a node which is alone, or those of
// the nodes of a test, which can cut them off.
type Hub struct {
	mu       sync.Mutex
	subjects map[string][]*inbox // guarded by mu; each in order of subscription
}

// NewHub returns a hub without buses.
func NewHub() *Hub { return &Hub{subjects: make(map[string][]*inbox)} }

// Port is the bus of one node on a hub. It implements Bus.
type Port struct {
	hub *Hub

	// Guarded by hub.mu.
	cut, closed bool
	held        bool
	waiting     []delivery // from others, while held
}

var _ Bus = (*Port)(nil)

// Bus returns another bus on the hub.
func (h *Hub) Bus() *Port { return &Port{hub: h} }

// Cut parts the bus from all others, in both directions, until Heal. Messages
// between them are lost. Those of the node to itself arrive.
func (p *Port) Cut() { p.set(func() { p.cut = true }) }

// Heal ends Cut.
func (p *Port) Heal() { p.set(func() { p.cut = false }) }

// Hold delays what others send to the bus until Release.
func (p *Port) Hold() { p.set(func() { p.held = true }) }

// Release ends Hold and delivers what has come meanwhile, in order.
func (p *Port) Release() {
	p.set(func() {
		p.held = false
		for _, d := range p.waiting {
			d.to.put(d.message, d.size)
		}
		p.waiting = nil
	})
}

func (p *Port) set(change func()) {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	change()
}

// Publish implements Bus. The data is copied.
func (p *Port) Publish(subject string, data []byte) error {
	_, err := p.send(subject, data, func([]byte, *Port) {})
	return err
}

// Request implements Bus.
func (p *Port) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	type reply struct {
		data []byte
		err  error
	}
	answer := make(chan reply, 1)
	n, err := p.send(subject, data, func(data []byte, from *Port) {
		if !from.reaches(p) {
			return
		}
		select {
		case answer <- reply{data, checkSize(data)}:
		default: // another was first
		}
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, ErrNobody
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return nil, r.err
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send hands a message to all who can be reached and returns how many they are.
// respond is told each answer and by whose bus it is given.
func (p *Port) send(subject string, data []byte, respond func(data []byte, from *Port)) (int, error) {
	err := checkMessage(subject, data)
	if err != nil {
		return 0, err
	}
	data = bytes.Clone(data)
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	if p.closed {
		return 0, ErrClosed
	}
	n := 0
	for _, to := range p.hub.subjects[subject] {
		if !p.linked(to.port) {
			continue
		}
		n++
		m := Message{Subject: subject, Data: data, Respond: func(answer []byte) {
			respond(bytes.Clone(answer), to.port)
		}}
		if to.port.held && to.port != p {
			to.port.waiting = append(to.port.waiting, delivery{to, m, len(data)})
			continue
		}
		to.put(m, len(data))
	}
	return n, nil
}

// delivery is a message on its way.
type delivery struct {
	to      *inbox
	message Message
	size    int
}

// linked reports whether messages pass from p to q. The caller holds hub.mu.
func (p *Port) linked(q *Port) bool { return p == q || !p.cut && !q.cut }

// reaches reports whether an answer passes from p to q, of one hub.
func (p *Port) reaches(q *Port) bool {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	return p.linked(q) && !p.closed && !q.closed
}

// Subscribe implements Bus.
func (p *Port) Subscribe(subject string, fn func(Message)) (cancel func(), err error) {
	err = checkSubject(subject)
	if err != nil {
		return nil, err
	}
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	in := &inbox{port: p, fn: fn}
	p.hub.subjects[subject] = append(p.hub.subjects[subject], in)
	return func() { p.hub.remove(subject, in) }, nil
}

func (h *Hub) remove(subject string, in *inbox) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in.close()
	rest := slices.DeleteFunc(h.subjects[subject], func(x *inbox) bool { return x == in })
	if len(rest) == 0 {
		delete(h.subjects, subject)
		return
	}
	h.subjects[subject] = rest
}

// Healthy implements Bus.
func (p *Port) Healthy() error {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case p.cut:
		return errors.New("cluster: the bus is cut")
	}
	return nil
}

// Close implements Bus.
func (p *Port) Close() error {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	p.closed, p.waiting = true, nil
	for subject, ins := range p.hub.subjects {
		rest := slices.DeleteFunc(ins, func(in *inbox) bool {
			if in.port == p {
				in.close()
			}
			return in.port == p
		})
		p.hub.subjects[subject] = rest
		if len(rest) == 0 {
			delete(p.hub.subjects, subject)
		}
	}
	return nil
}

// inbox holds the messages that a subscriber has not seen. A goroutine serves it
// while there are any.
type inbox struct {
	port *Port
	fn   func(Message)

	mu      sync.Mutex
	queue   []delivery // guarded by mu
	bytes   int        // guarded by mu: in queue
	serving bool       // guarded by mu
	closed  bool       // guarded by mu
}

func (in *inbox) put(m Message, size int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || len(in.queue) >= maxPending || in.bytes+size > maxPendingBytes {
		return
	}
	in.queue = append(in.queue, delivery{in, m, size})
	in.bytes += size
	if !in.serving {
		in.serving = true
		go in.serve()
	}
}

func (in *inbox) serve() {
	for {
		batch := in.take()
		if len(batch) == 0 {
			return
		}
		for _, d := range batch {
			if in.ended() {
				return
			}
			in.fn(d.message)
		}
	}
}

// take returns what waits; if nothing does, the goroutine ends.
func (in *inbox) take() []delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	batch := in.queue
	in.queue, in.bytes = nil, 0
	in.serving = len(batch) > 0
	return batch
}

func (in *inbox) ended() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.closed
}

func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.queue = true, nil
}
