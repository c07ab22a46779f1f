package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/agent"
)

const base = "$aws/things/t/jobs/"

// execution is one in the queue of the thing.
type execution struct {
	JobID           string            `json:"jobId"`
	Status          string            `json:"status"`
	Details         map[string]string `json:"statusDetails,omitempty"`
	QueuedAt        int64             `json:"queuedAt"`
	VersionNumber   int64             `json:"versionNumber"`
	ExecutionNumber int64             `json:"executionNumber"`
	Document        json.RawMessage   `json:"jobDocument"`
}

func (x *execution) pending() bool { return x.Status == "QUEUED" || x.Status == agent.InProgress }

// server is the jobs service of one thing, and the transport to it. It keeps
// the rules that matter to a device: who is next, and that what has ended stays
// so. Faults makes it misbehave.
type server struct {
	// faults, if not nil, is asked about each request before it is served.
	faults func(r request) fault

	mu sync.Mutex
	// all guarded by mu
	queue    []*execution // in the order in which they are next
	conn     *conn        // the open one
	log      []string     // the updates, accepted and refused
	requests []string     // topics after base, with the second of the test
	connects int
	refuse   int // connections to refuse
	start    time.Time
}

// request is what a device has published.
type request struct {
	topic string // after base
	n     int    // how often there was a request to that topic before
	body  string
}

// fault is what goes wrong with a request.
type fault struct {
	code   string // it is refused
	expire bool   // the execution times out just before
	deaf   bool   // nothing happens
	mute   bool   // it is served, but the reply gets lost
	cut    bool   // the connection is lost after that
	// meanwhile happens between the making of the answer and its sending.
	meanwhile func()
}

func newServer() *server { return &server{start: time.Now()} }

// conn is one connection.
type conn struct {
	s        *server
	messages chan agent.Message
	ended    chan struct{}
	once     sync.Once
}

// Connect implements agent.Transport.
func (s *server) Connect(_ context.Context, filters []string) (agent.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connects++
	if s.refuse > 0 {
		s.refuse--
		return nil, errors.New("no answer")
	}
	for _, want := range []string{
		"notify-next", "$next/get/accepted", "$next/get/rejected", "+/update/accepted", "+/update/rejected",
	} {
		if !slices.Contains(filters, base+want) {
			return nil, fmt.Errorf("no subscription to %s in %q", want, filters)
		}
	}
	s.conn = &conn{s: s, messages: make(chan agent.Message, 100), ended: make(chan struct{})}
	return s.conn, nil
}

// Receive implements agent.Conn.
func (c *conn) Receive(ctx context.Context) (agent.Message, error) {
	select {
	case m := <-c.messages:
		return m, nil
	case <-c.ended:
		return agent.Message{}, errors.New("connection lost")
	case <-ctx.Done():
		return agent.Message{}, ctx.Err()
	}
}

// Close implements agent.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.ended) })
	return nil
}

// Publish implements agent.Conn.
func (c *conn) Publish(_ context.Context, topic string, payload []byte) error {
	select {
	case <-c.ended:
		return errors.New("connection lost")
	default:
	}
	c.s.serve(c, strings.TrimPrefix(topic, base), payload)
	return nil
}

// serve answers a request.
func (s *server) serve(c *conn, topic string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if strings.HasPrefix(r, topic+" ") {
			n++
		}
	}
	s.requests = append(s.requests, fmt.Sprintf("%s %d", topic, int(time.Since(s.start).Seconds())))
	var f fault
	if s.faults != nil {
		f = s.faults(request{topic, n, string(payload)})
	}
	if f.cut {
		defer func() { _ = c.Close() }()
	}
	if f.deaf {
		return
	}
	before := s.front()
	var in map[string]json.RawMessage
	if err := json.Unmarshal(payload, &in); err != nil {
		panic(err) // the agent sends JSON
	}
	out := map[string]any{"clientToken": in["clientToken"], "timestamp": 1}
	reply := "/accepted"
	if x := s.front(); f.expire && x != nil {
		x.Status = "TIMED_OUT"
	}
	code := f.code
	if code == "" {
		code = s.handle(topic, payload, out)
	}
	if code != "" {
		reply, out["code"], out["message"] = "/rejected", code, "no"
	}
	if f.meanwhile != nil {
		f.meanwhile()
	}
	if !f.mute {
		c.send(topic+reply, out)
	}
	if s.front() != before {
		s.notify()
	}
}

// handle does what a request asks for and returns the code of the refusal.
func (s *server) handle(topic string, payload []byte, out map[string]any) string {
	if topic == "$next/get" {
		if x := s.front(); x != nil {
			out["execution"] = x
		}
		return ""
	}
	var in struct {
		Status          string            `json:"status"`
		StatusDetails   map[string]string `json:"statusDetails"`
		ExecutionNumber int64             `json:"executionNumber"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		panic(err)
	}
	line := strings.TrimSuffix(topic, "/update") + " " + in.Status
	for _, k := range slices.Sorted(maps.Keys(in.StatusDetails)) {
		line += fmt.Sprintf(" %s=%q", k, in.StatusDetails[k])
	}
	code := "ResourceNotFound"
	for _, x := range s.queue {
		if x.JobID+"/update" != topic || x.ExecutionNumber != in.ExecutionNumber {
			continue
		}
		if code = "InvalidStateTransition"; x.pending() {
			code = ""
			x.Status, x.VersionNumber = in.Status, x.VersionNumber+1
			if len(in.StatusDetails) > 0 {
				x.Details = in.StatusDetails
			}
		}
	}
	s.log = append(s.log, strings.TrimSpace(line+" "+code))
	return code
}

func (c *conn) send(topic string, body any) {
	payload, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	c.messages <- agent.Message{Topic: base + topic, Payload: payload}
}

func (s *server) front() *execution {
	for _, status := range []string{agent.InProgress, "QUEUED"} {
		for _, x := range s.queue {
			if x.Status == status {
				return x
			}
		}
	}
	return nil
}

// notify tells the device what is next.
func (s *server) notify() {
	if s.conn == nil {
		return
	}
	out := map[string]any{"timestamp": 1}
	if x := s.front(); x != nil {
		out["execution"] = x
	}
	s.conn.send("notify-next", out)
}

// change changes the queue, and tells the device if that changes what is next.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.front()
	f()
	if s.front() != before {
		s.notify()
	}
}

// add puts an execution into the queue.
func (s *server) add(job, document string) *execution {
	x := &execution{JobID: job, Status: "QUEUED", QueuedAt: 1700000000, VersionNumber: 1, ExecutionNumber: 1, Document: json.RawMessage(document)}
	s.change(func() { s.queue = append(s.queue, x) })
	return x
}

// updates returns the updates so far, and forgets them.
func (s *server) updates() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log
	s.log = nil
	return l
}

// status returns that of a job's latest execution.
func (s *server) status(job string) (status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.queue {
		if x.JobID == job {
			status = x.Status
		}
	}
	return status
}

// hands are the handlers of the tests: each action takes a second and is
// written down.
type hands struct {
	do      map[string]func(context.Context, agent.Call) agent.Outcome // by handler; nil: succeed
	verdict map[string]func(agent.Call) agent.Verdict                  // nil: Lost

	mu  sync.Mutex
	ran []string // guarded by mu
}

type hand struct {
	*hands
	name string
}

// find implements agent.Config.Handlers.
func (h *hands) find(a agent.Action) (agent.Handler, error) {
	if a.Handler == "missing" {
		return nil, errors.New("there is no such handler")
	}
	return hand{h, a.Handler}, nil
}

// Run implements agent.Handler.
func (h hand) Run(ctx context.Context, c agent.Call) agent.Outcome {
	h.mu.Lock()
	h.ran = append(h.ran, h.name)
	h.mu.Unlock()
	if do := h.do[h.name]; do != nil {
		return do(ctx, c)
	}
	return second(ctx)
}

// second takes a second to succeed.
func second(ctx context.Context) agent.Outcome {
	select {
	case <-time.After(time.Second):
		return agent.Outcome{}
	case <-ctx.Done():
		return agent.Outcome{Reason: "told to stop"}
	}
}

// Interrupted implements agent.Handler.
func (h hand) Interrupted(c agent.Call) agent.Verdict {
	if v := h.verdict[h.name]; v != nil {
		return v(c)
	}
	return agent.Lost
}

// runs returns the handlers that ran since the last call.
func (h *hands) runs() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := strings.Join(h.ran, " ")
	h.ran = nil
	return r
}

// device runs an agent until stop is called.
func device(t *testing.T, s *server, h *hands, tune ...func(*agent.Config)) (stop func()) {
	t.Helper()
	c := agent.Config{Thing: "t", Transport: s, Handlers: h.find, Dir: t.TempDir()}
	for _, f := range tune {
		f(&c)
	}
	a, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
	}
}

func in(dir string) func(*agent.Config)    { return func(c *agent.Config) { c.Dir = dir } }
func booted(id string) func(*agent.Config) { return func(c *agent.Config) { c.Boot = id } }

// steps returns a document that runs handlers.
func steps(handlers ...string) string {
	var b strings.Builder
	for _, h := range handlers {
		fmt.Fprintf(&b, `,{"action":{"name":"do %s","type":"runHandler","input":{"handler":%q}}}`, h, h)
	}
	return `{"version":"1.0","steps":[` + b.String()[1:] + `]}`
}
