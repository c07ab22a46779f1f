package httpapi

import (
	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/thing"
	"muster/internal/wire"
)

func (a *API) createJob(c *call, in *wire.CreateJobRequest) (wire.JobReference, error) {
	spec, err := jobSpec(c, in)
	if err != nil {
		return wire.JobReference{}, err
	}
	j, err := a.engine.CreateJob(c.ctx, c.principal, spec, tagsOf(in.Tags))
	return jobReference(c, j), err
}

// jobSpec returns what a request asks for. Whether its targets exist is the
// engine's to say; that there must be a document is said here, because the other
// two sources of one are not served [jobs-api, CreateJob].
func jobSpec(c *call, in *wire.CreateJobRequest) (job.Spec, error) {
	if in.Document == "" {
		return job.Spec{}, apierr.New(apierr.Invalid, "A job needs a document: 'document' must be given.")
	}
	if err := job.CheckPlaceholders(in.Document); err != nil {
		return job.Spec{}, err
	}
	targets, err := c.targets(in.Targets)
	if err != nil {
		return job.Spec{}, err
	}
	selection, ok := job.ParseSelection(in.TargetSelection)
	if !ok {
		return job.Spec{}, apierr.New(apierr.Invalid, "Invalid targetSelection.")
	}
	return job.Spec{
		ID: in.JobID, Namespace: in.NamespaceID, Description: in.Description, Document: in.Document,
		Targets: targets, Selection: selection, TimeoutMinutes: in.TimeoutConfig.InProgressTimeoutInMinutes,
	}, nil
}

func jobReference(c *call, j job.Job) wire.JobReference {
	return wire.JobReference{JobARN: c.arn(thing.JobKind, j.ID), JobID: j.ID, Description: j.Description}
}

func (a *API) updateJob(c *call, in *wire.UpdateJobRequest) (wire.Empty, error) {
	var p job.Patch
	if in.Description != "" {
		p.Description = &in.Description
	}
	if in.TimeoutConfig != nil {
		p.TimeoutMinutes = &in.TimeoutConfig.InProgressTimeoutInMinutes
	}
	return wire.Empty{}, a.engine.UpdateJob(c.ctx, c.principal, in.JobID, in.NamespaceID, p)
}

func (a *API) cancelJob(c *call, in *wire.CancelJobRequest) (wire.JobReference, error) {
	j, err := a.engine.CancelJob(c.ctx, c.principal, in.JobID,
		job.CancelJob{ReasonCode: in.ReasonCode, Comment: in.Comment, Force: in.Force})
	return jobReference(c, j), err
}

func (a *API) deleteJob(c *call, in *wire.DeleteJobRequest) (wire.Empty, error) {
	return wire.Empty{}, a.engine.DeleteJob(c.ctx, c.principal, in.JobID, in.NamespaceID, in.Force)
}

func (a *API) associateTargetsWithJob(c *call, in *wire.AssociateTargetsWithJobRequest) (wire.JobReference, error) {
	targets, err := c.targets(in.Targets)
	if err != nil {
		return wire.JobReference{}, err
	}
	j, err := a.engine.AssociateTargets(c.ctx, c.principal, in.JobID, in.NamespaceID, targets, in.Comment)
	return jobReference(c, j), err
}

func (a *API) getJobDocument(c *call, in *wire.GetJobDocumentRequest) (wire.GetJobDocumentResponse, error) {
	doc, err := a.engine.JobDocument(c.ctx, c.principal, in.JobID)
	return wire.GetJobDocumentResponse{Document: doc}, err
}
