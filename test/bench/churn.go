package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/mqtt/codec"
)

const (
	churnDevices = 2000
	churnWorkers = 16
	churnPhases  = 10 // after each, nobody is connected, and the memory is looked at
)

// What the memory may have grown by from the end of the first phase to that of
// the last: of objects, and of what the system counts.
const (
	heapGrowth, heapSlack         = 1.05, 1 << 20
	residentGrowth, residentSlack = 1.10, 8 << 20
)

// churns lets devices connect, disconnect in several ways and resume their
// sessions, with messages that wait for them, and watches the memory of the
// server. Every message and session has to be there; if not, it fails.
func (s *session) churns(ctx context.Context) error {
	dir := filepath.Join(s.temp, "churn")
	if err := seed(ctx, dir, fleet{things: churnDevices}); err != nil {
		return err
	}
	p, err := startChild(ctx, childOptions{Serve: serveDevices, Dir: dir})
	if err != nil {
		return err
	}
	c := &churning{to: broker{address: p.mqtt}, devices: make([]churner, churnDevices)}
	var at []memory
	for n := range churnPhases {
		m, e := memory{}, c.phase(ctx, s.churn/churnPhases)
		if e == nil {
			pause(ctx, settle)
			m, e = p.memory()
		}
		if err = e; err != nil {
			break
		}
		at = append(at, m)
		s.log.Printf("churn, phase %d: %d visits, objects %s, resident %s, %d goroutines", n+1, c.visits.Load(),
			tenths(m.Heap), tenths(m.Resident), m.Goroutines)
	}
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	s.reportChurn(c, at)
	return nil
}

func (s *session) reportChurn(c *churning, at []memory) {
	first, last := at[0], at[len(at)-1]
	for _, l := range []struct {
		what        string
		then, now   int64
		growth      float64
		slack       int64
		description string
	}{
		{"objects", first.Heap, last.Heap, heapGrowth, heapSlack, "≤ 1.05 × + 1 MiB"},
		{"memory that the system counts", first.Resident, last.Resident, residentGrowth, residentSlack, "≤ 1.10 × + 8 MiB"},
	} {
		s.add(entry{
			row: "churn", what: fmt.Sprintf("%s after %s, %d sessions at rest", l.what, s.churn, churnDevices), raw: tenths(l.then), muster: tenths(l.now),
			ratio: ratio(float64(l.now) / float64(l.then)), goal: l.description,
			verdict: judge(float64(l.now) <= l.growth*float64(l.then)+float64(l.slack)),
		})
	}
	s.note("churn: %d visits, %s: %d ended with DISCONNECT, %d by a reset, %d were taken over, %d sessions were ended. %d messages had waited.",
		c.visits.Load(), perSecond(float64(c.visits.Load())/s.churn.Seconds()), c.ways[politely].Load(), c.ways[suddenly].Load(),
		c.ways[takenOver].Load(), c.ways[forgotten].Load(), c.waited.Load())
	var resident []string
	for _, m := range at {
		resident = append(resident, tenths(m.Resident))
	}
	s.note("churn: the raw limit is the end of the first tenth, with nobody connected. Memory after each tenth: %s. Goroutines: %d, %d in the end.",
		strings.Join(resident, ", "), first.Goroutines, last.Goroutines)
}

// tenths prints a size with a digit after the point.
func tenths(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// The ways in which a visit ends.
const (
	politely = iota
	suddenly
	takenOver
	forgotten // the session, too
	ways
)

// churning is a run of devices that come and go.
type churning struct {
	to      broker
	devices []churner
	visits  atomic.Int64
	waited  atomic.Int64
	ways    [ways]atomic.Int64
}

// churner is what one device knows between two visits.
type churner struct {
	known      bool // there is a session
	sent, seen int  // messages for it
}

// phase lets devices come and go for a while, each once at least. Each belongs
// to one worker.
func (c *churning) phase(ctx context.Context, d time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	g, connecting := errgroup.WithContext(ctx)
	for w := range churnWorkers {
		g.Go(func() error {
			publisher, _, err := c.to.connect(connecting, fmt.Sprint("publisher-", w), false)
			if err != nil {
				return err
			}
			n := len(c.devices) // a multiple of churnWorkers
			for i := w; connecting.Err() == nil && (limited.Err() == nil || i < n); i += churnWorkers {
				if err := c.visit(connecting, i%n, publisher); err != nil {
					return errors.Join(fmt.Errorf("%s: %w", thingName(i%n), err), publisher.Close())
				}
			}
			return publisher.Close()
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// visit connects a device, lets it take what has waited and ask what it has to
// do, disconnects it in some way, and sends it messages while it is away.
func (c *churning) visit(ctx context.Context, i int, publisher *mqttConn) error {
	conn, err := c.enter(ctx, i)
	if err != nil {
		return err
	}
	ask, err := messageOf(jobsOf(thingName(i))+"get", []byte("{}"))
	if err == nil {
		err = conn.request(ask) // and so the acknowledgments before have arrived
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	if err := c.leave(ctx, i, conn); err != nil {
		return err
	}
	c.visits.Add(1)
	d := &c.devices[i]
	for range rand.IntN(4) {
		packet, err := messageOf(churnTopic(i), fmt.Append(nil, d.sent))
		if err != nil {
			return err
		}
		if _, err := publisher.call(packet, codec.TypePuback); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		d.sent++
	}
	return nil
}

func churnTopic(i int) string { return "churn/" + thingName(i) }

// enter connects a device. Its session has to be as it was, with the messages
// that were sent in the meantime.
func (c *churning) enter(ctx context.Context, i int) (*mqttConn, error) {
	d := &c.devices[i]
	conn, resumed, err := c.to.connect(ctx, thingName(i), true)
	if err != nil {
		return nil, err
	}
	if resumed != d.known {
		return nil, errors.Join(fmt.Errorf("the session is there: %t, want %t", resumed, d.known), conn.Close())
	}
	if !resumed {
		jobs := jobsOf(thingName(i))
		err = conn.subscribe(churnTopic(i), jobs+notify, jobs+notifyNext, jobs+"$next/get/+", jobs+"+/update/+")
		d.known, d.seen = err == nil, d.sent
	}
	for ; err == nil && d.seen < d.sent; d.seen++ {
		var topic, payload []byte
		topic, payload, err = conn.message()
		if want := fmt.Sprint(d.seen); err == nil && string(payload) != want {
			err = fmt.Errorf("got %s %s, want message %s", topic, payload, want)
		}
		c.waited.Add(1)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// leave ends a visit.
func (c *churning) leave(ctx context.Context, i int, conn *mqttConn) error {
	way := []int{politely, politely, politely, suddenly, suddenly, takenOver, takenOver, forgotten}[rand.IntN(8)]
	c.ways[way].Add(1)
	switch way {
	case suddenly:
		if tcp, ok := conn.Conn.(*net.TCPConn); ok {
			return errors.Join(tcp.SetLinger(0), conn.Close())
		}
	case takenOver:
		other, err := c.enter(ctx, i)
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		return errors.Join(other.disconnect(), conn.Close())
	case forgotten:
		other, _, err := c.to.connect(ctx, thingName(i), false)
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		c.devices[i].known = false
		if err := errors.Join(other.disconnect(), conn.Close()); err != nil {
			return err
		}
		conn, err = c.enter(ctx, i)
		if err != nil {
			return err
		}
	}
	return conn.disconnect()
}

// disconnect says good-bye.
func (c *mqttConn) disconnect() error {
	_, err := c.Write([]byte{byte(codec.TypeDisconnect) << 4, 0})
	return errors.Join(err, c.Close())
}
