package httpapi

import (
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) describeJobExecution(c *call, in *wire.DescribeJobExecutionRequest) (wire.DescribeJobExecutionResponse, error) {
	number, err := job.AskedNumber(in.ExecutionNumber)
	if err != nil {
		return wire.DescribeJobExecutionResponse{}, err
	}
	x, at, err := a.engine.DescribeJobExecution(c.ctx, c.principal, in.ThingName, in.JobID, number)
	if err != nil {
		return wire.DescribeJobExecutionResponse{}, err
	}
	return wire.DescribeJobExecutionResponse{Execution: wire.JobExecution{
		JobID:                            x.Job.ID,
		Status:                           x.Status.String(),
		ForceCanceled:                    x.ForceCanceled,
		StatusDetails:                    wire.JobExecutionStatusDetails{DetailsMap: x.Details},
		ThingARN:                         c.arn(thing.ThingKind, x.Thing),
		QueuedAt:                         wire.FractionalSeconds(x.QueuedAt),
		StartedAt:                        wire.FractionalSeconds(x.StartedAt),
		LastUpdatedAt:                    wire.FractionalSeconds(x.UpdatedAt),
		ExecutionNumber:                  x.Number,
		VersionNumber:                    x.Version,
		ApproximateSecondsBeforeTimedOut: secondsLeft(x, at),
	}}, nil
}

// secondsLeft returns how long x may go on, nil if no timer runs.
func secondsLeft(x job.Execution, at int64) *int64 {
	left, ok := x.SecondsLeft(at)
	if !ok {
		return nil
	}
	return &left
}

func executionSummary(x job.Execution) wire.JobExecutionSummary {
	return wire.JobExecutionSummary{
		Status:          x.Status.String(),
		QueuedAt:        wire.FractionalSeconds(x.QueuedAt),
		StartedAt:       wire.FractionalSeconds(x.StartedAt),
		LastUpdatedAt:   wire.FractionalSeconds(x.UpdatedAt),
		ExecutionNumber: x.Number,
	}
}

func (a *API) listJobExecutionsForJob(c *call, in *wire.ListJobExecutionsForJobRequest) (wire.ListJobExecutionsForJobResponse, error) {
	l := list("ListJobExecutionsForJob", in.JobID, in.Status)
	after, err := l.position(in.NextToken)
	if err != nil {
		return wire.ListJobExecutionsForJobResponse{}, err
	}
	status, _ := job.ParseStatus(in.Status) // none is no filter; the binder knows the others
	xs, next, err := a.engine.ListJobExecutionsForJob(c.ctx, c.principal, in.JobID, status, after, in.MaxResults)
	out := wire.ListJobExecutionsForJobResponse{NextToken: l.token(next)}
	for _, x := range xs {
		out.ExecutionSummaries = append(out.ExecutionSummaries, wire.JobExecutionSummaryForJob{
			ThingARN: c.arn(thing.ThingKind, x.Thing), JobExecutionSummary: executionSummary(x),
		})
	}
	return out, err
}

func (a *API) listJobExecutionsForThing(c *call, in *wire.ListJobExecutionsForThingRequest) (wire.ListJobExecutionsForThingResponse, error) {
	l := list("ListJobExecutionsForThing", in.ThingName, in.Status, in.NamespaceID, in.JobID)
	after, err := l.position(in.NextToken)
	if err != nil {
		return wire.ListJobExecutionsForThingResponse{}, err
	}
	f := engine.ThingExecutionFilter{JobID: in.JobID, Namespace: in.NamespaceID}
	f.Status, _ = job.ParseStatus(in.Status) // none is no filter; the binder knows the others
	xs, next, err := a.engine.ListJobExecutionsForThing(c.ctx, c.principal, in.ThingName, f, after, in.MaxResults)
	out := wire.ListJobExecutionsForThingResponse{NextToken: l.token(next)}
	for _, x := range xs {
		out.ExecutionSummaries = append(out.ExecutionSummaries, wire.JobExecutionSummaryForThing{
			JobID: x.Job.ID, JobExecutionSummary: executionSummary(x),
		})
	}
	return out, err
}

func (a *API) cancelJobExecution(c *call, in *wire.CancelJobExecutionRequest) (wire.Empty, error) {
	return wire.Empty{}, a.engine.CancelJobExecution(c.ctx, c.principal, in.ThingName, in.JobID,
		job.Cancel{Force: in.Force, ExpectedVersion: in.ExpectedVersion, Details: in.StatusDetails})
}

func (a *API) deleteJobExecution(c *call, in *wire.DeleteJobExecutionRequest) (wire.Empty, error) {
	number, err := job.AskedNumber(&in.ExecutionNumber)
	if err != nil {
		return wire.Empty{}, err
	}
	return wire.Empty{}, a.engine.DeleteJobExecution(c.ctx, c.principal, in.ThingName, in.JobID, number, in.NamespaceID, in.Force)
}
