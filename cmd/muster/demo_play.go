package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/agent/dial"
	"muster/internal/client"
	"muster/internal/sim"
	"muster/internal/wire"
)

// demo is a demo under way.
type demo struct {
	demoCmd
	api    *client.Client
	server *server
	out    *terminal
	group  string // ARN
}

// play registers the fleet, runs its devices, and shows how they do a job. The
// devices go on until it returns.
func (d *demo) play(ctx context.Context) error {
	d.out.line("Muster %s on %s, data in %s\n", version, d.server.url(), d.server.cfg.Data)
	if err := d.register(ctx); err != nil {
		return err
	}
	devices, err := d.devices()
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		sim.Run(working, demoConnects, devices...)
	}()
	defer func() { stop(); <-stopped }()

	if err := d.roll(ctx); err != nil || d.Once {
		return err
	}
	d.invite()
	<-ctx.Done()
	d.out.line("\nStopping.")
	return nil
}

// register makes the group and its things.
func (d *demo) register(ctx context.Context) error {
	group, err := d.api.CreateThingGroup(ctx, &wire.CreateThingGroupRequest{ThingGroupName: demoGroup})
	if err != nil {
		return err
	}
	d.group = group.ThingGroupARN
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range d.Devices {
		g.Go(func() error {
			if _, err := d.api.CreateThing(ctx, &wire.CreateThingRequest{ThingName: demoThing(i)}); err != nil {
				return err
			}
			return d.api.AddThingToThingGroup(ctx, &wire.AddThingToThingGroupRequest{ThingGroupName: demoGroup, ThingName: demoThing(i)})
		})
	}
	return g.Wait()
}

// scaled returns how long something takes at the speed that was asked for.
func (d *demo) scaled(t time.Duration) time.Duration { return time.Duration(float64(t) / d.Speed) }

// devices returns the devices, which differ a little in how fast they are and
// connect over MQTT like any other. One of them fails, unless it is the only one.
func (d *demo) devices() ([]*sim.Device, error) {
	url := d.server.devices.urls()[0] // the demo's server always listens
	var devices []*sim.Device
	for i := range d.Devices {
		plan := sim.Plan{
			Delay:  d.scaled(time.Duration(i%4) * 150 * time.Millisecond),
			Every:  d.scaled(time.Duration(160+30*(i*5%7)) * time.Millisecond),
			Steps:  16,
			Phases: []string{"download", "download", "verify", "install", "restart"},
			Last:   map[string]string{"version": demoVersion},
		}
		if d.Devices > 1 && i == min(3, d.Devices-1) {
			plan.FailAt, plan.Last = 56, map[string]string{"reason": "checksum mismatch"}
		}
		transport, err := dial.New(dial.Config{URL: url, ClientID: demoThing(i)})
		if err != nil {
			return nil, err
		}
		device, err := sim.New(sim.Config{Thing: demoThing(i), Transport: transport, Plan: plan, Log: d.server.log})
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, nil
}

// roll creates the job and shows it until it is over.
func (d *demo) roll(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, max(demoPatience, d.scaled(demoPatience)), errors.New("the job did not end"))
	defer cancel()
	d.out.line("Job %s for %d things in group %s:\n", demoJob, d.Devices, demoGroup)
	v := fleetView{api: d.api, out: d.out, job: demoJob, start: time.Now(), each: d.Devices <= demoRows}
	_, err := d.api.CreateJob(limited, &wire.CreateJobRequest{JobID: demoJob, Targets: []string{d.group}, Document: demoDocument})
	if err == nil {
		err = v.follow(limited)
	}
	if err == nil {
		err = v.result()
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return context.Cause(limited)
	}
	return err
}

// invite prints what to try next, in commands that work as they are.
func (d *demo) invite() {
	s := d.server
	credentials := filepath.Join(s.cfg.Data, credentialsName)
	slow := demoThing(min(3, d.Devices-1))
	d.out.line("\nThe server is up until Ctrl-C. In another terminal, with the AWS CLI:\n")
	d.out.line("%s", exports(credentials, s.url(), s.cfg.Region))
	for _, args := range []string{
		"iot describe-job --job-id " + demoJob,
		"iot list-job-executions-for-job --job-id " + demoJob,
		"iot describe-job-execution --job-id " + demoJob + " --thing-name " + slow,
		"iot create-job --job-id demo-2 --targets " + d.group + " --document " + quote(demoDocument),
		"iot-jobs-data get-pending-job-executions --thing-name " + slow,
	} {
		d.out.line("  aws --profile muster %s", args)
	}
	d.out.line("\nThe devices are connected to %s and go on working. With Muster's own commands, a job and what a device hears and says:\n",
		s.devices.urls()[0])
	d.out.line("  %s jobs create demo-3 --targets group/%s --document '{}' --wait --data %s", program(), demoGroup, quote(s.cfg.Data))
	d.out.line("  %s things messages %s --data %s\n", program(), slow, quote(s.cfg.Data))
}

// program returns how this program is called from a shell: by its name if that
// finds it, else by its path.
func program() string {
	_, err := exec.LookPath("muster")
	path, unknown := os.Executable()
	if err == nil || unknown != nil {
		return "muster"
	}
	return quote(path)
}
