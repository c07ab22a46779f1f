package client

import (
	"context"
	"iter"

	"muster/internal/wire"
)

// CreateJob makes a job.
func (c *Client) CreateJob(ctx context.Context, in *wire.CreateJobRequest) (*wire.JobReference, error) {
	return call[wire.JobReference](ctx, c, control, "CreateJob", in)
}

// DescribeJob returns a job with its counters.
func (c *Client) DescribeJob(ctx context.Context, in *wire.DescribeJobRequest) (*wire.DescribeJobResponse, error) {
	return call[wire.DescribeJobResponse](ctx, c, control, "DescribeJob", in)
}

// GetJobDocument returns a job's document.
func (c *Client) GetJobDocument(ctx context.Context, in *wire.GetJobDocumentRequest) (*wire.GetJobDocumentResponse, error) {
	return call[wire.GetJobDocumentResponse](ctx, c, control, "GetJobDocument", in)
}

// CancelJob cancels a job.
func (c *Client) CancelJob(ctx context.Context, in *wire.CancelJobRequest) (*wire.JobReference, error) {
	return call[wire.JobReference](ctx, c, control, "CancelJob", in)
}

// DeleteJob deletes a job. It is gone when DescribeJob no longer finds it.
func (c *Client) DeleteJob(ctx context.Context, in *wire.DeleteJobRequest) error {
	return c.Call(ctx, control, "DeleteJob", in, nil)
}

// ListJobs returns one page of jobs.
func (c *Client) ListJobs(ctx context.Context, in *wire.ListJobsRequest) (*wire.ListJobsResponse, error) {
	return call[wire.ListJobsResponse](ctx, c, control, "ListJobs", in)
}

// Jobs yields all jobs that pass the filters of in, from its NextToken on. Each
// request asks for MaxResults of them; a failed one ends the list with its error.
func (c *Client) Jobs(ctx context.Context, in wire.ListJobsRequest) iter.Seq2[wire.JobSummary, error] {
	return pages(in.NextToken, func(token string) ([]wire.JobSummary, string, error) {
		page := in
		page.NextToken = token
		out, err := c.ListJobs(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return out.Jobs, out.NextToken, nil
	})
}
