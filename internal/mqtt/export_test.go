package mqtt

// Window into what the tests of the pure parts need.

// Tree is a topic tree whose subscribers are numbers.
type Tree struct{ t tree[int] }

// Subscribe adds a subscription and reports whether the filter is one.
func (t *Tree) Subscribe(text string, who int) bool {
	f, ok := parseFilter(text)
	if ok {
		t.t.subscribe(f, who, options{qos: 1})
	}
	return ok
}

// Unsubscribe removes one.
func (t *Tree) Unsubscribe(text string, who int) bool {
	f, ok := parseFilter(text)
	return ok && t.t.unsubscribe(f, who)
}

// Len returns the number of subscriptions.
func (t *Tree) Len() int { return t.t.len() }

// Empty reports whether nothing at all is kept.
func (t *Tree) Empty() bool {
	w := &t.t.wild
	return len(t.t.exact) == 0 && w.names.empty() && w.plus == nil && w.rest == nil && w.here == nil
}

// Match returns who gets a message, once for each filter, and the groups.
func (t *Tree) Match(topic string) (who []int, groups [][]int) {
	var m treeMatch
	t.t.match(topic, &m)
	return m.who, m.groups
}

// Walk matches without keeping anything.
func (t *Tree) Walk(topic string) bool { return t.t.any(topic) }

type treeMatch struct {
	who    []int
	groups [][]int
}

func (m *treeMatch) each(ms []member[int]) {
	for _, x := range ms {
		m.who = append(m.who, x.who)
	}
}

func (m *treeMatch) group(_ string, ms []member[int]) {
	var g []int
	for _, x := range ms {
		g = append(g, x.who)
	}
	m.groups = append(m.groups, g)
}

// Matches is the rule for one filter.
func Matches(filter, topic string) bool { return matches(filter, topic) }

// ValidFilter reports whether a filter is one.
func ValidFilter(s string) bool {
	_, ok := parseFilter(s)
	return ok
}

// Session is the state machine of a session with messages that are numbers.
type Session struct{ s session }

// NewSession returns a session with room for so many messages.
func NewSession(window, queue int) *Session {
	return &Session{session{window: window, maxQueue: queue, maxBytes: 1 << 30}}
}

// Sent is a message that has been sent.
type Sent struct {
	Topic   string
	Payload string
	ID      uint16
	QoS     byte
	Dup     bool
}

// Push queues a message.
func (s *Session) Push(payload string, qos byte, direct bool) bool {
	m := &Message{Topic: "t", Payload: []byte(payload), QoS: qos}
	return s.s.push(&delivery{msg: m, qos: qos, direct: direct})
}

// PushWhole queues a message to a topic of which only the last one matters, if need
// be in a reserve for so many.
func (s *Session) PushWhole(topic, payload string, messages int) bool {
	d := &delivery{msg: &Message{Topic: topic, Payload: []byte(payload), QoS: 1}, qos: 1}
	r := reserve{messages: messages, bytes: 1 << 30, whole: func(string) bool { return true }}
	return s.s.push(d) || s.s.pushWhole(d, r, func(*delivery) {})
}

// Next returns what is to be sent.
func (s *Session) Next() (Sent, bool) {
	d, ok := s.s.next()
	if !ok {
		return Sent{}, false
	}
	x := Sent{Topic: d.msg.Topic, Payload: string(d.msg.Payload), QoS: d.qos, Dup: d.dup}
	if d.qos > 0 {
		x.ID = d.id()
	}
	return x, true
}

// Ack acknowledges an id.
func (s *Session) Ack(id uint16) bool {
	_, ok := s.s.ack(id)
	return ok
}

// End ends the connection, Resume begins another.
func (s *Session) End()              { s.s.end() }
func (s *Session) Resume(window int) { s.s.window = window }

// Restart is what a restart of the server makes of the session: what was
// stored, and nothing else.
func (s *Session) Restart() *Session {
	s.s.end()
	n := NewSession(s.s.window, s.s.maxQueue)
	for d := range s.s.queue.all {
		n.s.restore(delivery{msg: d.msg, seq: d.seq, qos: 1, retain: d.retain})
	}
	return n
}

// Skip takes sequence numbers that other messages would have taken.
func (s *Session) Skip(n uint64) { s.s.seq += n }

// Len and Bytes tell what is kept.
func (s *Session) Len() int   { return s.s.len() }
func (s *Session) Bytes() int { return s.s.bytes }

// Bucket is the rate limit of a connection.
type Bucket = bucket

// Take takes a token.
var Take = (*bucket).take
