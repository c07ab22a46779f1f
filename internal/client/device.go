package client

import (
	"context"

	"muster/internal/wire"
)

// StartNextPendingJobExecution starts the next execution of a thing, or returns
// the one that is already in progress. The response is empty if none is pending.
func (c *Client) StartNextPendingJobExecution(ctx context.Context, in *wire.StartNextPendingJobExecutionRequest) (*wire.StartNextPendingJobExecutionResponse, error) {
	return call[wire.StartNextPendingJobExecutionResponse](ctx, c, device, "StartNextPendingJobExecution", in)
}

// UpdateJobExecution reports a device's progress. It is not sent again when the
// answer is lost, because it may have been counted: look at the execution first.
func (c *Client) UpdateJobExecution(ctx context.Context, in *wire.UpdateJobExecutionRequest) (*wire.UpdateJobExecutionResponse, error) {
	return call[wire.UpdateJobExecutionResponse](ctx, c, device, "UpdateJobExecution", in)
}

// GetPendingJobExecutions returns the start of a thing's queue.
func (c *Client) GetPendingJobExecutions(ctx context.Context, in *wire.GetPendingJobExecutionsRequest) (*wire.GetPendingJobExecutionsResponse, error) {
	return call[wire.GetPendingJobExecutionsResponse](ctx, c, device, "GetPendingJobExecutions", in)
}

// DeviceDescribeJobExecution returns an execution as its device sees it. The
// job id $next asks for the next one, and the response is empty if there is none.
func (c *Client) DeviceDescribeJobExecution(ctx context.Context, in *wire.DeviceDescribeJobExecutionRequest) (*wire.DeviceDescribeJobExecutionResponse, error) {
	return call[wire.DeviceDescribeJobExecutionResponse](ctx, c, device, "DescribeJobExecution", in)
}
