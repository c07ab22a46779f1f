package agent

import (
	"context"
	"sync"

	"muster/internal/wire"
)

// next is an execution as the server shows it.
type next struct {
	key
	status, document string
}

// nextOf returns what x says, or nil for no execution.
func nextOf(x *wire.DeviceJobExecution) *next {
	if x == nil {
		return nil
	}
	n := &next{key{Job: x.JobID, Number: x.ExecutionNumber, QueuedAt: int64(x.QueuedAt)}, x.Status, x.JobDocument.Text()}
	n.Document = fingerprint(n.document)
	return n
}

// key tells executions from one another. A job that was deleted and made again
// under its old name starts with the same number, but it is queued later or, if
// that was within a second, has another document. With the same document there
// is nothing to tell apart: it was done in that second.
type key struct {
	Job      string `json:"job"`
	Number   int64  `json:"number"`
	QueuedAt int64  `json:"queuedAt"` // milliseconds since the Unix epoch, of whole seconds
	// Document is the fingerprint of the document. Older journals have none,
	// and then any will do.
	Document string `json:"document,omitempty"`
}

// same reports whether k and other are those of one execution.
func (k key) same(other key) bool {
	if k.Document == "" || other.Document == "" {
		k.Document, other.Document = "", ""
	}
	return k == other
}

// keyOf returns the key of x, or no key for no execution.
func keyOf(x *next) key {
	if x == nil {
		return key{}
	}
	return x.key
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
	changed chan struct{} // closed when there are news, and by settle
	// settled is the connection, told by the channel that is closed when it is
	// lost, on which the server has been asked at least once.
	settled <-chan struct{}
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
	if v := f.view(keyOf(x)); v.told != before && v.other {
		return false
	}
	f.set(x, true)
	return true
}

// settle is called when the server has answered on a connection what is next,
// or has refused to.
func (f *front) settle(lost <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = lost
	close(f.changed)
	f.changed = make(chan struct{})
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
	if keyOf(f.news.x).same(k) {
		f.taken = f.told
	}
}

// view is how the news look to those who work on an execution.
type view struct {
	told     uint64 // how often there were news
	other    bool   // the latest name something else as next
	replaced bool   // and that is a later execution with the same name and number
	asked    bool   // they were the answer to a question
	settled  <-chan struct{}
	changed  <-chan struct{} // closed when the view may be another
}

// view returns how the news look to those who work on the execution k.
func (f *front) view(k key) view {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := keyOf(f.news.x)
	v := view{told: f.told, asked: f.news.asked, settled: f.settled, changed: f.changed}
	v.other = f.told > 0 && !now.same(k)
	v.replaced = v.other && now.Job == k.Job && now.Number == k.Number
	return v
}
