package mqtt

// fifo is a queue of deliveries in a ring that grows as needed. The zero value
// is empty; one that has been emptied lets go of all but a little memory.
// smallQueue is how many deliveries a session keeps room for: idle connections
// are many, and busy ones should not allocate for each message.
const smallQueue = 4

type fifo struct {
	ring []delivery
	head int
	n    int
}

func (q *fifo) len() int { return q.n }

func (q *fifo) push(d delivery) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = d
	q.n++
}

// grow doubles the ring, whose length is a power of two.
func (q *fifo) grow() {
	ring := make([]delivery, max(2, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// pop takes the first one. The queue must not be empty.
func (q *fifo) pop() delivery {
	d := q.ring[q.head]
	q.ring[q.head] = delivery{} // let go of the message
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	if q.n == 0 && len(q.ring) > smallQueue {
		*q = fifo{}
	}
	return d
}

// all calls yield for each delivery, first to last.
func (q *fifo) all(yield func(*delivery) bool) {
	for i := range q.n {
		if !yield(&q.ring[(q.head+i)&(len(q.ring)-1)]) {
			return
		}
	}
}
