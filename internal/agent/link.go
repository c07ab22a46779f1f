package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"muster/internal/topic"
	"muster/internal/wire"
)

// How long it waits before it connects again: doubled each time unless the last
// connection has lasted for a while.
const (
	firstConnectWait = time.Second
	maxConnectWait   = 128 * time.Second
	stable           = 20 * time.Second
)

// link keeps a connection to the server and brings requests and replies together.
type link struct {
	transport Transport
	thing     string
	log       *slog.Logger
	notified  func(*next) // is told of notify-next
	once      bool        // the first connection must succeed
	token     string      // what all tokens of this process begin with

	mu sync.Mutex
	// all guarded by mu
	conn    Conn          // nil: none
	up      chan struct{} // closed while there is a connection
	lost    chan struct{} // closed when conn is lost
	waiting map[string]chan reply
	tokens  uint64
}

func newLink(t Transport, thing string, log *slog.Logger, notified func(*next)) *link {
	return &link{
		transport: t, thing: thing, log: log, notified: notified, token: rand.Text()[:12],
		up: make(chan struct{}), waiting: make(map[string]chan reply),
	}
}

// filters returns what the agent subscribes to. A filter per reply rather than
// a wildcard for both: it is what the policies of AWS's clients allow.
func (l *link) filters() []string {
	t := topic.Topic{Thing: l.thing}
	var out []string
	t.Kind = topic.NotifyNext
	out = append(out, t.String())
	for _, r := range []topic.Reply{topic.Accepted, topic.Rejected} {
		out = append(out,
			topic.Topic{Kind: topic.Describe, Reply: r, Thing: l.thing, Job: topic.Next}.String(),
			topic.Topic{Kind: topic.Update, Reply: r, Thing: l.thing, Job: "+"}.String())
	}
	return out
}

// run keeps a connection until ctx ends. It fails only if the first connection
// must succeed and does not.
func (l *link) run(ctx context.Context) error {
	wait := firstConnectWait
	for first := true; ctx.Err() == nil; first = false {
		conn, err := l.transport.Connect(ctx, l.filters())
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if l.once && first {
				return err
			}
			l.log.Warn("no connection", "err", err)
		} else {
			since := time.Now()
			l.log.Info("connected")
			l.setConn(conn)
			err := l.receive(ctx, conn)
			l.setConn(nil)
			_ = conn.Close() // there is nobody to tell
			if ctx.Err() != nil {
				return nil
			}
			l.log.Warn("connection lost", "err", err)
			if time.Since(since) >= stable {
				wait = firstConnectWait
			}
		}
		pause(ctx, wait/2+mathrand.N(wait/2+1)) // the random half spreads a fleet
		wait = min(2*wait, maxConnectWait)
	}
	return nil
}

func (l *link) setConn(c Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c
	if c != nil {
		l.lost = make(chan struct{})
		close(l.up)
		return
	}
	close(l.lost)
	l.up = make(chan struct{})
}

// await waits for a connection and returns a channel that is closed when it is
// lost, or false if ctx ends before.
func (l *link) await(ctx context.Context) (<-chan struct{}, bool) {
	for {
		l.mu.Lock()
		conn, up, lost := l.conn, l.up, l.lost
		l.mu.Unlock()
		if conn != nil {
			return lost, ctx.Err() == nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// receive hands messages on until the connection ends, and says why it did.
func (l *link) receive(ctx context.Context, c Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if err := l.dispatch(m); err != nil {
			l.log.Warn("message not understood", "topic", m.Topic, "err", err)
		}
	}
}

// dispatch hands one message to whom it is for.
func (l *link) dispatch(m Message) error {
	t, ok := topic.Parse(m.Topic)
	if !ok || t.Thing != l.thing {
		return errors.New("not a topic of this thing's jobs")
	}
	var body struct {
		ClientToken string `json:"clientToken"`
		wire.RequestRejected
		wire.DeviceDescribeJobExecutionResponse
	}
	if err := json.Unmarshal(m.Payload, &body); err != nil {
		return err
	}
	if x := body.Execution; x != nil && x.JobID == "" {
		return errors.New("an execution without a job")
	}
	switch {
	case t.Kind == topic.NotifyNext:
		l.notified(nextOf(body.Execution))
	case t.Reply == topic.Accepted:
		l.answer(body.ClientToken, reply{body.DeviceDescribeJobExecutionResponse, "", ""})
	case t.Reply == topic.Rejected:
		if body.Code == "" {
			return errors.New("a refusal without a code")
		}
		l.answer(body.ClientToken, reply{code: body.Code, message: body.Message})
	}
	return nil
}
