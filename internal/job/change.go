package job

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Change is one execution before and after. Before has status None if it is
// new, After if it is deleted.
type Change struct {
	Before, After Execution
}

// Changes returns what has changed since the queue was loaded, ordered by job
// and number. An execution that came and went in between is left out.
func (q *Queue) Changes() []Change {
	if len(q.before) == 0 {
		return nil
	}
	out := make([]Change, 0, len(q.before))
	for _, b := range q.before {
		a, ok := q.latest(b.Job.UID, b.Number)
		if !ok {
			a = Execution{Thing: b.Thing, ThingUID: b.ThingUID, Job: b.Job, Number: b.Number}
		}
		if a.Status == None && b.Status == None {
			continue
		}
		out = append(out, Change{b, a})
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.After.Job.UID, b.After.Job.UID), cmp.Compare(a.After.Number, b.After.Number))
	})
	return out
}

// Heads returns the heads to be stored, by job uid. The map must not be modified.
func (q *Queue) Heads() map[int64]Head { return q.newHeads }

// Told is what a device knows of its queue in one namespace: the front and the
// set of pending executions. Two are equal if their encodings are.
type Told struct {
	// Front is the key of the first pending execution; zero if there is none.
	Front Key
	// Set holds the keys of all pending executions, sorted.
	Set []Key
}

// Dirty is a namespace of a thing whose device must be told something.
type Dirty struct {
	Namespace string
	// Told is what the device was told before the changes.
	Told Told
}

// Dirty returns the namespaces in which the front or the set now differs from
// what the device was told before: the queue as loaded, with what a deletion has
// hidden since [jobs-comm-notifications].
func (q *Queue) Dirty() []Dirty {
	if len(q.before) == 0 || q.muted || slices.EqualFunc(q.loaded, q.live, unmoved) {
		return nil
	}
	var out []Dirty
	for _, ns := range q.namespaces() {
		was, is := told(q.loaded, ns, Execution.shown), q.Told(ns)
		if !was.Equal(is) {
			out = append(out, Dirty{ns, was})
		}
	}
	return out
}

// unmoved reports whether two executions in the same place of a queue are one
// for its device. Most changes are progress: they move nothing.
func unmoved(was, is Execution) bool { return was.Key() == is.Key() && was.shown() == is.visible() }

func (q *Queue) namespaces() []string {
	var names []string
	for _, b := range q.before {
		if !slices.Contains(names, b.Job.Namespace) {
			names = append(names, b.Job.Namespace)
		}
	}
	slices.Sort(names)
	return names
}

// Told returns what a device that is told everything now knows of a namespace.
func (q *Queue) Told(namespace string) Told { return told(q.live, namespace, Execution.visible) }

func told(live []Execution, namespace string, counts func(Execution) bool) Told {
	var t Told
	for _, x := range live {
		if !counts(x) || x.Job.Namespace != namespace {
			continue
		}
		if t.Set == nil {
			t.Front, t.Set = x.Key(), make([]Key, 0, len(live))
		}
		t.Set = append(t.Set, x.Key())
	}
	slices.SortFunc(t.Set, compareKeys)
	return t
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.JobUID, b.JobUID), cmp.Compare(a.Number, b.Number))
}

// Equal reports whether front and set are the same.
func (t Told) Equal(u Told) bool { return t.Front == u.Front && slices.Equal(t.Set, u.Set) }

// Notice says which notifications a device must get [jobs-comm-notifications]:
// notify if the set of pending executions changed, notify-next if the front
// did. If both, notify comes first.
type Notice struct {
	List, Next bool
}

// NoticeOf returns what must be published to take a device from what it was
// told to what is.
func NoticeOf(was, is Told) Notice {
	return Notice{List: !slices.Equal(was.Set, is.Set), Next: was.Front != is.Front}
}

// Encode returns t in a compact form for storage. The empty Told is empty.
func (t Told) Encode() []byte {
	if len(t.Set) == 0 {
		return nil
	}
	b := appendKey(make([]byte, 0, 12*(len(t.Set)+1)), t.Front)
	for _, k := range t.Set {
		b = appendKey(b, k)
	}
	return b
}

func appendKey(b []byte, k Key) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(k.JobUID)), uint64(k.Number))
}

// DecodeTold is the inverse of Encode. It reports whether b is whole: pairs of
// numbers, of which the first is among the others.
func DecodeTold(b []byte) (Told, bool) {
	var t Told
	for i := 0; len(b) > 0; i++ {
		uid, n := binary.Uvarint(b)
		if n <= 0 {
			return Told{}, false
		}
		number, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return Told{}, false
		}
		b = b[n+m:]
		if i == 0 {
			t.Front = Key{int64(uid), int64(number)}
			continue
		}
		t.Set = append(t.Set, Key{int64(uid), int64(number)})
	}
	if t.Front != (Key{}) && !slices.Contains(t.Set, t.Front) {
		return Told{}, false
	}
	return t, true
}

// Counts holds how many executions of a job have each status, by Status.
// Terminal counts include executions that were followed by a newer one; the
// pending ones are current [DescribeJob, jobProcessDetails; divergences, U23].
type Counts [statuses]int64

// Live returns how many executions are queued or in progress.
func (c Counts) Live() int64 { return c[Queued] + c[InProgress] }

// Add returns the sum of c and d.
func (c Counts) Add(d Counts) Counts {
	for i := range c {
		c[i] += d[i]
	}
	return c
}

// Count adds the differences that the changes make to the counts of each job, by job uid.
func Count(into map[int64]Counts, changes []Change) {
	for _, ch := range changes {
		c := into[ch.After.Job.UID]
		if ch.Before.Status != None {
			c[ch.Before.Status]--
		}
		if ch.After.Status != None {
			c[ch.After.Status]++
		}
		into[ch.After.Job.UID] = c
	}
}
