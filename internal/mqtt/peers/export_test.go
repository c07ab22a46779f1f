package peers

import (
	"context"

	"muster/internal/cluster"
)

// Window into what tests wait for.

// Await waits until cond is true, and reports false if ctx ends before. It is asked
// whenever something has changed.
func (p *Peers) Await(ctx context.Context, cond func() bool) bool {
	return p.await(ctx, func() bool {
		p.mu.Unlock()
		defer p.mu.Lock()
		return cond()
	})
}

// Knows reports whether the filters of another node are known, and one is among them.
func (p *Peers) Knows(node, filter string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[node]
	return n != nil && n.synced && n.filters[filter] != 0
}

// Silent reports whether another node has not been heard of for a while.
func (p *Peers) Silent(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[node]
	return n != nil && p.silent(n)
}

// Filters returns how many filters of other nodes are known.
func (p *Peers) Filters() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := 0
	for _, n := range p.nodes {
		sum += len(n.filters)
	}
	return sum
}

// Owes reports whether another node has yet to be told of claims.
func (p *Peers) Owes(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[node]
	return n != nil && (n.missed != 0 || n.catchingUp)
}

// Owed returns how many subjects are to be told again.
func (p *Peers) Owed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.debts.state)
}

// Receive takes a message from the bus.
func (p *Peers) Receive(data []byte) {
	m := cluster.Message{Data: data, Respond: func([]byte) {}}
	for _, receive := range []func(cluster.Message) error{p.receiveControl, p.receiveData, p.receiveClaims} {
		_ = receive(m)
	}
}

// Heir reports whether a node adopts the session of a client.
var Heir = heir
