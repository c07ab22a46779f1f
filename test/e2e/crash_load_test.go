package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"muster/internal/client"
	"muster/internal/wire"
)

// load is what goes on while a server is killed: operators, and devices that use
// HTTP and MQTT by turns.
type load struct {
	ledger   *ledger
	client   *client.Client
	couriers []*courier // of the devices
	round    int
	seed     uint64
	things   []string // of the devices
}

const (
	loadOperators = 2
	loadDevices   = 8
)

// run works until the server is gone, and returns what must not have happened.
func (l load) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	worker := func(id int, step func(context.Context, *rand.Rand, int) error) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(l.seed, uint64(l.round*100+id)))
			for n := 0; ; n++ {
				err := step(ctx, r, n)
				if l.ledger.lost(err) && ctx.Err() == nil && l.ledger.ending() {
					return // the end of the server
				}
				if err != nil {
					cancel(fmt.Errorf("worker %d: %w", id, err))
					return
				}
			}
		})
	}
	for id := range loadOperators {
		worker(id, func(ctx context.Context, r *rand.Rand, n int) error {
			return l.operate(ctx, r, fmt.Sprintf("%d-%d-%d", l.round, id, n))
		})
	}
	for id := range loadDevices {
		own := shareOf(id, l.things)
		worker(loadOperators+id, func(ctx context.Context, r *rand.Rand, n int) error {
			return l.device(ctx, r, id, own[r.IntN(len(own))])
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// shareOf returns those of a device: no thing has two.
func shareOf(device int, things []string) []string {
	var own []string
	for i := device; i < len(things); i += loadDevices {
		own = append(own, things[i])
	}
	return own
}

// door returns one of a device's ways to the server.
func (l load) door(r *rand.Rand, device int) deviceAPI {
	if r.IntN(2) == 0 {
		return l.client
	}
	return l.couriers[device]
}

// operate is one request of an operator.
func (l load) operate(ctx context.Context, r *rand.Rand, name string) error {
	switch r.IntN(6) {
	case 0, 1:
		out, err := l.client.CreateThing(ctx, &wire.CreateThingRequest{ThingName: "thing-" + name})
		if err == nil {
			l.ledger.ack(func() { l.ledger.things["thing-"+name] = out.ThingID })
		}
		return err
	case 2:
		return l.cancel(ctx, r)
	}
	things := slices.Clone(l.things)
	r.Shuffle(len(things), func(i, j int) { things[i], things[j] = things[j], things[i] })
	return l.create(ctx, "job-"+name, things[:1+r.IntN(4)])
}

func (l load) create(ctx context.Context, id string, things []string) error {
	j := &jobRecord{things: things, document: fmt.Sprintf(`{"job": %q}`, id)}
	in := &wire.CreateJobRequest{JobID: id, Document: j.document}
	for _, thing := range things {
		in.Targets = append(in.Targets, thingARN(thing))
	}
	l.ledger.do(func() { l.ledger.maybe[id] = j })
	_, err := l.client.CreateJob(ctx, in)
	if err == nil {
		l.ledger.ack(func() { l.ledger.adopt(id, j) })
	}
	return err
}

// cancel cancels a job, with force or without.
func (l load) cancel(ctx context.Context, r *rand.Rand) error {
	var id string
	force := r.IntN(2) == 0
	l.ledger.do(func() {
		ids := l.ledger.cancelable()
		if len(ids) > 0 {
			id = ids[r.IntN(len(ids))]
			l.ledger.jobs[id].cancel, l.ledger.jobs[id].force = maybeCanceled, force
		}
	})
	if id == "" {
		return nil
	}
	_, err := l.client.CancelJob(ctx, &wire.CancelJobRequest{JobID: id, Force: force})
	switch {
	case err == nil:
		l.ledger.ack(func() { l.ledger.jobs[id].cancel = canceled })
	case client.Code(err) == "InvalidRequestException": // completed before
		l.ledger.do(func() { l.ledger.jobs[id].cancel = notCanceled })
		return nil
	}
	return err
}

// device is one turn of a device: it starts what is next and reports once.
func (l load) device(ctx context.Context, r *rand.Rand, id int, thing string) error {
	l.ledger.do(func() { l.ledger.starts[thing]++ })
	out, err := l.door(r, id).StartNextPendingJobExecution(ctx, &wire.StartNextPendingJobExecutionRequest{ThingName: thing})
	if l.ledger.lost(err) {
		return err
	}
	if err != nil || out.Execution == nil {
		l.ledger.do(func() { l.ledger.starts[thing]-- })
		return err
	}
	x := out.Execution
	key := executionKey{thing, x.JobID}
	now := outcome{x.Status, x.VersionNumber, x.StatusDetails["step"]}
	if err := l.ledger.started(key, now); err != nil {
		return err
	}
	return l.report(ctx, r, l.door(r, id), key, now)
}

// report reports progress or the end of an execution that is in progress.
func (l load) report(ctx context.Context, r *rand.Rand, door deviceAPI, key executionKey, now outcome) error {
	next := outcome{"IN_PROGRESS", now.version + 1, strconv.FormatUint(r.Uint64(), 36)}
	switch r.IntN(6) {
	case 0:
		next.status = "SUCCEEDED"
	case 1:
		next.status = "FAILED"
	}
	l.ledger.asking(key, next)
	_, err := door.UpdateJobExecution(ctx, &wire.UpdateJobExecutionRequest{
		ThingName: key.thing, JobID: key.job, Status: next.status, ExpectedVersion: &now.version, StatusDetails: wire.Details{"step": next.step},
	})
	switch {
	case err == nil:
		l.ledger.ack(func() { l.ledger.settle(l.ledger.executions[key], next) })
	case !l.ledger.lost(err):
		explained := l.ledger.refused(key, next) || l.ledger.canceling(key.job)
		if client.Code(err) == "InvalidStateTransitionException" && explained {
			return nil
		}
		return fmt.Errorf("update of %+v from %+v: %w", key, now, err)
	}
	return err
}
