package bridge

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// link keeps a connection to the broker.
type link struct {
	name    string
	backoff func(int) time.Duration
	log     *slog.Logger
	up      prometheus.Gauge
	tries   *prometheus.CounterVec // by link and result

	mu      sync.Mutex
	conn    *conn         // guarded by mu: nil if there is none
	changed chan struct{} // guarded by mu: closed when there is one
}

// Times of a link.
const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 10 * time.Second
	// lasting is how long a connection must have been there for the next one to
	// be tried without a growing delay.
	lasting = 10 * time.Second
	// again is how often the same failure is logged.
	again = time.Minute
)

func (b *Bridge) newLink(name string) *link {
	l := &link{
		name: name, backoff: b.cfg.Backoff, log: b.log.With("link", name),
		up: b.metrics.connected.WithLabelValues(name), tries: b.metrics.connects, changed: make(chan struct{}),
	}
	if l.backoff == nil {
		l.backoff = growing
	}
	return l
}

// growing is the usual backoff. It is random so that the nodes do not all come
// back to a broker at once.
func growing(n int) time.Duration {
	most := min(backoffMax, backoffMin<<min(n, 20))
	return most/2 + rand.N(most/2)
}

// run keeps a connection, which dial makes, until ctx ends. Then leave is called
// with it, and closes it.
func (l *link) run(ctx context.Context, dial func(context.Context) (*conn, error), leave func(*conn)) {
	var last failure
	for n := 1; ctx.Err() == nil; n++ {
		c, err := dial(ctx)
		switch {
		case err == nil:
			l.tries.WithLabelValues(l.name, "ok").Inc()
			l.log.Info("mqtt broker connected", "session", session(c))
			last = failure{}
			if l.keep(ctx, c, leave) {
				n = 1
			}
		case ctx.Err() == nil:
			l.tries.WithLabelValues(l.name, "error").Inc()
			if last.worth(err) {
				l.log.Warn("mqtt broker cannot be used", "err", err)
			}
		}
		pause(ctx, l.backoff(n))
	}
}

// keep holds a connection until it ends, or until ctx does. It reports whether
// that was long.
func (l *link) keep(ctx context.Context, c *conn, leave func(*conn)) bool {
	begin := time.Now()
	l.mu.Lock()
	l.conn = c
	close(l.changed)
	l.mu.Unlock()
	l.up.Set(1)
	select {
	case <-ctx.Done():
		leave(c)
		l.log.Info("mqtt broker left")
	case <-c.life.Done():
		l.log.Warn("mqtt broker lost", "err", context.Cause(c.life))
	}
	l.up.Set(0)
	l.mu.Lock()
	l.conn, l.changed = nil, make(chan struct{})
	l.mu.Unlock()
	<-c.finished // nothing of it comes after what its successor receives
	return time.Since(begin) > lasting
}

// session says for a log line whether the broker knows a session.
func session(c *conn) string {
	if c.told.SessionPresent {
		return "resumed"
	}
	return "new"
}

// get returns the connection, or nil if there is none.
func (l *link) get() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.life.Err() != nil {
		return nil
	}
	return l.conn
}

// await returns the connection, and waits for it if there is none.
func (l *link) await(ctx context.Context) (*conn, error) {
	for {
		l.mu.Lock()
		c, changed := l.conn, l.changed
		l.mu.Unlock()
		if c != nil {
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// failure is the last one that was logged.
type failure struct {
	text string
	at   time.Time
}

// worth reports whether an error says something new.
func (f *failure) worth(err error) bool {
	if f.text == err.Error() && time.Since(f.at) < again {
		return false
	}
	*f = failure{err.Error(), time.Now()}
	return true
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
