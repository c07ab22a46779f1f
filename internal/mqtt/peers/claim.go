package peers

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"muster/internal/cluster"
	"muster/internal/mqtt"
)

const (
	// claimWait is how long a claim waits for the others.
	claimWait = 2 * time.Second
	// catchUpWait is how long a node may take to answer many claims.
	catchUpWait = 10 * time.Second
	// maxClaims is how many claims go in one message.
	maxClaims = 200
	// releasing is how many claims of one message are dealt with at a time.
	releasing = 16
)

// Claim implements mqtt.Peers.
func (p *Peers) Claim(ctx context.Context, c mqtt.Claim) mqtt.Claimed {
	p.mu.Lock()
	var ask []*node
	for _, n := range p.nodes {
		switch {
		case n.id == Nobody, n.left:
		case !p.silent(n):
			ask = append(ask, n)
		default:
			n.miss(c.Stamp.At)
		}
	}
	p.mu.Unlock()
	if len(ask) == 0 {
		return mqtt.Claimed{}
	}
	ctx, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	body := appendClaims(nil, []mqtt.Claim{c})
	answers := make(chan mqtt.Claimed, len(ask))
	for _, n := range ask[1:] {
		go func() { answers <- p.claimFrom(ctx, n, c, body) }()
	}
	all := p.claimFrom(ctx, ask[0], c, body)
	for range ask[1:] {
		all = all.Merge(<-answers)
	}
	return all
}

// miss notes that the node may not have heard of a claim. The lock must be held.
func (n *node) miss(stamp int64) {
	if n.missed == 0 || stamp < n.missed {
		n.missed = stamp
	}
}

// claimFrom makes one node let go of a client.
func (p *Peers) claimFrom(ctx context.Context, n *node, c mqtt.Claim, body []byte) mqtt.Claimed {
	answers, err := p.request(ctx, n, body, 1)
	if err == nil {
		return answers[0]
	}
	p.log.Debug("mqtt: claim not answered", "client", c.ClientID, "node", n.id, "err", err)
	p.metrics.unanswered.Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	n.miss(c.Stamp.At)
	return mqtt.Claimed{}
}

// request sends claims to a node and returns its answers.
func (p *Peers) request(ctx context.Context, n *node, body []byte, claims int) ([]mqtt.Claimed, error) {
	b := appendHeader(nil, header{kind: kindClaim, from: p.cfg.Node})
	data, err := p.cfg.Bus.Request(ctx, claimSubject+n.id, append(b, body...))
	if err != nil {
		return nil, err
	}
	c := &cursor{b: data}
	answers := make([]mqtt.Claimed, claims)
	for i := range answers {
		answers[i] = c.claimed()
	}
	return answers, c.err()
}

// catchUp tells a node of the clients that have connected here while it could not
// be told, and lets go of those that have gone there later.
func (p *Peers) catchUp(n *node) {
	p.mu.Lock()
	since := n.missed
	n.missed = 0
	p.mu.Unlock()
	err := p.claimAgain(n, p.server.Connected(since))
	p.mu.Lock()
	defer p.mu.Unlock()
	n.catchingUp = false
	if err != nil {
		n.miss(since)
		p.log.Debug("mqtt: claims not answered", "node", n.id, "err", err)
	}
	p.changed()
}

func (p *Peers) claimAgain(n *node, cs []mqtt.Claim) error {
	for len(cs) > 0 {
		part := cs[:min(len(cs), maxClaims)]
		cs = cs[len(part):]
		ctx, cancel := context.WithTimeout(p.closing, catchUpWait)
		answers, err := p.request(ctx, n, appendClaims(nil, part), len(part))
		for i, a := range answers {
			if err == nil && a.Lost {
				c := part[i]
				c.Stamp = a.Stamp
				p.server.Release(ctx, c)
			}
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// receiveClaims lets go of clients that another node has claimed, and answers.
func (p *Peers) receiveClaims(m cluster.Message) error {
	c := &cursor{b: m.Data}
	h := c.header()
	cs := c.claims()
	if c.bad {
		return errMalformed
	}
	p.mu.Lock()
	p.heard(h)
	p.mu.Unlock()
	p.begin(func() {
		ctx, cancel := context.WithTimeout(p.closing, catchUpWait)
		defer cancel()
		m.Respond(p.release(ctx, cs))
	})
	return nil
}

// release lets go of clients and returns the answer to those who have claimed them.
func (p *Peers) release(ctx context.Context, cs []mqtt.Claim) []byte {
	answers := make([]mqtt.Claimed, len(cs))
	turn := make(chan struct{}, releasing)
	var wg sync.WaitGroup
	for i := range cs {
		turn <- struct{}{}
		wg.Go(func() {
			answers[i] = p.server.Release(ctx, cs[i])
			<-turn
		})
	}
	wg.Wait()
	var b []byte
	for _, a := range answers {
		b = appendClaimed(b, a)
	}
	return b
}

// Flags of claims, and of their answers.
const (
	claimClean   = 1
	claimLost    = 1
	claimSettled = 2
)

func appendClaims(b []byte, cs []mqtt.Claim) []byte {
	b = binary.AppendUvarint(b, uint64(len(cs)))
	for _, c := range cs {
		b = appendText(b, c.ClientID)
		b = appendStamp(b, c.Stamp)
		b = append(b, flag(c.Clean, claimClean), c.Version)
	}
	return b
}

func (c *cursor) claims() []mqtt.Claim {
	n := c.uint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	cs := make([]mqtt.Claim, 0, n)
	for range n {
		x := mqtt.Claim{ClientID: c.text(), Stamp: c.stamp()}
		x.Clean = c.byte()&claimClean != 0
		x.Version = c.byte()
		cs = append(cs, x)
	}
	return cs
}

func appendStamp(b []byte, s mqtt.Stamp) []byte {
	return appendText(binary.AppendUvarint(b, uint64(max(s.At, 0))), s.Node)
}

func (c *cursor) stamp() (s mqtt.Stamp) {
	s.At = c.int()
	s.Node = c.text()
	return s
}

func appendClaimed(b []byte, r mqtt.Claimed) []byte {
	b = append(b, flag(r.Lost, claimLost)|flag(r.Settled, claimSettled))
	b = appendStamp(b, r.Stamp)
	return binary.AppendUvarint(b, uint64(max(r.Presence, 0)))
}

func (c *cursor) claimed() (r mqtt.Claimed) {
	flags := c.byte()
	r.Lost, r.Settled = flags&claimLost != 0, flags&claimSettled != 0
	r.Stamp, r.Presence = c.stamp(), c.int()
	return r
}
