package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"muster/internal/agent"
	"muster/internal/client"
	"muster/internal/sim"
	"muster/internal/wire"
)

// fleetView shows how the devices of a job are doing, from what the server says
// of them: the view knows no device.
type fleetView struct {
	api   *client.Client
	out   *terminal
	job   string
	start time.Time
	each  bool // one line for each device, else one for all
	tally tally
	rows  []deviceRow // by thing, if each
}

// deviceRow is the execution of the job on one thing.
type deviceRow struct {
	thing string
	wire.JobExecution
	shown string // what was last written of it to a screen that is not live
}

// follow shows the job until it is over.
func (v *fleetView) follow(ctx context.Context) error {
	for {
		out, err := v.api.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: v.job})
		if err != nil {
			return err
		}
		v.tally = tally(out.Job.JobProcessDetails)
		if v.each {
			if err := v.refresh(ctx); err != nil {
				return err
			}
		}
		v.show()
		if out.Job.Status == "COMPLETED" {
			return nil
		}
		if err := wait(ctx, demoFrame); err != nil {
			return err
		}
	}
}

// refresh asks for every execution that may have changed.
func (v *fleetView) refresh(ctx context.Context) error {
	for e, err := range v.api.JobExecutions(ctx, wire.ListJobExecutionsForJobRequest{JobID: v.job}) {
		if err != nil {
			return err
		}
		thing, now := nameOf(e.ThingARN), e.JobExecutionSummary
		i, known := slices.BinarySearchFunc(v.rows, thing, func(r deviceRow, t string) int { return cmp.Compare(r.thing, t) })
		if !known {
			v.rows = slices.Insert(v.rows, i, deviceRow{thing: thing})
		}
		r := &v.rows[i]
		if r.Status == now.Status && now.Status != agent.InProgress {
			continue
		}
		out, err := v.api.DescribeJobExecution(ctx, &wire.DescribeJobExecutionRequest{JobID: v.job, ThingName: thing})
		if err != nil {
			return err
		}
		r.JobExecution = out.Execution
	}
	return nil
}

// percent returns how far a device is, as it has reported.
func (r *deviceRow) percent() int {
	n, err := strconv.Atoi(r.StatusDetails.DetailsMap[sim.PercentDetail])
	if err != nil {
		return 0
	}
	return min(max(n, 0), 100)
}

// note says in words what a device is doing, or how it has ended.
func (r *deviceRow) note() string {
	d := r.StatusDetails.DetailsMap
	switch r.Status {
	case agent.InProgress:
		return cmp.Or(d[sim.PhaseDetail], "started")
	case agent.Succeeded:
		return "succeeded"
	case "QUEUED":
		return "queued"
	}
	return strings.ToLower(strings.ReplaceAll(r.Status, "_", " ")) + ": " + cmp.Or(d["reason"], "no reason given")
}

func (r *deviceRow) color() string {
	switch r.Status {
	case agent.Succeeded:
		return green
	case agent.InProgress, "QUEUED":
		return blue
	}
	return red
}

// show draws the devices, or writes a line for each that has come a quarter further.
func (v *fleetView) show() {
	switch {
	case !v.each:
		v.out.progress(v.job, v.tally, v.start)
	case v.out.live:
		v.out.draw(v.bars())
	default:
		for i := range v.rows {
			r := &v.rows[i]
			state := fmt.Sprint(r.Status, r.percent()/25)
			if state != r.shown {
				r.shown = state
				v.out.line("  %s  %3d %%  %s", r.thing, r.percent(), clean(r.note()))
			}
		}
	}
}

// bars returns a line for each device.
func (v *fleetView) bars() []string {
	const percent, note = 9, 12 // columns of the former, and that the latter should have at least
	columns, _ := v.out.size()
	label := 4 // with two spaces on either side
	for i := range v.rows {
		label = max(label, 4+utf8.RuneCountInString(v.rows[i].thing))
	}
	wide := min(max(columns-label-percent-note, 5), 36)
	lines := make([]string, len(v.rows))
	for i := range v.rows {
		r := &v.rows[i]
		name := fit("  "+r.thing+"  ", label)
		rest := fit(r.note(), columns-label-wide-percent-1)
		lines[i] = name + v.out.bar(float64(r.percent())/100, wide, r.color()) +
			fmt.Sprintf("  %3d %%  ", r.percent()) + v.out.paint(r.color(), rest)
	}
	return lines
}

// result prints how the job has ended.
func (v *fleetView) result() error {
	v.out.line("")
	if v.each {
		t := newTable(v.out.w)
		t.row("  THING", "STATUS", "TIME", "DETAILS")
		for _, r := range v.rows {
			t.row("  "+r.thing, r.Status, took(r.JobExecution), attributes(r.StatusDetails.DetailsMap))
		}
		if err := t.flush(); err != nil {
			return err
		}
		v.out.line("")
	}
	v.out.line("Job %s is over after %s: %s.", v.job, time.Since(v.start).Round(100*time.Millisecond), v.tally)
	return nil
}

// took returns how long a device was at work.
func took(x wire.JobExecution) string {
	if x.StartedAt == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", float64(x.LastUpdatedAt-x.StartedAt)/1000)
}
