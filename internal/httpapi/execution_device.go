package httpapi

import (
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/wire"
)

func (a *API) deviceDescribeJobExecution(c *call, in *wire.DeviceDescribeJobExecutionRequest) (wire.DeviceDescribeJobExecutionResponse, error) {
	number, err := job.AskedNumber(in.ExecutionNumber)
	if err != nil {
		return wire.DeviceDescribeJobExecutionResponse{}, err
	}
	d, found, err := a.engine.DescribeNext(c.ctx, c.principal, engine.DescribeRequest{
		Thing: in.ThingName, JobID: in.JobID, Namespace: in.NamespaceID, Number: number,
		Document: in.IncludeJobDocument == nil || *in.IncludeJobDocument,
	})
	if err != nil || !found {
		return wire.DeviceDescribeJobExecutionResponse{}, err
	}
	return wire.DeviceDescribeJobExecutionResponse{Execution: deviceExecution(d)}, nil
}

// deviceExecution returns an execution as its device sees it over HTTP, with
// the document if the delivery has one.
func deviceExecution(d engine.Delivery) *wire.DeviceJobExecution {
	return &wire.DeviceJobExecution{
		JobID:                            d.Job.ID,
		ThingName:                        d.Thing,
		Status:                           d.Status.String(),
		StatusDetails:                    d.Details,
		QueuedAt:                         wire.Seconds(d.QueuedAt),
		StartedAt:                        wire.Seconds(d.StartedAt),
		LastUpdatedAt:                    wire.Seconds(d.UpdatedAt),
		VersionNumber:                    d.Version,
		ExecutionNumber:                  d.Number,
		ApproximateSecondsBeforeTimedOut: secondsLeft(d.Execution, d.At),
		JobDocument:                      wire.NewDocument(d.Document),
	}
}

func (a *API) getPendingJobExecutions(c *call, in *wire.GetPendingJobExecutionsRequest) (wire.GetPendingJobExecutionsResponse, error) {
	var out wire.GetPendingJobExecutionsResponse
	xs, err := a.engine.PendingJobExecutions(c.ctx, c.principal, in.ThingName, in.NamespaceID)
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
			out.InProgressJobs = append(out.InProgressJobs, s)
		} else {
			out.QueuedJobs = append(out.QueuedJobs, s)
		}
	}
	return out, err
}

func (a *API) startNextPendingJobExecution(c *call, in *wire.StartNextPendingJobExecutionRequest) (wire.StartNextPendingJobExecutionResponse, error) {
	d, found, err := a.engine.StartNextPendingJobExecution(c.ctx, c.principal, engine.StartRequest{
		Thing: in.ThingName, Namespace: in.NamespaceID,
		Start: job.Start{Details: in.StatusDetails, StepTimeoutMinutes: in.StepTimeoutInMinutes},
	})
	if err != nil || !found {
		return wire.StartNextPendingJobExecutionResponse{}, err
	}
	return wire.StartNextPendingJobExecutionResponse{Execution: deviceExecution(d)}, nil
}

func (a *API) updateJobExecution(c *call, in *wire.UpdateJobExecutionRequest) (wire.UpdateJobExecutionResponse, error) {
	var out wire.UpdateJobExecutionResponse
	status, err := job.ParseReported(in.Status)
	if err != nil {
		return out, err
	}
	number, err := job.AskedNumber(in.ExecutionNumber)
	if err != nil {
		return out, err
	}
	d, err := a.engine.UpdateJobExecution(c.ctx, c.principal, engine.UpdateRequest{
		Thing: in.ThingName, JobID: in.JobID, Namespace: in.NamespaceID, Number: number, Document: in.IncludeJobDocument,
		Update: job.Update{
			Status: status, Details: in.StatusDetails,
			ExpectedVersion: in.ExpectedVersion, StepTimeoutMinutes: in.StepTimeoutInMinutes,
		},
	})
	if err != nil {
		return out, err
	}
	if in.IncludeJobExecutionState {
		state := d.State()
		out.ExecutionState = wire.StateOf(&state)
	}
	out.JobDocument = wire.NewDocument(d.Document)
	return out, nil
}
