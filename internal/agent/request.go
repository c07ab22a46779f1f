package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"muster/internal/topic"
	"muster/internal/wire"
)

// How long the agent waits, as AWS's client does.
const (
	replyWait = 10 * time.Second  // for an answer
	firstWait = 10 * time.Second  // before a request is sent again; doubled each time
	maxWait   = 640 * time.Second // at most
)

var (
	errNoReply = errors.New("agent: no reply in time")
	errOffline = errors.New("agent: no connection")
)

// reply is the server's answer to a request.
type reply struct {
	wire.DeviceDescribeJobExecutionResponse
	code, message string // of a refusal
}

// answer hands a reply to whoever waits for it, if anybody still does.
func (l *link) answer(token string, r reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w, ok := l.waiting[token]; ok {
		w <- r // there is room for one
		delete(l.waiting, token)
	}
}

// request sends a request until the server has answered for good: with an
// acceptance, or with a refusal that sending it again would not change. It
// fails when ctx ends. Before, unless nil, is asked each time whether the server
// would understand it; a code that it returns is as good as the server's. It
// fails when the connection is lost.
func (l *link) request(ctx context.Context, t topic.Topic, body any, before func(lost <-chan struct{}) (code string, err error)) (reply, error) {
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		lost, ok := l.await(ctx)
		if !ok {
			return reply{}, ctx.Err()
		}
		if before != nil {
			code, err := before(lost)
			if code != "" {
				return reply{code: code}, nil
			}
			if err != nil {
				wait = firstWait / 2 // on a new connection it starts over
				continue
			}
		}
		r, err := l.call(ctx, t, body)
		if err == nil && !passing(r.code) {
			return r, nil
		}
		if ctx.Err() != nil {
			return reply{}, ctx.Err()
		}
		l.log.Warn("request goes out again", "topic", t, "err", err, "code", r.code, "wait", wait)
		timer := time.NewTimer(wait + rand.N(wait/4))
		select {
		case <-timer.C:
		case <-lost:
			wait = firstWait / 2 // on a new connection it starts over
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// passing reports whether a refusal may be different the next time.
func passing(code string) bool { return code == "RequestThrottled" || code == "InternalError" }

// call sends a request once and waits for the answer.
func (l *link) call(ctx context.Context, t topic.Topic, body any) (reply, error) {
	token, conn, lost, answer := l.expect()
	if conn == nil {
		return reply{}, errOffline
	}
	defer l.forget(token)
	payload, err := encode(token, body)
	if err != nil {
		return reply{}, fmt.Errorf("agent: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, replyWait, errNoReply)
	defer cancel()
	if err := conn.Publish(ctx, t.String(), payload); err != nil {
		return reply{}, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-lost:
		return reply{}, errOffline
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	}
}

// expect returns a new token and where its answer is going to arrive, with the
// connection to send it on, or no connection.
func (l *link) expect() (token string, _ Conn, lost <-chan struct{}, _ <-chan reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return "", nil, nil, nil
	}
	l.tokens++
	token = fmt.Sprintf("%s-%d", l.token, l.tokens)
	answer := make(chan reply, 1)
	l.waiting[token] = answer
	return token, l.conn, l.lost, answer
}

func (l *link) forget(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, token)
}

// encode returns the payload of a request: the members of body, which may be
// nil, and the token.
func encode(token string, body any) ([]byte, error) {
	head, err := wire.Encode(struct {
		ClientToken string `json:"clientToken"`
	}{token})
	if err != nil || body == nil {
		return head, err
	}
	members, err := wire.Encode(body)
	if err != nil || len(members) <= len("{}") {
		return head, err
	}
	return append(append(head[:len(head)-1], ','), members[1:]...), nil
}
