// Package peers joins the engines of a cluster over its bus. It implements
// engine.Peers.
package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"muster/internal/cluster"
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
)

// Config is what peers need. Bus, Node and Route must be set.
type Config struct {
	Bus cluster.Bus
	// Node is the id of this node.
	Node string
	// Route says who has to be told of a thing's changes; see engine.Peers.
	Route func(thing, namespace string) (holders []string, others bool)
	// Log is told of nodes that do not answer; nil discards.
	Log *slog.Logger
}

const (
	wakeSubject = "wake"
	// gather is how long a wake-up waits for others to come along.
	gather = time.Millisecond
	// tellWait bounds how long a node may take to tell its devices, and tellRest
	// is how long it is left alone after it has not.
	tellWait = time.Second
	tellRest = 2 * time.Second
	// tellers is how many rows of others are dealt with at a time.
	tellers = 256
)

// Peers are the engines of the other nodes. It is safe for concurrent use.
type Peers struct {
	cfg     Config
	log     *slog.Logger
	woken   chan struct{} // holds a token if there is something in wakes
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup
	tellers chan struct{}

	mu    sync.Mutex
	wakes map[int]engine.Wake  // by part; guarded by mu
	rests map[string]time.Time // by node: not before; guarded by mu
}

var _ engine.Peers = (*Peers)(nil)

// New returns peers that send. Serve lets them receive, Close ends them.
func New(c Config) *Peers {
	p := &Peers{
		cfg: c, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		woken: make(chan struct{}, 1), tellers: make(chan struct{}, tellers),
		wakes: make(map[int]engine.Wake), rests: make(map[string]time.Time),
	}
	p.closing, p.close = context.WithCancel(context.Background())
	p.running.Go(p.run)
	return p
}

// Serve passes what others send to e. It returns the error of a bus that is closed.
func (p *Peers) Serve(e *engine.Engine) error {
	cancelWake, err := p.cfg.Bus.Subscribe(wakeSubject, func(m cluster.Message) { p.wake(e, m) })
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	cancelTell, err := p.cfg.Bus.Subscribe(tellSubject(p.cfg.Node), func(m cluster.Message) { p.tellHere(e, m) })
	if err != nil {
		cancelWake()
		return fmt.Errorf("peers: %w", err)
	}
	context.AfterFunc(p.closing, func() {
		cancelWake()
		cancelTell()
	})
	return nil
}

// Close ends the peers and waits for what they are doing.
func (p *Peers) Close() {
	p.close()
	p.running.Wait()
}

func tellSubject(node string) string { return "node." + node + ".tell" }

// Wake implements engine.Peers. What comes within a millisecond goes together.
func (p *Peers) Wake(w engine.Wake) {
	p.mu.Lock()
	before, ok := p.wakes[w.Part]
	if ok {
		w.Tasks |= before.Tasks
		if before.Due != 0 && (w.Due == 0 || before.Due < w.Due) {
			w.Due = before.Due
		}
	}
	p.wakes[w.Part] = w
	p.mu.Unlock()
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// run sends wake-ups until the peers are closed.
func (p *Peers) run() {
	pause := time.NewTimer(gather)
	defer pause.Stop()
	for {
		select {
		case <-p.woken:
		case <-p.closing.Done():
			return
		}
		pause.Reset(gather)
		select {
		case <-pause.C:
		case <-p.closing.Done():
			return
		}
		p.sendWakes()
	}
}

func (p *Peers) sendWakes() {
	p.mu.Lock()
	ws := make([]engine.Wake, 0, len(p.wakes))
	for _, w := range p.wakes {
		ws = append(ws, w)
	}
	clear(p.wakes)
	p.mu.Unlock()
	if len(ws) == 0 {
		return
	}
	data, err := json.Marshal(ws)
	if err == nil {
		err = p.cfg.Bus.Publish(wakeSubject, data)
	}
	if err != nil { // they will see for themselves
		p.log.Debug("peers: wake-up not sent", "err", err)
	}
}

func (p *Peers) wake(e *engine.Engine, m cluster.Message) {
	var ws []engine.Wake
	if err := json.Unmarshal(m.Data, &ws); err != nil {
		p.log.Warn("peers: wake-up cannot be read", "err", err)
		return
	}
	for _, w := range ws {
		e.Woken(w)
	}
}

// Route implements engine.Peers.
func (p *Peers) Route(thing, namespace string) (holders []string, others bool) {
	return p.cfg.Route(thing, namespace)
}

// dirty is a row of the outbox as it goes over the bus.
type dirty struct {
	Part      int    `json:"part"`
	Thing     string `json:"thing"`
	ThingUID  int64  `json:"uid"`
	Namespace string `json:"namespace,omitempty"`
	Told      []byte `json:"told,omitempty"`
	Seq       int64  `json:"seq"`
	Since     int64  `json:"since"`
	Doubt     bool   `json:"doubt,omitempty"`
}

// taken is the answer.
type taken struct {
	Is    []byte `json:"is,omitempty"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

var errResting = errors.New("peers: the node has not answered lately")

// Tell implements engine.Peers. A node that does not answer is asked again after
// a while only.
func (p *Peers) Tell(ctx context.Context, node string, d engine.Owed) (is job.Told, ok bool, err error) {
	if p.resting(node) {
		return is, false, errResting
	}
	data, err := json.Marshal(dirty{d.Part, d.Thing, d.ThingUID, d.Namespace, d.Told.Encode(), d.Seq, d.Since, d.Doubt})
	if err != nil {
		return is, false, fmt.Errorf("peers: tell %s: %w", d.Thing, err)
	}
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	answer, err := p.cfg.Bus.Request(ctx, tellSubject(node), data)
	if err != nil {
		p.rest(node, err)
		return is, false, fmt.Errorf("peers: tell %s through node %s: %w", d.Thing, node, err)
	}
	var t taken
	if err = json.Unmarshal(answer, &t); err != nil {
		return is, false, fmt.Errorf("peers: answer of node %s: %w", node, err)
	}
	if t.Error != "" {
		return is, false, fmt.Errorf("peers: node %s: %s", node, t.Error)
	}
	is, readable := job.DecodeTold(t.Is)
	if !readable {
		return is, false, fmt.Errorf("peers: what node %s has told cannot be read", node)
	}
	return is, t.OK, nil
}

func (p *Peers) resting(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.rests[node]) //nolint:forbidigo // a pause is no business of the engine clock
}

func (p *Peers) rest(node string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()                         //nolint:forbidigo // a pause is no business of the engine clock
	if now.Sub(p.rests[node]) > 10*tellRest { // once for a row of failures
		p.log.Warn("peers: a node does not tell its devices", "node", node, "err", err)
	}
	p.rests[node] = now.Add(tellRest)
}

// tellHere lets the engine deal with a row of another node.
func (p *Peers) tellHere(e *engine.Engine, m cluster.Message) {
	select {
	case p.tellers <- struct{}{}:
	default:
		p.respond(m, taken{Error: "busy"})
		return
	}
	p.running.Go(func() {
		defer func() { <-p.tellers }()
		ctx, cancel := context.WithTimeout(p.closing, tellWait)
		defer cancel()
		p.respond(m, p.serve(ctx, e, m.Data))
	})
}

func (p *Peers) serve(ctx context.Context, e *engine.Engine, data []byte) taken {
	var d dirty
	if err := json.Unmarshal(data, &d); err != nil {
		return taken{Error: err.Error()}
	}
	told, ok := job.DecodeTold(d.Told)
	if !ok {
		return taken{Error: "what was told cannot be read"}
	}
	is, ok, err := e.TellHere(ctx, engine.Owed{Doubt: d.Doubt, Dirty: store.Dirty{
		Part: d.Part, Thing: d.Thing, ThingUID: d.ThingUID, Namespace: d.Namespace, Told: told, Seq: d.Seq, Since: d.Since,
	}})
	if err != nil {
		return taken{Error: err.Error()}
	}
	return taken{Is: is.Encode(), OK: ok}
}

func (p *Peers) respond(m cluster.Message, t taken) {
	data, err := json.Marshal(t)
	if err != nil {
		p.log.Error("peers: answer cannot be written", "err", err)
		return
	}
	m.Respond(data)
}
