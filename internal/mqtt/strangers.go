package mqtt

import (
	"cmp"
	"container/heap"
	"container/list"
	"net"
	"net/netip"
)

// strangers are the connections that are not authenticated yet, oldest first, by
// where they come from. The zero value is empty.
//
// There is room for so many. Who wants to keep others out only has to say nothing:
// that must not help. So the newest is always let in, and the one that goes is the
// oldest of the source with the most.
type strangers struct {
	n       int
	sources map[netip.Prefix]*source
	most    sourceHeap
}

// source is where connections come from: an address, or what one host may choose
// from in IPv6.
type source struct {
	from  netip.Prefix
	conns list.List // of *conn, oldest first; never empty
	at    int       // in the heap
}

// sourceOf returns where a connection comes from; the zero value if that is no
// address, as in tests.
func sourceOf(a net.Addr) netip.Prefix {
	if a == nil {
		return netip.Prefix{}
	}
	from, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := from.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the length is right
	return p
}

// add lets k in.
func (s *strangers) add(k *conn) {
	from := sourceOf(k.nc.RemoteAddr())
	src := s.sources[from]
	if src == nil {
		if s.sources == nil {
			s.sources = make(map[netip.Prefix]*source)
		}
		src = &source{from: from}
		src.conns.Init()
		s.sources[from] = src
	}
	k.source, k.stranger = src, src.conns.PushBack(k)
	s.n++
	if src.conns.Len() == 1 {
		heap.Push(&s.most, src)
		return
	}
	heap.Fix(&s.most, src.at)
}

// remove takes k out. It reports false if it has been taken out before.
func (s *strangers) remove(k *conn) bool {
	if k.stranger == nil {
		return false
	}
	src := k.source
	src.conns.Remove(k.stranger)
	k.source, k.stranger = nil, nil
	s.n--
	if src.conns.Len() > 0 {
		heap.Fix(&s.most, src.at)
		return true
	}
	heap.Remove(&s.most, src.at)
	delete(s.sources, src.from)
	return true
}

// evict takes out the oldest one of the source with the most, and returns it. There
// must be one.
func (s *strangers) evict() *conn {
	k := s.most[0].oldest()
	s.remove(k)
	return k
}

func (s *source) oldest() *conn {
	k, _ := s.conns.Front().Value.(*conn) // nothing else is put there
	return k
}

// sourceHeap implements heap.Interface: the source with the most comes first, of
// several that with the oldest.
type sourceHeap []*source

func (h sourceHeap) Len() int { return len(h) }

func (h sourceHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(cmp.Compare(b.conns.Len(), a.conns.Len()), a.oldest().deadline.Compare(b.oldest().deadline)) < 0
}

func (h sourceHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *sourceHeap) Push(x any) {
	src, _ := x.(*source)
	src.at = len(*h)
	*h = append(*h, src)
}

// Pop implements heap.Interface.
func (h *sourceHeap) Pop() any {
	last := len(*h) - 1
	src := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return src
}
