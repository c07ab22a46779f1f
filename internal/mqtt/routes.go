package mqtt

import "slices"

// Level is how much a node has to do with a filter.
type Level byte

// The levels of a filter that a node has not.
const (
	// Absent is no subscription at all.
	Absent Level = iota
	// Kept is a subscription.
	Kept
	// Online is a member of a group that is connected. Filters without $share are
	// never above Kept.
	Online
)

// Routes finds the nodes that want a message. The zero value is empty. It is safe
// for concurrent use.
type Routes[N comparable] struct{ tree tree[N] }

// Set notes what a node has to do with a filter, which may be shared. It reports
// false if it is no filter.
func (r *Routes[N]) Set(filter string, node N, l Level) bool {
	f, ok := parseFilter(filter)
	switch {
	case !ok:
		return false
	case l == Absent:
		r.tree.unsubscribe(f, node)
	default:
		r.tree.subscribe(f, node, options{qos: byte(l)})
	}
	return true
}

// Any reports whether any node wants the messages of a topic.
func (r *Routes[N]) Any(topic string) bool { return r.tree.any(topic) }

// Exact returns the nodes that have subscribed to the topic itself.
func (r *Routes[N]) Exact(topic string) []N {
	r.tree.mu.RLock()
	defer r.tree.mu.RUnlock()
	var nodes []N
	if l := r.tree.exact[topic]; l != nil {
		for _, m := range l.members.list {
			nodes = append(nodes, m.who)
		}
	}
	return nodes
}

// Found is which nodes want the messages of a topic.
type Found[N comparable] struct {
	// Nodes are those with subscribers that are in no group, each once.
	Nodes []N
	// Groups are the groups that share the messages of the topic.
	Groups []Group[N]
}

// Group is a group that has members on some nodes.
type Group[N comparable] struct {
	// Filter is that of the members, $share and all.
	Filter string
	// Online are the nodes with members that are connected, Kept the others.
	Online, Kept []N
}

// Find adds the nodes that want the messages of a topic to out.
func (r *Routes[N]) Find(topic string, out *Found[N]) { r.tree.match(topic, (*finder[N])(out)) }

// Empty reports whether nothing was found.
func (f *Found[N]) Empty() bool { return len(f.Nodes) == 0 && len(f.Groups) == 0 }

// Reset makes f empty and lets go of what was in it.
func (f *Found[N]) Reset() {
	clear(f.Nodes)
	clear(f.Groups)
	f.Nodes, f.Groups = f.Nodes[:0], f.Groups[:0]
}

// finder makes a Found of what a tree finds.
type finder[N comparable] Found[N]

func (f *finder[N]) each(ms []member[N]) {
	for i := range ms {
		if !slices.Contains(f.Nodes, ms[i].who) {
			f.Nodes = append(f.Nodes, ms[i].who)
		}
	}
}

func (f *finder[N]) group(text string, ms []member[N]) {
	g := Group[N]{Filter: text}
	for i := range ms {
		if Level(ms[i].qos) == Online {
			g.Online = append(g.Online, ms[i].who)
		} else {
			g.Kept = append(g.Kept, ms[i].who)
		}
	}
	f.Groups = append(f.Groups, g)
}
