package mqtt

import (
	"slices"
	"strings"
	"sync"
)

// options is how a subscription wants its messages.
type options struct {
	qos               byte
	noLocal           bool
	retainAsPublished bool
}

// tree finds the subscribers of a topic. S identifies a subscriber, who holds
// one subscription for each filter at most. It is safe for concurrent use.
//
// Filters without wildcards, of which each device has a few of its own, are
// found by one look-up however many there are; the others by a walk along the
// topic. As at AWS, and unlike in the MQTT specification, # stands for one
// level or more: a/# does not match a. A wildcard on the first level does not
// match topics that begin with $.
type tree[S comparable] struct {
	mu    sync.RWMutex
	exact map[string]*leaf[S]
	wild  node[S]
	count int
}

// node is a level of the filters that have wildcards.
type node[S comparable] struct {
	names children[S]
	plus  *node[S]
	here  *leaf[S] // filters that end here
	rest  *leaf[S] // filters that go on with # and end
}

// children are the nodes of a level by name. Most nodes have one or two, and
// there are some for each device; a map is made only for many.
type children[S comparable] struct {
	few  []named[S]
	many map[string]*node[S]
}

type named[S comparable] struct {
	name string
	node *node[S]
}

const manyFrom = 8

func (c *children[S]) get(name string) *node[S] {
	if c.many != nil {
		return c.many[name]
	}
	for i := range c.few {
		if c.few[i].name == name {
			return c.few[i].node
		}
	}
	return nil
}

func (c *children[S]) add(name string, n *node[S]) {
	switch {
	case c.many != nil:
		c.many[name] = n
	case len(c.few) < manyFrom:
		c.few = append(c.few, named[S]{name, n})
	default:
		c.many = make(map[string]*node[S], 2*manyFrom)
		for _, f := range c.few {
			c.many[f.name] = f.node
		}
		c.many[name], c.few = n, nil
	}
}

func (c *children[S]) remove(name string) {
	delete(c.many, name)
	c.few = slices.DeleteFunc(c.few, func(f named[S]) bool { return f.name == name })
}

func (c *children[S]) empty() bool { return len(c.few) == 0 && len(c.many) == 0 }

// leaf is one filter: those who subscribe to it, alone or in groups.
type leaf[S comparable] struct {
	members members[S]
	groups  map[string]*members[S] // by the whole filter, $share and all
}

// member is a subscriber of a filter.
type member[S comparable] struct {
	who S
	options
}

// members is a set of subscribers. The index is made only for large ones.
type members[S comparable] struct {
	list  []member[S]
	index map[S]int
}

const indexFrom = 32

// set adds m, or replaces the options of the same subscriber. It reports
// whether m was added.
func (s *members[S]) set(m member[S]) bool {
	if i := s.find(m.who); i >= 0 {
		s.list[i] = m
		return false
	}
	s.list = append(s.list, m)
	switch {
	case s.index != nil:
		s.index[m.who] = len(s.list) - 1
	case len(s.list) > indexFrom:
		s.index = make(map[S]int, 2*len(s.list))
		for i := range s.list {
			s.index[s.list[i].who] = i
		}
	}
	return true
}

func (s *members[S]) find(who S) int {
	if s.index != nil {
		if i, ok := s.index[who]; ok {
			return i
		}
		return -1
	}
	for i := range s.list {
		if s.list[i].who == who {
			return i
		}
	}
	return -1
}

// remove takes who out and reports whether it was in.
func (s *members[S]) remove(who S) bool {
	i := s.find(who)
	if i < 0 {
		return false
	}
	last := len(s.list) - 1
	s.list[i] = s.list[last]
	s.list[last] = member[S]{} // let go of it
	s.list = s.list[:last]
	if s.index != nil {
		delete(s.index, who)
		if i < last {
			s.index[s.list[i].who] = i
		}
	}
	return true
}

func (l *leaf[S]) empty() bool {
	return l == nil || len(l.members.list) == 0 && len(l.groups) == 0
}

// subscribe adds or replaces the subscription of who to f, and reports whether
// it was added.
func (t *tree[S]) subscribe(f filter, who S, o options) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	set := &t.leaf(f).members
	if f.share != "" {
		set = t.leaf(f).group(f.text)
	}
	added := set.set(member[S]{who: who, options: o})
	if added {
		t.count++
	}
	return added
}

func (l *leaf[S]) group(text string) *members[S] {
	g := l.groups[text]
	if g == nil {
		if l.groups == nil {
			l.groups = make(map[string]*members[S], 1)
		}
		g = new(members[S])
		l.groups[text] = g
	}
	return g
}

// leaf returns the leaf of f, made if need be.
func (t *tree[S]) leaf(f filter) *leaf[S] {
	if !f.wild {
		l := t.exact[f.levels]
		if l == nil {
			if t.exact == nil {
				t.exact = make(map[string]*leaf[S])
			}
			l = new(leaf[S])
			t.exact[f.levels] = l
		}
		return l
	}
	n := &t.wild
	for rest, more := f.levels, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if level == "#" {
			return made(&n.rest)
		}
		n = n.child(level)
	}
	return made(&n.here)
}

func (n *node[S]) child(level string) *node[S] {
	if level == "+" {
		return made(&n.plus)
	}
	c := n.names.get(level)
	if c == nil {
		c = new(node[S])
		n.names.add(level, c)
	}
	return c
}

func made[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}

// unsubscribe removes the subscription of who to f and reports whether there
// was one. Nothing is kept of a filter that nobody subscribes to.
func (t *tree[S]) unsubscribe(f filter, who S) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	removed := false
	group := ""
	if f.share != "" {
		group = f.text
	}
	if f.wild {
		removed = t.wild.remove(f.levels, group, who)
	} else if l := t.exact[f.levels]; l != nil {
		removed = l.remove(group, who)
		if l.empty() {
			delete(t.exact, f.levels)
		}
	}
	if removed {
		t.count--
	}
	return removed
}

// remove takes who out of the filter that levels are what is left of, and cuts
// off what has become empty. The depth is bounded by the length of a filter.
func (n *node[S]) remove(levels, group string, who S) bool {
	level, rest, more := strings.Cut(levels, "/")
	if level == "#" {
		return removeFrom(&n.rest, group, who)
	}
	c := n.plus
	if level != "+" {
		c = n.names.get(level)
	}
	if c == nil {
		return false
	}
	var removed bool
	if more {
		removed = c.remove(rest, group, who)
	} else {
		removed = removeFrom(&c.here, group, who)
	}
	if c.here == nil && c.rest == nil && c.plus == nil && c.names.empty() {
		if level == "+" {
			n.plus = nil
		} else {
			n.names.remove(level)
		}
	}
	return removed
}

func removeFrom[S comparable](p **leaf[S], group string, who S) bool {
	if *p == nil {
		return false
	}
	removed := (*p).remove(group, who)
	if (*p).empty() {
		*p = nil
	}
	return removed
}

func (l *leaf[S]) remove(group string, who S) bool {
	if group == "" {
		return l.members.remove(who)
	}
	g := l.groups[group]
	if g == nil {
		return false
	}
	removed := g.remove(who)
	if len(g.list) == 0 {
		delete(l.groups, group)
	}
	return removed
}

// len returns the number of subscriptions.
func (t *tree[S]) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.count
}

// found takes what match finds. What it is handed is valid during the call
// only; it must not call the tree.
type found[S comparable] interface {
	// each is called with the subscribers of one filter, of whom none is twice.
	each([]member[S])
	// group is called with the subscribers who share the messages of one filter,
	// given as they have written it.
	group(text string, ms []member[S])
}

// match hands the subscribers of a topic to out, filter by filter.
func (t *tree[S]) match(topic string, out found[S]) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	t.exact[topic].tell(out)
	t.wild.match(topic, reserved(topic), out)
}

func (l *leaf[S]) tell(out found[S]) {
	if l == nil {
		return
	}
	if len(l.members.list) > 0 {
		out.each(l.members.list)
	}
	for text, g := range l.groups {
		out.group(text, g.list)
	}
}

// any reports whether anybody subscribes to a topic.
func (t *tree[S]) any(topic string) bool {
	var a anybody[S]
	t.match(topic, &a)
	return bool(a)
}

type anybody[S comparable] bool

func (a *anybody[S]) each([]member[S])          { *a = true }
func (a *anybody[S]) group(string, []member[S]) { *a = true }

// match looks for topic, what is left of it, below n. first is whether a
// wildcard must not match the next level.
func (n *node[S]) match(topic string, first bool, out found[S]) {
	if !first {
		n.rest.tell(out)
	}
	level, rest, more := strings.Cut(topic, "/")
	if c := n.names.get(level); c != nil {
		c.next(rest, more, out)
	}
	if n.plus != nil && !first {
		n.plus.next(rest, more, out)
	}
}

func (n *node[S]) next(rest string, more bool, out found[S]) {
	if more {
		n.match(rest, false, out)
		return
	}
	n.here.tell(out)
}
