package mqttapi

import (
	"context"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/wire"
)

func (a *API) getPending(ctx context.Context, x *exchange) (any, error) {
	in, err := decode[wire.GetPendingJobExecutionsRequest](x)
	if err != nil {
		return nil, err
	}
	xs, err := a.engine.PendingJobExecutions(ctx, x.Principal, in.ThingName, "")
	if err != nil {
		return nil, err
	}
	inProgress, queued := summaries(xs)
	return wire.GetPendingJobExecutionsResponse{InProgressJobs: inProgress, QueuedJobs: queued}, nil
}

func (a *API) startNext(ctx context.Context, x *exchange) (any, error) {
	in, err := decode[wire.StartNextPendingJobExecutionRequest](x)
	if err != nil {
		return nil, err
	}
	x.release = a.engine.Hold(ctx, in.ThingName)
	d, found, err := a.engine.StartNextPendingJobExecution(ctx, x.Principal, engine.StartRequest{
		Thing: in.ThingName,
		Start: job.Start{Details: in.StatusDetails, StepTimeoutMinutes: in.StepTimeoutInMinutes},
	})
	if err != nil || !found {
		return wire.StartNextPendingJobExecutionResponse{}, err
	}
	return wire.StartNextPendingJobExecutionResponse{Execution: execution(d)}, nil
}

func (a *API) describe(ctx context.Context, x *exchange) (any, error) {
	in, err := decode[wire.DeviceDescribeJobExecutionRequest](x)
	if err != nil {
		return nil, err
	}
	number, err := job.AskedNumber(in.ExecutionNumber)
	if err != nil {
		return nil, err
	}
	d, found, err := a.engine.DescribeNext(ctx, x.Principal, engine.DescribeRequest{
		Thing: in.ThingName, JobID: in.JobID, Namespace: x.topic.Namespace, Number: number,
		Document: in.IncludeJobDocument == nil || *in.IncludeJobDocument,
	})
	if err != nil || !found {
		return wire.DeviceDescribeJobExecutionResponse{}, err
	}
	return wire.DeviceDescribeJobExecutionResponse{Execution: execution(d)}, nil
}

func (a *API) update(ctx context.Context, x *exchange) (any, error) {
	in, err := decode[wire.UpdateJobExecutionRequest](x)
	if err != nil {
		return nil, err
	}
	status, err := job.ParseReported(in.Status)
	if err != nil {
		return nil, err
	}
	number, err := job.AskedNumber(in.ExecutionNumber)
	if err != nil {
		return nil, err
	}
	x.release = a.engine.Hold(ctx, in.ThingName)
	d, err := a.engine.UpdateJobExecution(ctx, x.Principal, engine.UpdateRequest{
		Thing: in.ThingName, JobID: in.JobID, Namespace: x.topic.Namespace, Number: number, Document: in.IncludeJobDocument,
		Update: job.Update{
			Status: status, Details: in.StatusDetails,
			ExpectedVersion: in.ExpectedVersion, StepTimeoutMinutes: in.StepTimeoutInMinutes,
		},
	})
	if err != nil {
		return nil, err
	}
	out := wire.UpdateJobExecutionResponse{JobDocument: wire.NewDocument(d.Document)}
	if in.IncludeJobExecutionState {
		state := d.State()
		out.ExecutionState = wire.StateOf(&state)
	}
	return out, nil
}

// execution returns an execution as its device sees it, with the document if
// the delivery has one. The topic names the thing.
func execution(d engine.Delivery) *wire.DeviceJobExecution {
	x := &wire.DeviceJobExecution{
		JobID:           d.Job.ID,
		Status:          d.Status.String(),
		StatusDetails:   d.Details,
		QueuedAt:        wire.Seconds(d.QueuedAt),
		StartedAt:       wire.Seconds(d.StartedAt),
		LastUpdatedAt:   wire.Seconds(d.UpdatedAt),
		VersionNumber:   d.Version,
		ExecutionNumber: d.Number,
		JobDocument:     wire.NewDocument(d.Document),
	}
	if left, ok := d.SecondsLeft(d.At); ok {
		x.ApproximateSecondsBeforeTimedOut = &left
	}
	return x
}

// summaries returns pending executions in lists for their device, in order.
func summaries(xs []job.Execution) (inProgress, queued []wire.DeviceJobExecutionSummary) {
	for _, x := range xs {
		s := wire.DeviceJobExecutionSummary{
			JobID:           x.Job.ID,
			QueuedAt:        wire.Seconds(x.QueuedAt),
			LastUpdatedAt:   wire.Seconds(x.UpdatedAt),
			StartedAt:       wire.Seconds(x.StartedAt),
			ExecutionNumber: x.Number,
			VersionNumber:   x.Version,
		}
		if x.Status == job.InProgress {
			inProgress = append(inProgress, s)
		} else {
			queued = append(queued, s)
		}
	}
	return inProgress, queued
}
