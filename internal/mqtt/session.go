package mqtt

import "slices"

// session is what the server remembers of a client: its subscriptions and the
// messages on their way to it. It is a state machine without I/O, clock or
// lock; the client that owns it brings those.
//
// All messages of a session stand in one order, that in which they were
// pushed, and are sent in it: first what is in flight, oldest first, then the
// queue. A QoS 1 message takes the next sequence number when it is pushed, and
// its packet id follows from the number. The id is thus the same however often
// the message is sent, also by a server that was restarted in between and that
// stored no more than the message and its number. The ids that the client gives
// to its own messages never come here: the directions are apart.
type session struct {
	subs []subscription

	flight []delivery // sent, not acknowledged: QoS 1 only
	queue  fifo       // not sent
	seq    uint64     // the last one taken

	window   int // the most in flight
	maxQueue int // messages in the queue and in flight
	maxBytes int // of the same
	bytes    int
}

// subscription is one filter of a session: its text, which can be taken apart
// again when it is needed, because sessions are many.
type subscription struct {
	text string
	options
}

// filter returns the filter of the subscription.
func (u *subscription) filter() filter {
	f, _ := parseFilter(u.text) // it was one when it was subscribed to
	return f
}

// delivery is a message on its way to one client.
type delivery struct {
	msg *Message
	seq uint64 // 0 for QoS 0
	qos byte   // that of the message or of the subscription, whichever is lower
	// retain is the flag that the client sees.
	retain bool
	// direct is a reply to a request of the connection, which ends with it.
	direct bool
	// dup is whether it may have been sent before, as the client is told, and sent
	// whether it has been: nothing tells of one that was stored.
	dup, sent bool
	// stored is whether Sessions has been given it.
	stored bool
}

// id returns the packet id of a QoS 1 delivery.
func (d *delivery) id() uint16 { return packetID(d.seq) }

// ids is how many packet ids there are: 0 is none.
const ids = 1<<16 - 1

func packetID(seq uint64) uint16 { return uint16(seq%ids) + 1 }

// subscribe adds or replaces a subscription. It reports whether the filter is
// new, and false for ok if there is no room for it.
func (s *session) subscribe(f filter, o options, limit int) (fresh, ok bool) {
	for i := range s.subs {
		if s.subs[i].text == f.text {
			s.subs[i].options = o
			return false, true
		}
	}
	if len(s.subs) >= limit {
		return false, false
	}
	s.subs = append(s.subs, subscription{text: f.text, options: o})
	return true, true
}

// unsubscribe removes the subscription to the filter with the given text.
func (s *session) unsubscribe(text string) (subscription, bool) {
	i := slices.IndexFunc(s.subs, func(u subscription) bool { return u.text == text })
	if i < 0 {
		return subscription{}, false
	}
	u := s.subs[i]
	s.subs = slices.Delete(s.subs, i, i+1)
	return u, true
}

// granted returns what all subscriptions of the client that match a topic come
// to, and whether there are any.
func (s *session) granted(topic string) (o options, any bool) {
	for i := range s.subs {
		u := &s.subs[i]
		if matches(levelsOf(u.text), topic) {
			o.qos, any = max(o.qos, u.qos), true
			o.retainAsPublished = o.retainAsPublished || u.retainAsPublished
		}
	}
	return o, any
}

// push puts a delivery at the end of the queue. It reports false if there is no
// room, in which case nothing has changed.
func (s *session) push(d *delivery) bool {
	if s.len() >= s.maxQueue || s.bytes+d.msg.size() > s.maxBytes && s.len() > 0 {
		return false
	}
	s.admit(d)
	return true
}

// admit puts a delivery at the end of the queue, whether or not there is room.
func (s *session) admit(d *delivery) {
	if d.qos > 0 {
		d.seq = s.take()
	}
	s.bytes += d.msg.size()
	s.queue.push(*d)
}

// take returns the next sequence number whose packet id is free. Only a message
// that has been in flight while 65,534 others came and went can be in the way.
func (s *session) take() uint64 {
	s.seq++
	for len(s.flight) > 0 && s.seq-s.flight[0].seq >= ids && s.inFlight(packetID(s.seq)) >= 0 {
		s.seq++
	}
	return s.seq
}

// len returns the number of messages in the queue and in flight.
func (s *session) len() int { return len(s.flight) + s.queue.len() }

// full reports whether the session is more than half full, so that those who
// publish to it should wait.
func (s *session) full() bool {
	return 2*s.len() > s.maxQueue || 2*s.bytes > s.maxBytes
}

// relieved reports whether the session is almost empty, so that whoever was too slow
// has caught up.
func (s *session) relieved() bool {
	return 8*s.len() <= s.maxQueue && 8*s.bytes <= s.maxBytes
}

// next returns the delivery that is to be sent now and takes it from the queue;
// it is in flight from then on if it is of QoS 1. It returns false if there is
// none or if the client must acknowledge others first.
func (s *session) next() (delivery, bool) {
	if s.queue.len() == 0 || len(s.flight) >= s.window {
		return delivery{}, false
	}
	d := s.queue.pop()
	if d.qos == 0 {
		s.bytes -= d.msg.size()
		return d, true
	}
	s.flight = append(s.flight, d)
	return d, true
}

// drop takes the delivery that next returned last out of flight again, because it
// is not to be sent after all.
func (s *session) drop(d *delivery) {
	if d.qos > 0 {
		s.ack(d.id())
	}
}

// ack ends the delivery with the given packet id. It reports false if nothing
// in flight has that id.
func (s *session) ack(id uint16) (delivery, bool) {
	i := s.inFlight(id)
	if i < 0 {
		return delivery{}, false
	}
	d := s.flight[i]
	s.bytes -= d.msg.size()
	s.flight = slices.Delete(s.flight, i, i+1)
	if len(s.flight) == 0 && cap(s.flight) > smallQueue {
		s.flight = nil
	}
	return d, true
}

func (s *session) inFlight(id uint16) int {
	return slices.IndexFunc(s.flight, func(d delivery) bool { return d.id() == id })
}

// end is the end of a connection: what only made sense on it goes, and what was
// in flight goes back to the front of the queue, to be sent again.
func (s *session) end() {
	var kept fifo
	keep := func(d delivery, sent bool) {
		if d.qos == 0 || d.direct {
			s.bytes -= d.msg.size()
			return
		}
		d.dup, d.sent = d.dup || sent, d.sent || sent
		kept.push(d)
	}
	for _, d := range s.flight {
		keep(d, true)
	}
	for s.queue.len() > 0 {
		keep(s.queue.pop(), false)
	}
	s.flight, s.queue = nil, kept
}

// restore puts back a message that was stored with its sequence number. Messages
// must be restored in order, before anything is pushed.
func (s *session) restore(d delivery) {
	d.dup, d.stored = true, true
	s.bytes += d.msg.size()
	s.seq = max(s.seq, d.seq)
	s.queue.push(d)
}

// expire removes what waits in the queue and has expired at now, and calls gone for each.
func (s *session) expire(now int64, gone func(*delivery)) {
	s.weed(func(d *delivery) bool {
		over := d.msg.expired(now) && !d.sent
		if over {
			gone(d)
		}
		return over
	})
}

// weed removes those deliveries from the queue for which unwanted returns true.
func (s *session) weed(unwanted func(*delivery) bool) {
	for range s.queue.len() {
		d := s.queue.pop()
		if unwanted(&d) {
			s.bytes -= d.msg.size()
			continue
		}
		s.queue.push(d)
	}
}
