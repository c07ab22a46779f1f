package wire

// JobExecutionsChanged is the notification that the set of a thing's pending
// executions has changed [jobs-mqtt-api, JobExecutionsChanged].
type JobExecutionsChanged struct {
	Jobs PendingJobs `json:"jobs"`
}

// PendingJobs are a thing's pending executions by status. A status without any
// is left out.
type PendingJobs struct {
	InProgress []DeviceJobExecutionSummary `json:"IN_PROGRESS,omitempty"`
	Queued     []DeviceJobExecutionSummary `json:"QUEUED,omitempty"`
}

// NextJobExecutionChanged is the notification that another execution is next
// [jobs-mqtt-api, NextJobExecutionChanged], or none.
type NextJobExecutionChanged struct {
	Execution *DeviceJobExecution `json:"execution,omitempty"`
}

// RequestRejected is the answer to a message that was refused
// [jobs-mqtt-api, ErrorResponse]. ExecutionState is there only with the codes
// InvalidStateTransition and VersionMismatch.
type RequestRejected struct {
	Code           string             `json:"code"`
	Message        string             `json:"message"`
	ExecutionState *JobExecutionState `json:"executionState,omitempty"`
}
