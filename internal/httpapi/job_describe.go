package httpapi

import (
	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) describeJob(c *call, in *wire.DescribeJobRequest) (wire.DescribeJobResponse, error) {
	d, err := a.engine.DescribeJob(c.ctx, c.principal, in.JobID)
	if err != nil {
		return wire.DescribeJobResponse{}, err
	}
	return wire.DescribeJobResponse{Job: wireJob(c, d)}, nil
}

func wireJob(c *call, d engine.JobDetails) wire.Job {
	return wire.Job{
		JobARN:            c.arn(thing.JobKind, d.ID),
		JobID:             d.ID,
		TargetSelection:   d.Selection.String(),
		Status:            d.State.String(),
		ForceCanceled:     d.Forced,
		ReasonCode:        d.ReasonCode,
		Comment:           d.Comment,
		Targets:           c.targetARNs(d.Targets),
		Description:       d.Description,
		CreatedAt:         wire.FractionalSeconds(d.CreatedAt),
		LastUpdatedAt:     wire.FractionalSeconds(d.UpdatedAt),
		CompletedAt:       wire.FractionalSeconds(d.CompletedAt),
		JobProcessDetails: processDetails(c, d),
		TimeoutConfig:     wire.TimeoutConfig{InProgressTimeoutInMinutes: d.TimeoutMinutes},
		NamespaceID:       d.Namespace,
		IsConcurrent:      onlyTrue(d.Concurrent),
	}
}

func processDetails(c *call, d engine.JobDetails) wire.JobProcessDetails {
	return wire.JobProcessDetails{
		ProcessingTargets:        c.targetARNs(d.Processing),
		NumberOfCanceledThings:   d.Counts[job.Canceled],
		NumberOfSucceededThings:  d.Counts[job.Succeeded],
		NumberOfFailedThings:     d.Counts[job.Failed],
		NumberOfRejectedThings:   d.Counts[job.Rejected],
		NumberOfQueuedThings:     d.Counts[job.Queued],
		NumberOfInProgressThings: d.Counts[job.InProgress],
		NumberOfRemovedThings:    d.Counts[job.Removed],
		NumberOfTimedOutThings:   d.Counts[job.TimedOut],
	}
}

// onlyTrue returns a member that is left out when it is false.
func onlyTrue(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

func (a *API) listJobs(c *call, in *wire.ListJobsRequest) (wire.ListJobsResponse, error) {
	l := list("ListJobs", in.Status, in.TargetSelection, in.ThingGroupName, in.ThingGroupID, in.NamespaceID)
	after, err := l.position(in.NextToken)
	if err != nil {
		return wire.ListJobsResponse{}, err
	}
	f := engine.JobFilter{Namespace: in.NamespaceID, GroupName: in.ThingGroupName, GroupID: in.ThingGroupID}
	f.State, _ = job.ParseState(in.Status) // none is no filter; the binder knows the others
	if in.TargetSelection != "" {
		f.Selection, _ = job.ParseSelection(in.TargetSelection)
	}
	jobs, next, err := a.engine.ListJobs(c.ctx, c.principal, f, after, in.MaxResults)
	out := wire.ListJobsResponse{NextToken: l.token(next)}
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, wire.JobSummary{
			JobARN:          c.arn(thing.JobKind, j.ID),
			JobID:           j.ID,
			TargetSelection: j.Selection.String(),
			Status:          j.State.String(),
			CreatedAt:       wire.FractionalSeconds(j.CreatedAt),
			LastUpdatedAt:   wire.FractionalSeconds(j.UpdatedAt),
			CompletedAt:     wire.FractionalSeconds(j.CompletedAt),
		})
	}
	return out, err
}
