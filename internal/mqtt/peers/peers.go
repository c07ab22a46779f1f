// Package peers joins the MQTT endpoints of a cluster over its bus. It implements
// mqtt.Peers.
//
// Each node tells all others which filters its clients have subscribed to, and
// sends a message only to those nodes where it is wanted. What a node sends to
// another one is numbered: who finds a number missing asks for all filters again,
// and a beat every second shows it soon. The bus may lose what it likes; nothing is
// wrong for longer than it is cut. Where messages must not be missed, subscribers that
// others did not know of in time are told again how things stand: see Settle.
//
// A client has one connection in the cluster, and a session one owner. A node that
// has a new connection claims the client from all others before it says so to the
// client. Of claims at the same time the one with the greatest stamp wins, at every
// node that hears of two; nodes that could not be reached hear of them as soon as
// they can be. The session itself is guarded by its epoch in the store, whatever
// the bus does.
//
// The sessions of a node that has died are adopted by the others: each takes those
// that hash to it. Until that has happened the filters of the dead node stand, so
// that whoever must reach a session knows that there is somebody left to tell.
package peers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/internal/cluster"
	"muster/internal/mqtt"
)

// Config is what peers need. Bus, Node, Alive and Dead must be set.
type Config struct {
	Bus cluster.Bus
	// Node is the id of this node.
	Node string
	// Alive returns the other nodes that live, Dead those that have died and that
	// nobody has forgotten. Both must be fast.
	Alive, Dead func() []string
	// Forget is called when nothing is left of a dead node; nil does nothing.
	Forget func(ctx context.Context, node string) error
	// Announce says whether a filter, without $share, can match a message that
	// concerns other nodes; nil announces all of them.
	Announce func(filter string) bool
	// Implies returns topics of which whoever subscribes to a filter is a holder, as
	// if by their names; nil is none.
	Implies func(filter string) []string
	// Subject returns what a topic is about, if its subscribers must know how that
	// stands, or nothing. Retell tells those of this node how it stands now. It
	// returns an error if they cannot be told; it is then called again. If one is nil,
	// whoever has missed a message has missed it.
	Subject func(topic string) string
	Retell  func(ctx context.Context, subject string) error
	// Beat is how often the others hear from this node; 0 is a second. Who has not
	// been heard of for three beats is not waited for.
	Beat time.Duration
	// Log is told of nodes that come and go; nil discards.
	Log *slog.Logger
	// Metrics registers the numbers of the peers; nil keeps them to itself.
	Metrics prometheus.Registerer
}

// Nobody stands among the holders of a topic for sessions that no node owns yet.
// It is no node: who tries to reach it fails.
const Nobody = "nobody"

// Peers are the endpoints of the other nodes. It is safe for concurrent use.
type Peers struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	server  *mqtt.Server // set by Start
	routes  mqtt.Routes[*node]
	number  atomic.Uint64 // of the last message that was routed here
	found   sync.Pool     // of *mqtt.Found[*node]

	begun time.Time

	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup
	woken   chan struct{} // holds a token if there is something to announce
	survey  chan struct{} // holds a token if there may be sessions to adopt

	mu       sync.Mutex // guards what follows
	nodes    map[string]*node
	interest map[string]entry // in each filter, of the clients here
	dirty    []string         // filters to be announced
	fresh    bool             // nobody has connected here so far
	surveyed bool             // it is known what sessions dead nodes have left
	verify   bool             // sessions here may be others' by now
	stray    bool             // sessions may be this node's and not known here
	reload   bool             // retained messages may have been missed
	hasty    bool             // what has been released is not on its way to anybody
	closed   bool             // nothing may be begun any more
	news     chan struct{}    // closed when something has changed

	terms     uint64         // how many views there have been
	edition   uint64         // of what others have been told last
	recent    []announcement // of the editions after forgotten
	forgotten uint64
	settling  []*settling
	debts     debts

	online struct {
		sync.RWMutex
		nodes map[string]int // with members that are connected, by the filter of the group
	}

	// What care remembers from one round to the next.
	reloaded time.Time // when retained messages were last read
	// reclaimed is when sessions were last looked for that are this node's and not
	// known here, and lone are those that there were.
	reclaimed time.Time
	lone      map[string]bool
	orphaned  map[string]time.Time // owners of sessions that are not alive, since when
	released  map[string]bool      // clients whose sessions nobody owned
	adopted   map[string]time.Time // filters of sessions that somebody must own by now, since when
}

var _ mqtt.Peers = (*Peers)(nil)

// New returns peers that do nothing before Start. It fails if a metric's name is taken.
func New(c Config) (*Peers, error) {
	c.Beat = cmp.Or(c.Beat, time.Second)
	p := &Peers{
		cfg: c, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		woken: make(chan struct{}, 1), survey: make(chan struct{}, 1),
		nodes: make(map[string]*node), interest: make(map[string]entry), orphaned: make(map[string]time.Time),
		begun: time.Now(), fresh: true, hasty: true, reload: true, news: make(chan struct{}),
	}
	p.online.nodes = make(map[string]int)
	p.found.New = func() any { return new(mqtt.Found[*node]) }
	p.closing, p.close = context.WithCancel(context.Background())
	var err error
	p.metrics, err = newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("peers: metrics: %w", err)
	}
	return p, nil
}

const (
	// meetWait is how long a node that starts waits for the others at most, and
	// meetAgain how often it calls them.
	meetWait  = 2 * time.Second
	meetAgain = 50 * time.Millisecond
)

// Start joins the server s, of whose configuration p is a part, to the others. It
// must be called once, before clients connect: it returns when all nodes that can
// be reached know of this one, and what the dead have left is known or adopted, or
// after two seconds. It fails if the bus is closed or ctx ends.
func (p *Peers) Start(ctx context.Context, s *mqtt.Server) error {
	p.server = s
	for subject, receive := range map[string]func(cluster.Message) error{
		controlSubject: p.receiveControl, dataSubject: p.receiveData, claimSubject: p.receiveClaims,
	} {
		cancel, err := p.cfg.Bus.Subscribe(subject+p.cfg.Node, func(m cluster.Message) {
			if err := receive(m); err != nil {
				p.log.Warn("mqtt: message of another node cannot be read", "subject", m.Subject, "err", err)
			}
		})
		if err != nil {
			return fmt.Errorf("peers: %w", err)
		}
		context.AfterFunc(p.closing, cancel)
	}
	p.look()
	p.running.Go(p.run)
	p.running.Go(p.care)
	if p.cfg.Subject != nil && p.cfg.Retell != nil {
		p.running.Go(p.retell)
	}
	p.meet(ctx)
	p.mu.Lock()
	p.fresh = false
	p.mu.Unlock()
	return ctx.Err()
}

// meet waits until the nodes that live are known, and what others have left.
func (p *Peers) meet(ctx context.Context) {
	var unknown []*node
	for end := time.Now().Add(meetWait); time.Now().Before(end) && ctx.Err() == nil; {
		within, cancel := context.WithTimeout(ctx, meetAgain)
		met := p.await(within, func() bool {
			unknown = nil
			for _, n := range p.nodes {
				if n.alive && !n.synced {
					unknown = append(unknown, n)
				}
			}
			return len(unknown) == 0 && p.surveyed
		})
		cancel()
		if met {
			return
		}
		for _, n := range unknown { // the bus may not have found the way at first
			p.tellLoose(n, kindAsk, nil)
		}
	}
	p.log.Warn("mqtt: not all is known of other nodes yet")
}

// Close says goodbye to the others and ends. The server must have been closed, so
// that they can take over its sessions.
func (p *Peers) Close() {
	for _, n := range p.all() {
		p.tell(n, kindBye, nil)
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.close()
	p.running.Wait()
}

// begin runs fn beside everything else, unless the peers are closed.
func (p *Peers) begin(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(fn)
	}
}

// The subjects on which a node listens, before its id. What is on one does not wait
// for what is on another: claims go ahead of a flood of messages.
const (
	controlSubject = "mqtt.control."
	dataSubject    = "mqtt.data."
	claimSubject   = "mqtt.claim."
)

// run announces what has changed, and beats.
func (p *Peers) run() {
	beat := time.NewTicker(p.cfg.Beat)
	defer beat.Stop()
	last := time.Now()
	for {
		select {
		case <-p.closing.Done():
			return
		case <-p.woken:
			p.announce()
		case <-beat.C:
			if time.Since(last) > patience*p.cfg.Beat {
				p.Recheck() // this node has not run for a while: others may have taken it for dead
			}
			last = time.Now()
			p.look()
			p.announce()
			p.beat()
		}
	}
}

// wake sees to it that changes are announced.
func (p *Peers) wake() { nudge(p.woken) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// changed tells those who wait for something. The lock must be held.
func (p *Peers) changed() {
	close(p.news)
	p.news = make(chan struct{})
}

// await waits until cond, which is called with the lock held, returns true. It
// reports false if ctx ends before.
func (p *Peers) await(ctx context.Context, cond func() bool) bool {
	for {
		p.mu.Lock()
		ok, news := cond(), p.news
		p.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}
