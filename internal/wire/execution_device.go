package wire

import "muster/internal/apierr"

// DeviceDescribeJobExecutionRequest asks for an execution as its device sees
// it [jobs-mqtt-api, DescribeJobExecution]. JobID may be $next. The options
// come by query over HTTP and in the payload over MQTT; nil IncludeJobDocument
// means true, nil ExecutionNumber the latest.
type DeviceDescribeJobExecutionRequest struct {
	ThingName          string `json:"-" uri:"thingName" shape:"ThingName"`
	JobID              string `json:"-" uri:"jobId" shape:"DescribeJobExecutionJobId"`
	IncludeJobDocument *bool  `json:"includeJobDocument,omitempty" query:"includeJobDocument"`
	ExecutionNumber    *int64 `json:"executionNumber,omitempty" query:"executionNumber" shape:"ExecutionNumber" lenient:"true"`
	NamespaceID        string `json:"-" query:"namespaceId" shape:"NamespaceId"`
}

// DeviceDescribeJobExecutionResponse holds the execution, or nothing when
// $next was asked for and no execution is pending.
type DeviceDescribeJobExecutionResponse struct {
	Execution *DeviceJobExecution `json:"execution,omitempty"`
}

// DeviceJobExecution is an execution as its device sees it. Small parsers read
// it on small devices, so the order of its members is kept, with the document
// last.
type DeviceJobExecution struct {
	JobID string `json:"jobId"`
	// ThingName is left out over MQTT, where the topic says it.
	ThingName       string  `json:"thingName,omitempty"`
	Status          string  `json:"status"`
	StatusDetails   Details `json:"statusDetails,omitempty"`
	QueuedAt        Seconds `json:"queuedAt"`
	StartedAt       Seconds `json:"startedAt,omitzero"`
	LastUpdatedAt   Seconds `json:"lastUpdatedAt"`
	VersionNumber   int64   `json:"versionNumber"`
	ExecutionNumber int64   `json:"executionNumber"`
	// ApproximateSecondsBeforeTimedOut is nil unless a timer runs.
	ApproximateSecondsBeforeTimedOut *int64   `json:"approximateSecondsBeforeTimedOut,omitempty"`
	JobDocument                      Document `json:"jobDocument,omitzero"`
}

// DeviceJobExecutionSummary is a pending execution in a list for its device.
type DeviceJobExecutionSummary struct {
	JobID           string  `json:"jobId"`
	QueuedAt        Seconds `json:"queuedAt"`
	LastUpdatedAt   Seconds `json:"lastUpdatedAt"`
	StartedAt       Seconds `json:"startedAt,omitzero"`
	ExecutionNumber int64   `json:"executionNumber"`
	VersionNumber   int64   `json:"versionNumber"`
}

// GetPendingJobExecutionsRequest asks for a thing's pending executions
// [jobs-mqtt-api, GetPendingJobExecutions].
type GetPendingJobExecutionsRequest struct {
	ThingName   string `json:"-" uri:"thingName" shape:"ThingName"`
	NamespaceID string `json:"-" query:"namespaceId" shape:"NamespaceId"`
}

// GetPendingJobExecutionsResponse lists a thing's pending executions. Both
// lists are always present.
type GetPendingJobExecutionsResponse struct {
	InProgressJobs List[DeviceJobExecutionSummary] `json:"inProgressJobs"`
	QueuedJobs     List[DeviceJobExecutionSummary] `json:"queuedJobs"`
}

// StartNextPendingJobExecutionRequest starts the next execution of a thing
// [jobs-mqtt-api, StartNextPendingJobExecution]. StepTimeoutInMinutes 0 sets
// no step timer.
type StartNextPendingJobExecutionRequest struct {
	ThingName            string  `json:"-" uri:"thingName" shape:"ThingName"`
	NamespaceID          string  `json:"-" query:"namespaceId" shape:"NamespaceId"`
	StatusDetails        Details `json:"statusDetails,omitempty" shape:"DetailsMap"`
	StepTimeoutInMinutes int64   `json:"stepTimeoutInMinutes,omitempty" shape:"StepTimeoutInMinutes" lenient:"true"`
}

// StartNextPendingJobExecutionResponse holds the execution, or nothing when
// none is pending.
type StartNextPendingJobExecutionResponse struct {
	Execution *DeviceJobExecution `json:"execution,omitempty"`
}

// UpdateJobExecutionRequest reports a device's progress
// [jobs-mqtt-api, UpdateJobExecution]. Nil StatusDetails leave those reported
// before; StepTimeoutInMinutes 0 leaves the step timer, -1 stops it; nil
// ExpectedVersion skips the check; nil ExecutionNumber is the latest.
type UpdateJobExecutionRequest struct {
	ThingName                string  `json:"-" uri:"thingName" shape:"ThingName"`
	JobID                    string  `json:"-" uri:"jobId" shape:"JobId"`
	Status                   string  `json:"status" shape:"ReportedStatus" required:"true"`
	StatusDetails            Details `json:"statusDetails,omitempty" shape:"DetailsMap"`
	StepTimeoutInMinutes     int64   `json:"stepTimeoutInMinutes,omitempty" shape:"StepTimeoutInMinutes" lenient:"true"`
	ExpectedVersion          *int64  `json:"expectedVersion,omitempty" shape:"ExpectedVersion" lenient:"true"`
	IncludeJobExecutionState bool    `json:"includeJobExecutionState,omitempty"`
	IncludeJobDocument       bool    `json:"includeJobDocument,omitempty"`
	ExecutionNumber          *int64  `json:"executionNumber,omitempty" shape:"ExecutionNumber" lenient:"true"`
	NamespaceID              string  `json:"-" query:"namespaceId" shape:"NamespaceId"`
}

// UpdateJobExecutionResponse holds what the request asked to be included.
type UpdateJobExecutionResponse struct {
	ExecutionState *JobExecutionState `json:"executionState,omitempty"`
	JobDocument    Document           `json:"jobDocument,omitzero"`
}

// JobExecutionState is where an execution stands, in answers to updates and in
// refusals of them.
type JobExecutionState struct {
	Status        string  `json:"status"`
	StatusDetails Details `json:"statusDetails,omitempty"`
	VersionNumber int64   `json:"versionNumber"`
}

// StateOf returns the wire form of the state that a refusal carries, or nil if
// it carries none.
func StateOf(s *apierr.ExecutionState) *JobExecutionState {
	if s == nil {
		return nil
	}
	return &JobExecutionState{Status: s.Status, StatusDetails: s.StatusDetails, VersionNumber: s.Version}
}
