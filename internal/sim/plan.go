package sim

import (
	"context"
	"maps"
	"strconv"
	"time"

	"muster/internal/agent"
)

// The names of the details that a Plan reports, for those who show them.
const (
	PercentDetail = "percent" // 0 to 100
	PhaseDetail   = "phase"   // what the device is doing
)

// Plan is work in equal steps with a report after each, such as the
// installation of an update. Its zero value succeeds at once. It is an
// agent.Handler.
type Plan struct {
	// Delay is how long the device does nothing before its first step.
	Delay time.Duration
	// Steps is the number of reports of progress, and Every how long the work
	// before each of them takes. Of reports that follow each other faster than
	// the server answers, only the last is sent.
	Steps int
	Every time.Duration
	// Phases name stretches of equal length, for PhaseDetail.
	Phases []string
	// FailAt is the percentage at which the device gives up; 0 means never.
	FailAt int
	// Last are details of the last report, over those that tell the progress.
	Last map[string]string
}

// Run implements agent.Handler.
func (p Plan) Run(ctx context.Context, c agent.Call) agent.Outcome {
	stopped := agent.Outcome{Reason: "the device was told to stop"}
	end, reason := 100, ""
	if p.FailAt > 0 {
		end, reason = p.FailAt, "the plan ends here"
	}
	wait := p.Delay
	for i := range p.Steps {
		percent := 100 * (i + 1) / p.Steps
		if percent >= end {
			break
		}
		if !sleep(ctx, wait+p.Every) {
			return stopped
		}
		wait = 0
		c.Report(p.details(percent))
	}
	if !sleep(ctx, wait+p.Every) {
		return stopped
	}
	last := p.details(end)
	maps.Copy(last, p.Last)
	return agent.Outcome{Reason: reason, Details: last}
}

// Interrupted implements agent.Handler. To pretend once more is harmless.
func (Plan) Interrupted(agent.Call) agent.Verdict { return agent.Repeat }

// details returns what is reported at a percentage.
func (p Plan) details(percent int) map[string]string {
	d := map[string]string{PercentDetail: strconv.Itoa(percent)}
	if n := len(p.Phases); n > 0 {
		d[PhaseDetail] = p.Phases[min(percent*n/100, n-1)]
	}
	return d
}

// sleep waits for d and reports false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
