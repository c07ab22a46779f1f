package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// notifications measures row v: a job is rolled out to a group of which all
// devices are connected, until each has been told by both messages.
func (s *session) notifications(ctx context.Context) error {
	dir, err := s.seeded(ctx, fmt.Sprintf("group of %d that listen", s.listening), fleet{things: s.listening, grouped: true})
	if err != nil {
		return err
	}
	if err := initFolder(ctx, s.program, dir); err != nil {
		return err
	}
	var bare, muster, kept []sample
	var sizes [2]int
	for n := range s.rounds {
		x, told, err := s.rollOutToListeners(ctx, dir, fmt.Sprint("round-", n), false)
		if err != nil {
			return err
		}
		muster = append(muster, x)
		sizes = [2]int{len(told[0]), len(told[1])}
		x, err = s.fanOutBare(ctx, told)
		if err != nil {
			return err
		}
		bare = append(bare, x)
		x, _, err = s.rollOutToListeners(ctx, dir, fmt.Sprint("kept-", n), true)
		if err != nil {
			return err
		}
		kept = append(kept, x)
		s.log.Printf("row v, round %d: endpoint %s, Muster %s, with persistent sessions %s", n+1,
			perSecond(bare[n].rate()), perSecond(muster[n].rate()), perSecond(kept[n].rate()))
	}
	toBare := func(of []sample) []float64 {
		ratios := make([]float64, len(of))
		for i := range of {
			ratios[i] = of[i].rate() / bare[i].rate()
		}
		return ratios
	}
	limit, ratios := spread(apply(bare, sample.rate), perSecond), toBare(muster)
	s.add(entry{
		row: "v", what: fmt.Sprintf("job for %d connected things, notifications", s.listening), raw: limit,
		muster: spread(apply(muster, sample.rate), perSecond), ratio: spread(ratios, ratio), goal: "≥ 0.40", verdict: judge(middle(ratios) >= .4),
	})
	s.add(entry{
		row: "v", what: "the same with persistent sessions, durable", raw: limit,
		muster: spread(apply(kept, sample.rate), perSecond), ratio: spread(toBare(kept), ratio),
	})
	s.note("v: from CreateJob until all have notify (%d B) and notify-next (%d B), QoS 1; CPU of a message: bare endpoint %s, Muster %s, with persistent sessions %s, rollout included.",
		sizes[0], sizes[1], spread(apply(bare, sample.cpuEach), duration), spread(apply(muster, sample.cpuEach), duration), spread(apply(kept, sample.cpuEach), duration))
	return nil
}

// rollOutToListeners rolls a job out to the group, on the real server, and
// returns what the devices were told as well. A first job, which is canceled
// again, warms the server up. With keep their sessions are persistent.
func (s *session) rollOutToListeners(ctx context.Context, dir, round string, keep bool) (x sample, told [2][]byte, err error) {
	p, _, err := startMuster(ctx, s.program, dir)
	if err != nil {
		return x, told, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	l, err := s.listen(ctx, p, keep)
	if err != nil {
		return x, told, err
	}
	defer l.close()
	c, err := dial(ctx, p.target)
	if err != nil {
		return x, told, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	put := func(path string, body any) func() error {
		return func() error {
			b, err := json.Marshal(body)
			return errors.Join(err, c.send(http.MethodPut, path, controlScope, b))
		}
	}
	job := map[string]any{
		"targets": []string{"arn:aws:iot:" + region + ":" + account + ":thinggroup/" + group}, "document": document,
	}
	for _, step := range []func() error{
		put("/jobs/warm-"+round, job), put("/jobs/warm-"+round+"/cancel", struct{}{}), put("/jobs/"+round, job),
	} {
		x, err = l.measure(ctx, p, step)
		if err != nil {
			return x, told, err
		}
	}
	told = l.told()
	_, err = l.measure(ctx, p, put("/jobs/"+round+"/cancel", struct{}{}))
	return x, told, err
}

// fanOutBare sends the same messages from the bare endpoint.
func (s *session) fanOutBare(ctx context.Context, told [2][]byte) (x sample, err error) {
	p, err := startChild(ctx, childOptions{Serve: serveEndpoint})
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	l, err := s.listen(ctx, p, false)
	if err != nil {
		return x, err
	}
	defer l.close()
	c, _, err := broker{address: p.mqtt}.connect(ctx, "bench", false)
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	request, err := json.Marshal(fanOutRequest{Things: s.listening, Notify: told[0], NotifyNext: told[1]})
	if err != nil {
		return x, err
	}
	packet, err := messageOf(fanOutTopic, request)
	for range 2 { // the first warms up
		if err == nil {
			x, err = l.measure(ctx, p, func() error {
				_, err := c.call(packet, 4)
				return err
			})
		}
	}
	return x, err
}

// listeners are connected devices that count what they are told.
type listeners struct {
	conns  []*mqttConn
	count  atomic.Int64  // messages in this phase
	all    chan struct{} // holds a token when count has come to two for each
	failed chan error
	wg     sync.WaitGroup

	mu   sync.Mutex
	last [2][]byte // the payloads that one was told last; guarded by mu
}

// listen connects the devices of the group.
func (s *session) listen(ctx context.Context, p *process, keep bool) (*listeners, error) {
	l := &listeners{conns: make([]*mqttConn, s.listening), all: make(chan struct{}, 1), failed: make(chan error, 1)}
	g, connecting := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i := range l.conns {
		g.Go(func() error {
			c, _, err := broker{address: p.mqtt}.connect(connecting, thingName(i), keep)
			if err != nil {
				return err
			}
			l.conns[i] = c
			err = c.subscribe(jobsOf(thingName(i))+notify, jobsOf(thingName(i))+notifyNext)
			return errors.Join(err, c.SetDeadline(time.Time{}))
		})
	}
	if err := g.Wait(); err != nil {
		l.close()
		return nil, err
	}
	for i, c := range l.conns {
		l.wg.Go(func() { l.hear(c, i == 0) })
	}
	return l, nil
}

// close ends the connections.
func (l *listeners) close() {
	for _, c := range l.conns {
		if c != nil {
			_ = c.Close() // hear fails, and is not heard any more
		}
	}
	l.wg.Wait()
}

// hear counts what one device is told.
func (l *listeners) hear(c *mqttConn, keep bool) {
	for {
		topic, payload, err := c.message()
		if err != nil {
			select {
			case l.failed <- err:
			default:
			}
			return
		}
		if keep {
			l.keep(topic, payload)
		}
		if l.count.Add(1) == 2*int64(len(l.conns)) {
			l.all <- struct{}{}
		}
	}
}

func (l *listeners) keep(topic, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := 0
	if bytes.HasSuffix(topic, []byte(notifyNext)) {
		kind = 1
	}
	l.last[kind] = bytes.Clone(payload)
}

// told returns the payloads that a device was told last.
func (l *listeners) told() [2][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// measure does what makes the server tell everybody, and waits until it has.
func (l *listeners) measure(ctx context.Context, p *process, begin func() error) (sample, error) {
	l.count.Store(0)
	used, start := p.cpu(), time.Now()
	if err := begin(); err != nil {
		return sample{}, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	var err error
	select {
	case <-l.all:
	case err = <-l.failed:
	case <-ctx.Done():
		err = ctx.Err()
	case <-late.C:
		err = fmt.Errorf("after %s only %d messages have come", patience, l.count.Load())
	}
	return sample{took: time.Since(start), ops: 2 * len(l.conns), cpu: p.cpu() - used}, err
}
