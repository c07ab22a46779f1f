package main

import (
	"context"
	"fmt"
	"strings"

	"muster/internal/wire"
)

type jobsCmd struct {
	Create     jobsCreateCmd     `cmd:"" help:"Create a job for things or groups."`
	List       jobsListCmd       `cmd:"" help:"List jobs."`
	Describe   jobsDescribeCmd   `cmd:"" help:"Show a job and how far it is."`
	Document   jobsDocumentCmd   `cmd:"" help:"Print a job's document as it was given."`
	Executions jobsExecutionsCmd `cmd:"" help:"List what a job has come to on each thing."`
	Watch      jobsWatchCmd      `cmd:"" help:"Follow a job until it is over; the exit code says how it ended."`
	Cancel     jobsCancelCmd     `cmd:"" help:"Cancel a job."`
	Delete     jobsDeleteCmd     `cmd:"" help:"Delete a job and all its executions."`
}

type jobsListCmd struct {
	remote
	Status    string `help:"Only jobs in this state, such as IN_PROGRESS." placeholder:"STATUS"`
	Selection string `help:"Only SNAPSHOT or CONTINUOUS jobs." placeholder:"SELECTION"`
	Group     string `help:"Only jobs that target this thing group." placeholder:"GROUP"`
}

// Run lists jobs.
func (c jobsListCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	jobs := api.Jobs(ctx, wire.ListJobsRequest{
		Status: strings.ToUpper(c.Status), TargetSelection: strings.ToUpper(c.Selection), ThingGroupName: c.Group,
		MaxResults: pageSize,
	})
	return list(sys, c.outputFlags, "jobs", jobs, []string{"JOB", "STATUS", "SELECTION", "CREATED", "COMPLETED"},
		func(j wire.JobSummary) []string {
			return []string{j.JobID, j.Status, j.TargetSelection, timestamp(j.CreatedAt), timestamp(j.CompletedAt)}
		})
}

type jobsDescribeCmd struct {
	remote
	ID string `arg:"" help:"The job's id."`
}

// Run shows a job.
func (c jobsDescribeCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	out, err := api.DescribeJob(ctx, &wire.DescribeJobRequest{JobID: c.ID})
	if err != nil {
		return err
	}
	if c.json() {
		return printJSON(sys.stdout, out)
	}
	j := out.Job
	targets := make([]string, len(j.Targets))
	for i, arn := range j.Targets {
		targets[i] = targetOf(arn)
	}
	timeout := ""
	if m := j.TimeoutConfig.InProgressTimeoutInMinutes; m != 0 {
		timeout = fmt.Sprintf("%d min in progress", m)
	}
	return fields(sys.stdout, [][2]string{
		{"job", j.JobID}, {"arn", j.JobARN}, {"status", j.Status}, {"reason", j.ReasonCode}, {"comment", j.Comment},
		{"description", j.Description}, {"selection", j.TargetSelection}, {"targets", strings.Join(targets, ", ")},
		{"timeout", timeout}, {"namespace", j.NamespaceID}, {"created", timestamp(j.CreatedAt)},
		{"updated", timestamp(j.LastUpdatedAt)}, {"completed", timestamp(j.CompletedAt)},
		{"executions", tally(j.JobProcessDetails).String()},
	})
}

type jobsDocumentCmd struct {
	remote
	ID string `arg:"" help:"The job's id."`
}

// Run prints the document, and nothing else, so that it can be piped.
func (c jobsDocumentCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	out, err := api.GetJobDocument(ctx, &wire.GetJobDocumentRequest{JobID: c.ID})
	if err != nil {
		return err
	}
	if c.json() {
		return printJSON(sys.stdout, out)
	}
	_, err = fmt.Fprintln(sys.stdout, out.Document)
	return err
}

type jobsExecutionsCmd struct {
	remote
	ID     string `arg:"" help:"The job's id."`
	Status string `help:"Only executions in this state, such as FAILED." placeholder:"STATUS"`
}

// Run lists the executions of a job.
func (c jobsExecutionsCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	executions := api.JobExecutions(ctx, wire.ListJobExecutionsForJobRequest{
		JobID: c.ID, Status: strings.ToUpper(c.Status), MaxResults: pageSize,
	})
	return list(sys, c.outputFlags, "executionSummaries", executions,
		[]string{"THING", "NUMBER", "STATUS", "QUEUED", "STARTED", "UPDATED"},
		func(e wire.JobExecutionSummaryForJob) []string {
			x := e.JobExecutionSummary
			return []string{
				nameOf(e.ThingARN), fmt.Sprint(x.ExecutionNumber), x.Status,
				timestamp(x.QueuedAt), timestamp(x.StartedAt), timestamp(x.LastUpdatedAt),
			}
		})
}

type jobsCancelCmd struct {
	remote
	ID      string `arg:"" help:"The job's id."`
	Force   bool   `help:"Cancel executions that are in progress, too."`
	Reason  string `help:"Reason code to keep with the job." placeholder:"CODE"`
	Comment string `help:"Words to keep with the job." placeholder:"TEXT"`
}

// Run cancels a job.
func (c jobsCancelCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	out, err := api.CancelJob(ctx, &wire.CancelJobRequest{JobID: c.ID, Force: c.Force, ReasonCode: c.Reason, Comment: c.Comment})
	if err != nil {
		return err
	}
	return c.done(sys, out, "job %s is canceled", out.JobID)
}

type jobsDeleteCmd struct {
	remote
	ID    string `arg:"" help:"The job's id."`
	Force bool   `help:"Delete it even while it is in progress."`
}

// Run deletes a job.
func (c jobsDeleteCmd) Run(ctx context.Context, sys system) error {
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	if err := api.DeleteJob(ctx, &wire.DeleteJobRequest{JobID: c.ID, Force: c.Force}); err != nil {
		return err
	}
	return c.done(sys, struct{}{}, "job %s is being deleted", c.ID)
}
