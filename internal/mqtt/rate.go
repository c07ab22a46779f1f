package mqtt

import "time"

// bucket limits how many messages a second a connection publishes. The zero
// value is full.
type bucket struct {
	spent float64 // tokens that are missing
	last  time.Time
}

// take takes a token at now and returns how long to wait for it. A second's
// worth of tokens may be taken at once.
func (b *bucket) take(now time.Time, rate float64) time.Duration {
	if !b.last.IsZero() {
		b.spent = max(0, b.spent-rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	b.spent++
	if b.spent <= max(rate, 1) {
		return 0
	}
	return time.Duration((b.spent - max(rate, 1)) / rate * float64(time.Second))
}

// throttle reads no further for a while if the client publishes too fast.
func (k *conn) throttle() {
	rate := k.srv.limits.PublishRate
	if rate <= 0 {
		return
	}
	wait := k.rate.take(time.Now(), rate)
	if wait <= 0 {
		return
	}
	k.flush()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-k.stopped:
	}
}
