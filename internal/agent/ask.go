package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"muster/internal/topic"
)

// ask makes the agent ask for the next execution soon.
func (a *Agent) ask() {
	select {
	case a.asks <- struct{}{}:
	default: // it is going to
	}
}

// askWhenNeeded asks for the next execution on every new connection, whenever
// ask has been called, and once in a while, until ctx ends. With Once it fails
// if it is not told.
func (a *Agent) askWhenNeeded(ctx context.Context) error {
	for {
		lost, ok := a.link.await(ctx)
		if !ok {
			return nil
		}
		select {
		case <-a.asks: // by what comes now
		default:
		}
		refused, err := a.askOnce(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		a.front.settle(lost)
		wait := a.cfg.Poll
		if refused != nil {
			if a.cfg.Once {
				return refused
			}
			a.log.Error("no work is given", "err", refused)
			wait = min(wait, maxWait) // what is unknown today may be registered tomorrow
		}
		timer := time.NewTimer(wait - rand.N(wait/10+1)) // the random part spreads a fleet
		select {
		case <-a.asks:
		case <-lost:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// askOnce asks and makes the answer the latest news. It says why if the server
// refuses to tell, and fails when ctx ends.
func (a *Agent) askOnce(ctx context.Context) (refused, err error) {
	t := topic.Topic{Kind: topic.Describe, Thing: a.cfg.Thing, Job: topic.Next}
	for {
		before := a.front.count()
		r, err := a.link.request(ctx, t, nil, nil)
		if err != nil {
			return nil, err
		}
		if r.code != "" {
			return fmt.Errorf("agent: the server answers %s: %s", r.code, r.message), nil
		}
		if a.front.answer(before, nextOf(r.Execution)) {
			return nil, nil
		}
	}
}
