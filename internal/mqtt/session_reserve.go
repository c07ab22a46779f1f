package mqtt

// reserve is room beside that of a session's queue, for messages that tell all that
// there is to know.
type reserve struct {
	messages, bytes int
	// whole says whether messages to a topic are of that kind.
	whole func(topic string) bool
}

// pushWhole is push for a message that finds no room, though it should. First those
// go that have not been sent and that later ones make superfluous, d among them, and
// gone is called for each. It reports false if d is not for the reserve, or if there
// is no room there either: for as many topics as there is room for, there always is.
//
// The order stays that in which the messages were pushed: whatever replaces another
// does not take its place.
func (s *session) pushWhole(d *delivery, r reserve, gone func(*delivery)) bool {
	if !r.has(d) {
		return false
	}
	left := map[string]int{d.msg.Topic: 1} // how many of a topic are still to come
	for q := range s.queue.all {
		if !q.sent && r.has(q) {
			left[q.msg.Topic]++
		}
	}
	replaces := left[d.msg.Topic] > 1
	bytes := 0
	s.weed(func(q *delivery) bool {
		if q.sent || !r.has(q) {
			return false
		}
		left[q.msg.Topic]--
		if left[q.msg.Topic] > 0 {
			gone(q)
			return true
		}
		bytes += q.msg.size()
		return false
	})
	if s.push(d) {
		return true
	}
	others := len(left) - 1
	if !replaces && (others >= r.messages || others > 0 && bytes+d.msg.size() > r.bytes) {
		return false
	}
	s.admit(d)
	return true
}

func (r *reserve) has(d *delivery) bool {
	return r.whole != nil && !d.direct && reserved(d.msg.Topic) && r.whole(d.msg.Topic)
}
