package sim

import (
	"maps"
	"strconv"
	"time"

	"muster/internal/wire"
)

// The names of the details that a Plan reports, for those who show them.
const (
	PercentDetail = "percent" // 0 to 100
	StepDetail    = "step"    // what the device is doing
)

// Plan is work in equal steps with a report after each, such as the
// installation of an update. Its zero value succeeds at once.
type Plan struct {
	// Delay is how long the device does nothing before its first step.
	Delay time.Duration
	// Steps is the number of reports of progress, and Every how long the work
	// before each of them takes.
	Steps int
	Every time.Duration
	// Phases name stretches of equal length, for StepDetail.
	Phases []string
	// FailAt is the percentage at which the device gives up, with Failed; 0 means never.
	FailAt int
	// Last are details of the last report, over those that tell the progress.
	Last map[string]string
}

// Script returns the script of p. Interrupted devices go on at the percentage
// that they have reported.
func (p Plan) Script() Script {
	return func(x *wire.DeviceJobExecution) []Step {
		done, err := strconv.Atoi(x.StatusDetails[PercentDetail])
		if err != nil {
			done = 0 // nothing reported yet, or not by this script
		}
		end, status := 100, Succeeded
		if p.FailAt > 0 {
			end, status = p.FailAt, Failed
		}
		var steps []Step
		for i := range p.Steps {
			percent := 100 * (i + 1) / p.Steps
			if percent > done && percent < end {
				steps = append(steps, Step{Wait: p.Every, Status: InProgress, Details: p.details(percent)})
			}
		}
		last := p.details(end)
		maps.Copy(last, p.Last)
		steps = append(steps, Step{Wait: p.Every, Status: status, Details: last})
		steps[0].Wait += p.Delay
		return steps
	}
}

// details returns what is reported at a percentage.
func (p Plan) details(percent int) map[string]string {
	d := map[string]string{PercentDetail: strconv.Itoa(percent)}
	if n := len(p.Phases); n > 0 {
		d[StepDetail] = p.Phases[min(percent*n/100, n-1)]
	}
	return d
}
