package sim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
	"muster/internal/sim"
	"muster/internal/wire"
)

// plane is a data plane with one execution at a time for one thing, reached
// without a network, so that tests can stop the clock.
type plane struct {
	mu sync.Mutex
	// all guarded by mu
	x       *wire.DeviceJobExecution
	reports []string // as "20ms IN_PROGRESS v1 percent=50", the time counted from start
	polls   []time.Duration
	refuse  int // requests that get no answer
	start   time.Time
	busy    int // requests under way
	most    int // at a time, so far
}

func newPlane() *plane {
	return &plane{start: time.Now(), x: &wire.DeviceJobExecution{JobID: "j", Status: "QUEUED", VersionNumber: 1, ExecutionNumber: 1}}
}

// RoundTrip implements http.RoundTripper.
func (p *plane) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.busy++
	p.most = max(p.most, p.busy)
	p.mu.Unlock()
	time.Sleep(time.Millisecond) //nolint:forbidigo // the fake clock of a synctest bubble: requests of many devices meet
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if p.refuse > 0 {
		p.refuse--
		return nil, errors.New("no answer")
	}
	w := httptest.NewRecorder()
	if strings.HasSuffix(r.URL.Path, "/$next") {
		p.startNext(w)
	} else {
		p.update(w, r)
	}
	return w.Result(), nil
}

func (p *plane) startNext(w http.ResponseWriter) {
	p.polls = append(p.polls, time.Since(p.start).Truncate(time.Millisecond))
	if p.x != nil && p.x.Status == "QUEUED" {
		p.x.Status = sim.InProgress
		p.x.VersionNumber++
	}
	_ = json.NewEncoder(w).Encode(wire.StartNextPendingJobExecutionResponse{Execution: p.x})
}

func (p *plane) update(w http.ResponseWriter, r *http.Request) {
	var in wire.UpdateJobExecutionRequest
	_ = json.NewDecoder(r.Body).Decode(&in)
	if p.x == nil || *in.ExpectedVersion != p.x.VersionNumber {
		w.Header().Set("X-Amzn-Errortype", "InvalidStateTransitionException")
		w.WriteHeader(http.StatusConflict)
		return
	}
	p.reports = append(p.reports, fmt.Sprintf("%v %s v%d %s=%s %s", time.Since(p.start).Round(100*time.Millisecond), in.Status,
		*in.ExpectedVersion, sim.PercentDetail, in.StatusDetails[sim.PercentDetail], in.StatusDetails[sim.StepDetail]))
	p.x.VersionNumber++
	p.x.StatusDetails = in.StatusDetails
	if in.Status != sim.InProgress {
		p.x = nil
	}
	_, _ = w.Write([]byte("{}"))
}

// device returns a device on the plane.
func device(t *testing.T, p *plane, script sim.Script, change func(*sim.Config)) *sim.Device {
	t.Helper()
	c, err := client.New(client.Config{
		Endpoint: "http://plane", Region: "us-east-1", Transport: p,
		Credentials: sigv4.Credentials{KeyID: "AKIAX", Secret: "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := sim.Config{Client: c, Thing: "t", Script: script}
	if change != nil {
		change(&cfg)
	}
	d, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// play runs a device for a while of fake time.
func play(t *testing.T, p *plane, script sim.Script, d time.Duration, change func(*sim.Config)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	sim.Run(ctx, 0, device(t, p, script, change))
}

var plan = sim.Plan{Delay: time.Second, Steps: 4, Every: 2 * time.Second, Phases: []string{"download", "install"}}

func TestPlanIsReportedStepByStep(t *testing.T) {
	t.Parallel()
	failing := plan
	failing.FailAt = 60
	for name, tt := range map[string]struct {
		plan sim.Plan
		want []string
	}{
		"to the end": {plan, []string{
			"3s IN_PROGRESS v2 percent=25 download", "5s IN_PROGRESS v3 percent=50 install",
			"7s IN_PROGRESS v4 percent=75 install", "9s SUCCEEDED v5 percent=100 install",
		}},
		"to the failure": {failing, []string{
			"3s IN_PROGRESS v2 percent=25 download", "5s IN_PROGRESS v3 percent=50 install", "7s FAILED v4 percent=60 install",
		}},
		"nothing to do": {sim.Plan{}, []string{"0s SUCCEEDED v2 percent=100 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlane()
				var finished []string
				play(t, p, tt.plan.Script(), time.Minute, func(c *sim.Config) {
					c.Finished = func(job, status string) { finished = append(finished, job+" "+status) }
				})
				if diff := gocmp.Diff(tt.want, p.reports); diff != "" {
					t.Errorf("reports (-want +got):\n%s", diff)
				}
				if len(finished) != 1 || !strings.HasPrefix(finished[0], "j ") {
					t.Errorf("got %q finished, want job j once", finished)
				}
			})
		})
	}
}

func TestInterruptedDeviceGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		play(t, p, plan.Script(), 6*time.Second, nil) // switched off after 50 percent
		play(t, p, plan.Script(), time.Minute, nil)
		want := []string{
			"3s IN_PROGRESS v2 percent=25 download", "5s IN_PROGRESS v3 percent=50 install",
			"9s IN_PROGRESS v4 percent=75 install", "11s SUCCEEDED v5 percent=100 install",
		}
		if diff := gocmp.Diff(want, p.reports); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

func TestDeviceOutlivesLostAnswersAndRefusals(t *testing.T) {
	t.Parallel()
	t.Run("no answer for a while", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newPlane()
			p.refuse = 9
			play(t, p, plan.Script(), time.Minute, nil)
			if n := len(p.reports); n != 4 || !strings.Contains(p.reports[3], "SUCCEEDED") {
				t.Errorf("got reports %q, want four, the last of success", p.reports)
			}
		})
	})
	t.Run("the execution is canceled under way", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newPlane()
			time.AfterFunc(4*time.Second, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.x = nil
			})
			time.AfterFunc(20*time.Second, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.x = &wire.DeviceJobExecution{JobID: "k", Status: "QUEUED", VersionNumber: 1}
			})
			play(t, p, plan.Script(), time.Minute, nil)
			if n := len(p.reports); n != 5 || !strings.Contains(p.reports[0], "percent=25") || !strings.Contains(p.reports[4], "SUCCEEDED v5") {
				t.Errorf("got reports %q, want one of the canceled execution and four of the next", p.reports)
			}
		})
	})
}

func TestUnfinishedScriptIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		asked := 0
		script := func(*wire.DeviceJobExecution) []sim.Step {
			if asked++; asked < 3 {
				return nil
			}
			return []sim.Step{{Status: sim.Rejected}}
		}
		play(t, p, script, time.Minute, nil)
		if asked != 3 || len(p.reports) != 1 || !strings.Contains(p.reports[0], "REJECTED") {
			t.Errorf("asked %d times with reports %q, want 3 and the rejection", asked, p.reports)
		}
	})
}

func TestPausesGrowWhileThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane()
		p.x = nil
		play(t, p, plan.Script(), 10*time.Minute, func(c *sim.Config) { c.PollMin, c.PollMax = 100*time.Millisecond, 10*time.Second })
		for i := 1; i < len(p.polls); i++ {
			most := min(100*time.Millisecond<<min(i-1, 20), 10*time.Second)
			if pause := p.polls[i] - p.polls[i-1]; pause < most/2 || pause > most+2*time.Millisecond {
				t.Errorf("pause %d: got %v, want %v to %v", i, pause, most/2, most)
			}
		}
		if n := len(p.polls); n < 60 || n > 140 {
			t.Errorf("got %d polls in ten minutes, want about 85", n)
		}
	})
}

func TestRequestsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{0, 3} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlane()
				p.x = nil
				var fleet []*sim.Device
				for range 20 {
					fleet = append(fleet, device(t, p, plan.Script(), nil))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				sim.Run(ctx, bound, fleet...) // the bubble ends only when all goroutines have
				if want := cmp.Or(bound, len(fleet)); p.most != want {
					t.Errorf("got %d requests at a time, want %d", p.most, want)
				}
			})
		})
	}
}

func TestDeviceWithoutItsNeedsIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := sim.New(sim.Config{Thing: "t"}); err == nil {
		t.Error("got no error, want one about the client and the script")
	}
}
