package mqttapi_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/internal/job"
	"muster/internal/mqttapi"
	"muster/internal/store"
)

// connection is that of a device that has subscribed to its notifications: it
// holds what the device gets, in the order in which it gets it.
type connection struct {
	mu   sync.Mutex
	got  []string      // guarded by mu: "topic payload"
	last chan struct{} // closed when notify-next says that nothing is left
	done bool          // guarded by mu: last is closed
}

func (c *connection) deliver(topic string, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, topic+" "+string(payload))
	if strings.HasSuffix(topic, "/notify-next") && !strings.Contains(string(payload), "jobId") && !c.done {
		c.done = true
		close(c.last)
	}
}

// switchboard is a broker that delivers to the connections of things.
type switchboard map[string]*connection

func (s switchboard) Publish(_ context.Context, m mqttapi.Message) error {
	s[strings.Split(m.Topic, "/")[2]].deliver(m.Topic, m.Payload)
	return nil
}

// dawdling is a store that lets everyone else go first between a commit and its
// answer, and between reading and telling.
type dawdling struct{ store.Store }

func (d dawdling) UpdateQueues(ctx context.Context, refs []job.Ref, fn func(*job.Queue) error) error {
	defer yield()
	return d.Store.UpdateQueues(ctx, refs, fn)
}

func (d dawdling) View(ctx context.Context, fn func(store.Reader) error) error {
	defer yield()
	return d.Store.View(ctx, fn)
}

func yield() {
	for range 100 {
		runtime.Gosched()
	}
}

// TestADeviceSeesItsAnswerThenWhatItChanged lets devices work through their
// queues as fast as they can while the loops run and an operator goes on
// creating jobs. What each sees must be one history: after an answer nothing
// older than it, before an answer nothing of what it says.
func TestADeviceSeesItsAnswerThenWhatItChanged(t *testing.T) {
	t.Parallel()
	const devices, jobs = 8, 25
	names := make([]string, devices)
	to := make(switchboard)
	for i := range names {
		names[i] = fmt.Sprintf("d%d", i)
		to[names[i]] = &connection{last: make(chan struct{})}
	}
	w := newWorld(t, func(w *world) {
		w.around = to
		w.wrap = func(s store.Store) store.Store { return dawdling{s} }
	})
	w.things(names...)
	w.create("j00", `{}`, on(names...))
	w.settle()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.engine.Run(ctx) }()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range jobs {
			w.create(fmt.Sprintf("j%02d", i+1), `{}`, on(names...))
		}
	})
	for _, name := range names {
		wg.Go(func() { w.workThrough(t, name, to[name], jobs+1) })
	}
	wg.Wait()
	for _, name := range names {
		<-to[name].last
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	for _, name := range names {
		checkHistory(t, name, to[name].got)
	}
}

// workThrough finishes so many jobs of a thing, one request right after the other.
func (w *world) workThrough(t *testing.T, name string, c *connection, jobs int) {
	request := func(topic, payload string) mqttapi.Reply {
		r, ok, err := w.Handle(t.Context(), mqttapi.Request{
			Principal: device, ClientID: name, Topic: "$aws/things/" + name + "/jobs/" + topic, Payload: []byte(payload), QoS: 1,
		})
		if !ok || err != nil {
			t.Errorf("%s: handled %v, %v", topic, ok, err)
		}
		c.deliver(r.Topic, r.Payload)
		if r.After != nil {
			r.After()
		}
		return r
	}
	for done := 0; done < jobs && t.Context().Err() == nil; {
		x := parse[nextJob](t, request("start-next", "").Payload).Execution
		if x == nil {
			continue
		}
		request(x.JobID+"/update", `{"status":"SUCCEEDED","includeJobExecutionState":true}`)
		done++
	}
}

// finished is a version that no pending execution has.
const finished = 1 << 30

// checkHistory reads what a device got: versions never go back, nothing that
// the device was told to be finished is pending again, and what it has started
// leaves the list after it was told that it is finished.
func checkHistory(t *testing.T, name string, got []string) {
	t.Helper()
	known := make(map[string]int64) // versions by job
	complain := func(i int, format string, args ...any) {
		t.Errorf("%s, message %d: %s\n%s", name, i, fmt.Sprintf(format, args...), strings.Join(got[max(0, i-3):i+1], "\n"))
	}
	see := func(i int, job string, version int64) {
		if version < known[job] {
			complain(i, "%s has version %d after %d", job, version, known[job])
		}
		known[job] = version
	}
	for i, message := range got {
		topic, payload, _ := strings.Cut(message, " ")
		rest := strings.TrimPrefix(topic, "$aws/things/"+name+"/jobs/")
		switch {
		case rest == "notify":
			list := parse[pendingJobs](t, []byte(payload)).versions()
			for job, version := range list {
				see(i, job, version)
			}
			for job, version := range known {
				if _, ok := list[job]; !ok && version != finished && len(list) < 10 {
					complain(i, "%s has left the list before its end was answered", job)
				}
			}
		case rest == "notify-next" || rest == "start-next/accepted":
			if x := parse[nextJob](t, []byte(payload)).Execution; x != nil {
				see(i, x.JobID, x.VersionNumber)
			}
		case strings.HasSuffix(rest, "/update/accepted"):
			known[strings.TrimSuffix(rest, "/update/accepted")] = finished
		default:
			complain(i, "unexpected")
		}
	}
}

// TestADeviceIsToldThoughNobodySaysThatItHasItsReply runs in fake time.
func TestADeviceIsToldThoughNobodySaysThatItHasItsReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create("j", `{}`)
		w.settle()
		w.broker.take()
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- w.engine.Run(ctx) }()
		r := w.publish(b+"j/update", `{"status":"SUCCEEDED"}`)
		time.Sleep(900 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
		if n := len(w.broker.take()); n != 0 {
			t.Errorf("%d messages before the reply", n)
		}
		time.Sleep(200 * time.Millisecond) //nolint:forbidigo // fake time in a bubble
		if n := len(w.broker.take()); n != 2 {
			t.Errorf("%d messages, want notify and notify-next", n)
		}
		r.After() // it was slow, not forgotten
		stop()
		w.must(<-ran)
	})
}
