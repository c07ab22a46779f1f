package bridge

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"muster/internal/mqttapi"
)

// pool serves requests: those of one thing one after another, in their order,
// those of many things at the same time. It starts goroutines as it needs them,
// up to its number of workers.
type pool struct {
	workers int
	serve   func(task)
	room    *semaphore.Weighted // in bytes

	mu      sync.Mutex
	lanes   map[string]*lane // guarded by mu: by thing, while it has tasks
	ready   []*lane          // guarded by mu: those with a task and no worker
	running int              // guarded by mu
	tasks   int              // guarded by mu: that have been put in and not served
	waiting []chan struct{}  // guarded by mu: closed when there are none
}

// lane is what a thing has asked for. Whoever has taken it off ready serves it.
type lane struct {
	thing string
	tasks []task
}

// task is a request to be served.
type task struct {
	request mqttapi.Request
	thing   string
	entry   *entry // nil for QoS 0
	cost    int64
}

const (
	// poolMemory is how many bytes of requests may wait. Those of QoS 1 are bounded by
	// the receive maximum as well.
	poolMemory = 32 << 20
	// taskCost is what a request takes beside topic and payload, about.
	taskCost = 512
)

func newPool(workers int, serve func(task)) *pool {
	return &pool{workers: workers, serve: serve, room: semaphore.NewWeighted(poolMemory), lanes: make(map[string]*lane)}
}

// put adds a task. It waits while there is no room, and reports false if ctx
// has ended before there was.
func (p *pool) put(ctx context.Context, t task) bool {
	t.cost = int64(taskCost + len(t.request.Topic) + len(t.request.Payload))
	if p.room.Acquire(ctx, t.cost) != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks++
	if l := p.lanes[t.thing]; l != nil {
		l.tasks = append(l.tasks, t)
		return true
	}
	l := &lane{thing: t.thing, tasks: []task{t}}
	p.lanes[t.thing] = l
	p.ready = append(p.ready, l)
	if p.running < p.workers {
		p.running++
		go p.work()
	}
	return true
}

// work serves lanes in turn, one task each, until none is ready.
func (p *pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 {
		l := p.ready[0]
		p.ready = p.ready[1:]
		t := l.tasks[0]
		l.tasks = l.tasks[1:]
		p.mu.Unlock()
		p.serve(t)
		p.room.Release(t.cost)
		p.mu.Lock()
		p.ended()
		if len(l.tasks) > 0 {
			p.ready = append(p.ready, l)
			continue
		}
		delete(p.lanes, l.thing)
	}
	p.running--
}

// ended counts a task that has been served. p.mu is held.
func (p *pool) ended() {
	p.tasks--
	if p.tasks > 0 {
		return
	}
	for _, w := range p.waiting {
		close(w)
	}
	p.waiting = nil
}

// pending returns how many tasks are being served or wait for it.
func (p *pool) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tasks
}

// idle waits until every task has been served.
func (p *pool) idle(ctx context.Context) error {
	p.mu.Lock()
	if p.tasks == 0 {
		p.mu.Unlock()
		return nil
	}
	w := make(chan struct{})
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
