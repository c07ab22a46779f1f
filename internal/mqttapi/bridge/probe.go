package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"muster/internal/mqtt/codec"
	"muster/internal/mqttapi"
)

// Times of the test for shared subscriptions.
const (
	probeWait  = 4 * time.Second         // for a probe to come back by either subscription
	probeGrace = 1500 * time.Millisecond // for the shared one after the other
	probeEvery = 200 * time.Millisecond  // another one is sent: a cluster learns of subscriptions bit by bit
)

// probeTopic returns a topic of the jobs namespace that no request matches, of a
// thing that cannot be: its name has characters that no thing's name has.
func probeTopic(thing string) string { return "$aws/things/" + thing + "/jobs/probe" }

// verdict is what a test has found.
type verdict uint8

const (
	unsure   verdict = iota // not even an ordinary subscription gets the probe
	isShared                // a shared subscription gets it
	isNotShared
)

// test finds out what the broker does with messages of reserved topics. Some
// brokers accept shared subscriptions to them and deliver nothing, and some
// deliver them to nobody at all, which is said in the log. It keeps trying while
// the broker cannot be reached.
func (b *Bridge) test(ctx context.Context) verdict {
	var last failure
	for n := 1; ; n++ {
		v, err := b.probe(ctx)
		if errors.Is(err, codec.NotAuthorized) {
			v, err = unsure, nil // it will say so again
		}
		switch {
		case ctx.Err() != nil:
			return v
		case err == nil && v == unsure:
			b.log.Warn("mqtt broker delivers no messages of reserved topics: does it allow them, and may this user publish and subscribe to $aws/things/#?")
			return v
		case err == nil:
			return v
		case last.worth(err):
			b.log.Warn("mqtt broker cannot be tested", "err", err)
		}
		pause(ctx, b.in.backoff(n))
	}
}

// probe publishes to two clients of its own, of which one has a shared
// subscription. The other tells a broker that is slow from one that will not.
func (b *Bridge) probe(ctx context.Context) (verdict, error) {
	id := rand.Text()[:16]
	share, sharedGot, err := b.subscriber(ctx, id, "$share/"+group+"-probe-"+id+"/"+probeTopic("+"))
	if refusedShare(err) {
		return isNotShared, nil
	}
	if err != nil {
		return unsure, err
	}
	defer share.close()
	plain, plainGot, err := b.subscriber(ctx, id, probeTopic("+"))
	if err != nil {
		return unsure, err
	}
	defer plain.close()
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	found := unsure
	for {
		err := plain.publish(ctx, mqttapi.Message{Topic: probeTopic("muster.probe." + id), QoS: 1})
		if err != nil && ctx.Err() == nil {
			return unsure, err
		}
		select {
		case <-sharedGot:
			return isShared, nil
		case <-plainGot:
			plainGot = nil
			found = isNotShared // unless the other comes soon
			var stop func()
			ctx, stop = context.WithTimeout(ctx, probeGrace)
			defer stop()
		case <-tick.C:
		case <-ctx.Done():
			return found, nil
		}
	}
}

// refusedShare reports whether a broker says that it has no shared subscriptions.
func refusedShare(err error) bool {
	r, ok := errors.AsType[codec.Reason](err)
	return ok && (r == codec.SharedNotSupported || r == codec.TopicFilterInvalid)
}

// subscriber connects a client that closes a channel when it gets the probe. The
// chain of the error has the reason for which the broker refuses the subscription.
func (b *Bridge) subscriber(ctx context.Context, id, filter string) (*conn, <-chan struct{}, error) {
	got := make(chan struct{})
	want := probeTopic("muster.probe." + id)
	seen := false
	c, err := b.dial(ctx, "probe-"+rand.Text()[:10], func(d *dialing) {
		d.receive = func(c *conn, p *codec.Publish) {
			if p.QoS == codec.QoS1 {
				_ = c.acknowledge([]uint16{p.PacketID}) // an error ends the connection
			}
			if string(p.Topic) == want && !seen {
				seen = true
				close(got)
			}
		}
	})
	if err != nil {
		// Without its reason: that the client may not connect says nothing about topics.
		return nil, nil, errors.New(err.Error())
	}
	c.start()
	if err := c.subscribe(ctx, []string{filter}); err != nil {
		c.close()
		return nil, nil, err
	}
	return c, got, nil
}
