package agent

import (
	"context"
	"sync"

	"muster/internal/wire"
)

// next is an execution as the server shows it.
type next = wire.DeviceJobExecution

// key tells executions from one another. A job that was deleted and made again
// under its old name starts with the same number, but it is queued later.
type key struct {
	Job      string `json:"job"`
	Number   int64  `json:"number"`
	QueuedAt int64  `json:"queuedAt"` // milliseconds since the Unix epoch, of whole seconds
}

// keyOf returns the key of x, or no key for no execution.
func keyOf(x *next) key {
	if x == nil {
		return key{}
	}
	return key{Job: x.JobID, Number: x.ExecutionNumber, QueuedAt: int64(x.QueuedAt)}
}

// news is what the server has last said about the next execution.
type news struct {
	x     *next // nil: there is none
	asked bool  // it was the answer to a question, not a notification
}

// front is the next execution of the device, as far as it has been told. Only
// the latest news count.
type front struct {
	mu sync.Mutex
	// all guarded by mu
	news    news
	told    uint64        // how often there were news
	taken   uint64        // those that wait has returned
	changed chan struct{} // closed when there are news
}

func newFront() *front { return &front{changed: make(chan struct{})} }

// set is called with news.
func (f *front) set(x *next, asked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.news = news{x, asked}
	f.told++
	close(f.changed)
	f.changed = make(chan struct{})
}

// answer is called with the answer to a question that was asked when there had
// been news before times. It reports false if a notification has come since that
// says something else: the answer may be the older of the two.
func (f *front) answer(before uint64, x *next) bool {
	if told, other, _ := f.other(keyOf(x)); told != before && other {
		return false
	}
	f.set(x, true)
	return true
}

// count returns how often there were news.
func (f *front) count() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told
}

// wait returns the latest news once, or false if ctx ends before there are any.
func (f *front) wait(ctx context.Context) (news, bool) {
	for {
		f.mu.Lock()
		if f.taken != f.told {
			f.taken = f.told
			defer f.mu.Unlock()
			return f.news, true
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return news{}, false
		}
	}
}

// forget drops news of an execution that has been dealt with.
func (f *front) forget(k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if keyOf(f.news.x) == k {
		f.taken = f.told
	}
}

// other returns how often there were news, whether the latest name something
// else than k as next, and a channel that is closed when there are more.
func (f *front) other(k key) (told uint64, other bool, _ <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.told, f.told > 0 && keyOf(f.news.x) != k, f.changed
}
