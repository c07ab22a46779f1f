package client

import (
	"context"
	"iter"

	"muster/internal/wire"
)

// DescribeJobExecution returns an execution as operators see it, the latest one if no number is given.
func (c *Client) DescribeJobExecution(ctx context.Context, in *wire.DescribeJobExecutionRequest) (*wire.DescribeJobExecutionResponse, error) {
	return call[wire.DescribeJobExecutionResponse](ctx, c, control, "DescribeJobExecution", in)
}

// CancelJobExecution cancels the latest execution of a job on a thing.
func (c *Client) CancelJobExecution(ctx context.Context, in *wire.CancelJobExecutionRequest) error {
	return c.Call(ctx, control, "CancelJobExecution", in, nil)
}

// DeleteJobExecution deletes one execution.
func (c *Client) DeleteJobExecution(ctx context.Context, in *wire.DeleteJobExecutionRequest) error {
	return c.Call(ctx, control, "DeleteJobExecution", in, nil)
}

// ListJobExecutionsForJob returns one page of the executions of a job. It may be short, or empty, and still carry a token.
func (c *Client) ListJobExecutionsForJob(ctx context.Context, in *wire.ListJobExecutionsForJobRequest) (*wire.ListJobExecutionsForJobResponse, error) {
	return call[wire.ListJobExecutionsForJobResponse](ctx, c, control, "ListJobExecutionsForJob", in)
}

// JobExecutions yields all executions of a job that pass the filters of in; see Jobs.
func (c *Client) JobExecutions(ctx context.Context, in wire.ListJobExecutionsForJobRequest) iter.Seq2[wire.JobExecutionSummaryForJob, error] {
	return pages(in.NextToken, func(token string) ([]wire.JobExecutionSummaryForJob, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListJobExecutionsForJob(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.ExecutionSummaries, out.NextToken, nil
	})
}

// ListJobExecutionsForThing returns one page of the executions on a thing. It may be short, or empty, and still carry a token.
func (c *Client) ListJobExecutionsForThing(ctx context.Context, in *wire.ListJobExecutionsForThingRequest) (*wire.ListJobExecutionsForThingResponse, error) {
	return call[wire.ListJobExecutionsForThingResponse](ctx, c, control, "ListJobExecutionsForThing", in)
}

// ThingExecutions yields all executions on a thing that pass the filters of in; see Jobs.
func (c *Client) ThingExecutions(ctx context.Context, in wire.ListJobExecutionsForThingRequest) iter.Seq2[wire.JobExecutionSummaryForThing, error] {
	return pages(in.NextToken, func(token string) ([]wire.JobExecutionSummaryForThing, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListJobExecutionsForThing(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.ExecutionSummaries, out.NextToken, nil
	})
}
