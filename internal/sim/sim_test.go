package sim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/internal/agent"
	"muster/internal/sim"
	"muster/internal/wire"
)

// plane is the jobs service of one thing, with one execution at a time, and the
// transport to it, so that tests can stop the clock.
type plane struct {
	mu sync.Mutex
	// all guarded by mu
	x       *wire.DeviceJobExecution
	reports []string // as "3s IN_PROGRESS percent=50 phase", the time counted from start
	conns   []*conn
	start   time.Time
	busy    int // connections that are being made
	most    int // at a time, so far
}

func newPlane(document string) *plane {
	return &plane{start: time.Now(), x: queued("j", document)}
}

func queued(job, document string) *wire.DeviceJobExecution {
	return &wire.DeviceJobExecution{JobID: job, Status: "QUEUED", ExecutionNumber: 1, JobDocument: wire.NewDocument(document)}
}

// conn is one connection.
type conn struct {
	*plane
	messages chan agent.Message
	ended    chan struct{}
	once     sync.Once
}

// Connect implements agent.Transport. It takes a millisecond.
func (p *plane) Connect(context.Context, []string) (agent.Conn, error) {
	p.mu.Lock()
	p.busy++
	p.most = max(p.most, p.busy)
	p.mu.Unlock()
	time.Sleep(time.Millisecond) //nolint:forbidigo // the fake clock of a synctest bubble: many devices meet
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	c := &conn{plane: p, messages: make(chan agent.Message, 100), ended: make(chan struct{})}
	p.conns = append(p.conns, c)
	return c, nil
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
	c.mu.Lock()
	defer c.mu.Unlock()
	var in struct {
		ClientToken   string            `json:"clientToken"`
		Status        string            `json:"status"`
		StatusDetails map[string]string `json:"statusDetails"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return err
	}
	if strings.HasSuffix(topic, "/$next/get") {
		c.send(topic+"/accepted", map[string]any{"clientToken": in.ClientToken, "execution": c.x})
		return nil
	}
	if c.x == nil || !strings.Contains(topic, "/"+c.x.JobID+"/") {
		c.send(topic+"/rejected", map[string]any{"clientToken": in.ClientToken, "code": "InvalidStateTransition", "message": "it is over"})
		return nil
	}
	c.x.Status = in.Status
	c.reports = append(c.reports, strings.TrimSpace(fmt.Sprintf("%v %s %s %s", time.Since(c.start).Round(100*time.Millisecond),
		in.Status, in.StatusDetails[sim.PercentDetail], cmp.Or(in.StatusDetails["reason"], in.StatusDetails[sim.PhaseDetail]))))
	c.send(topic+"/accepted", map[string]any{"clientToken": in.ClientToken})
	if in.Status != agent.InProgress {
		c.notify(nil)
	}
	return nil
}

func (c *conn) send(topic string, body any) {
	payload, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	c.messages <- agent.Message{Topic: topic, Payload: payload}
}

// notify makes another execution next.
func (p *plane) notify(x *wire.DeviceJobExecution) {
	p.x = x
	for _, c := range p.conns {
		c.send("$aws/things/t/jobs/notify-next", map[string]any{"execution": x})
	}
}

// change makes another execution next after a while.
func (p *plane) change(after time.Duration, x *wire.DeviceJobExecution) {
	time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.notify(x)
	})
}

// device returns a device on the plane.
func device(t *testing.T, p *plane, plan sim.Plan, change func(*sim.Config)) *sim.Device {
	t.Helper()
	c := sim.Config{Thing: "t", Transport: p, Plan: plan}
	if change != nil {
		change(&c)
	}
	d, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// play runs a device for a while of fake time and returns what it has reported
// of its progress and of the end.
func play(t *testing.T, p *plane, plan sim.Plan, d time.Duration, change func(*sim.Config)) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	sim.Run(ctx, 0, device(t, p, plan, change))
	var told []string
	for _, r := range p.reports {
		if !strings.HasSuffix(r, agent.InProgress) { // that it has begun
			told = append(told, r)
		}
	}
	return told
}

var plan = sim.Plan{Delay: time.Second, Steps: 4, Every: 2 * time.Second, Phases: []string{"download", "install"}}

func TestPlanIsReportedStepByStep(t *testing.T) {
	t.Parallel()
	failing, telling := plan, plan
	failing.FailAt, telling.FailAt, telling.Last = 60, 60, map[string]string{"reason": "disk full"}
	whole := []string{"3s IN_PROGRESS 25 download", "5s IN_PROGRESS 50 install", "7s IN_PROGRESS 75 install", "9s SUCCEEDED 100 install"}
	for name, tt := range map[string]struct {
		plan     sim.Plan
		document string
		want     []string
	}{
		"to the end":                       {plan, `{"version":"1.0"}`, whole},
		"whatever the document says":       {plan, `[]`, whole},
		"to the failure":                   {failing, `{}`, append(whole[:2:2], "7s FAILED 60 step 1/1 (simulated): the plan ends here")},
		"to a failure with its own reason": {telling, `{}`, append(whole[:2:2], "7s FAILED 60 disk full")},
		"nothing to do":                    {sim.Plan{}, `{}`, []string{"0s SUCCEEDED 100"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var finished []string
				got := play(t, newPlane(tt.document), tt.plan, time.Minute, func(c *sim.Config) {
					c.Finished = func(job, status string) { finished = append(finished, job+" "+status) }
				})
				if diff := gocmp.Diff(tt.want, got); diff != "" {
					t.Errorf("reports (-want +got):\n%s", diff)
				}
				if len(finished) != 1 || !strings.HasPrefix(finished[0], "j ") {
					t.Errorf("got %q finished, want job j once", finished)
				}
			})
		})
	}
}

func TestInterruptedDeviceStartsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane("{}")
		play(t, p, plan, 6*time.Second, nil) // switched off after 50 percent
		want := []string{
			"3s IN_PROGRESS 25 download", "5s IN_PROGRESS 50 install",
			"9s IN_PROGRESS 25 download", "11s IN_PROGRESS 50 install", "13s IN_PROGRESS 75 install", "15s SUCCEEDED 100 install",
		}
		if diff := gocmp.Diff(want, play(t, p, plan, time.Minute, nil)); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

func TestCanceledExecutionIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane("{}")
		p.change(4*time.Second, nil)
		p.change(20*time.Second, queued("k", "{}"))
		got := play(t, p, plan, time.Minute, nil)
		if n := len(got); n != 5 || !strings.HasPrefix(got[1], "23s IN_PROGRESS 25") || !strings.HasPrefix(got[4], "29s SUCCEEDED") {
			t.Errorf("got reports %q, want one of the canceled execution and four of the next", got)
		}
	})
}

func TestConnectionsAreMadeAFewAtATime(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{0, 3} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlane("{}")
				p.x = nil
				var fleet []*sim.Device
				for range 20 {
					fleet = append(fleet, device(t, p, plan, nil))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				sim.Run(ctx, bound, fleet...) // the bubble ends only when all goroutines have
				if want := cmp.Or(bound, len(fleet)); p.most != want || len(p.conns) != len(fleet) {
					t.Errorf("got %d connections, at most %d at a time, want %d and %d", len(p.conns), p.most, len(fleet), want)
				}
			})
		})
	}
}

func TestDeviceWithoutItsNeedsIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []sim.Config{{Thing: "t"}, {Transport: new(plane)}} {
		if _, err := sim.New(c); err == nil {
			t.Errorf("%+v: got no error", c)
		}
	}
}
