package wire

// Details are the name-value pairs that a device reports with a status. In a
// request a JSON number or boolean counts as its text: an agent that AWS
// publishes sends one.
type Details map[string]string

// DescribeJobExecutionRequest asks the control plane for an execution, the
// latest one if no number is given [jobs-api, DescribeJobExecution].
type DescribeJobExecutionRequest struct {
	ThingName       string `json:"-" uri:"thingName" shape:"ThingName"`
	JobID           string `json:"-" uri:"jobId" shape:"JobId"`
	ExecutionNumber *int64 `json:"-" query:"executionNumber" shape:"ExecutionNumber"`
}

// DescribeJobExecutionResponse holds an execution.
type DescribeJobExecutionResponse struct {
	Execution JobExecution `json:"execution"`
}

// JobExecution is an execution as the control plane shows it. Devices see a
// [DeviceJobExecution].
type JobExecution struct {
	JobID         string `json:"jobId"`
	Status        string `json:"status"`
	ForceCanceled bool   `json:"forceCanceled,omitempty"`
	// StatusDetails is always there, {} when the device reported nothing.
	StatusDetails   JobExecutionStatusDetails `json:"statusDetails"`
	ThingARN        string                    `json:"thingArn"`
	QueuedAt        FractionalSeconds         `json:"queuedAt"`
	StartedAt       FractionalSeconds         `json:"startedAt,omitzero"`
	LastUpdatedAt   FractionalSeconds         `json:"lastUpdatedAt"`
	ExecutionNumber int64                     `json:"executionNumber"`
	VersionNumber   int64                     `json:"versionNumber"`
	// ApproximateSecondsBeforeTimedOut is nil unless a timer runs.
	ApproximateSecondsBeforeTimedOut *int64 `json:"approximateSecondsBeforeTimedOut,omitempty"`
}

// JobExecutionStatusDetails nests the details, as only the control plane does.
type JobExecutionStatusDetails struct {
	DetailsMap Details `json:"detailsMap,omitempty"`
}

// JobExecutionSummary is an execution in a list of the control plane. Its retry
// attempt is left out: there are no retries.
type JobExecutionSummary struct {
	Status          string            `json:"status"`
	QueuedAt        FractionalSeconds `json:"queuedAt"`
	StartedAt       FractionalSeconds `json:"startedAt,omitzero"`
	LastUpdatedAt   FractionalSeconds `json:"lastUpdatedAt"`
	ExecutionNumber int64             `json:"executionNumber"`
}

// ListJobExecutionsForJobRequest asks for a page of a job's executions
// [jobs-api, ListJobExecutionsForJob]. MaxResults 0 is the default page size.
type ListJobExecutionsForJobRequest struct {
	JobID      string `json:"-" uri:"jobId" shape:"JobId"`
	Status     string `json:"-" query:"status" shape:"JobExecutionStatus"`
	MaxResults int    `json:"-" query:"maxResults" shape:"LaserMaxResults"`
	NextToken  string `json:"-" query:"nextToken" shape:"NextToken"`
}

// ListJobExecutionsForJobResponse is a page of a job's executions. It may be
// short and still carry a token; no token means no more.
type ListJobExecutionsForJobResponse struct {
	ExecutionSummaries List[JobExecutionSummaryForJob] `json:"executionSummaries"`
	NextToken          string                          `json:"nextToken,omitempty"`
}

// JobExecutionSummaryForJob is an execution in a job's list.
type JobExecutionSummaryForJob struct {
	ThingARN            string              `json:"thingArn"`
	JobExecutionSummary JobExecutionSummary `json:"jobExecutionSummary"`
}

// ListJobExecutionsForThingRequest asks for a page of a thing's executions
// [jobs-api, ListJobExecutionsForThing]. MaxResults 0 is the default page size.
type ListJobExecutionsForThingRequest struct {
	ThingName   string `json:"-" uri:"thingName" shape:"ThingName"`
	Status      string `json:"-" query:"status" shape:"JobExecutionStatus"`
	NamespaceID string `json:"-" query:"namespaceId" shape:"NamespaceId"`
	MaxResults  int    `json:"-" query:"maxResults" shape:"LaserMaxResults"`
	NextToken   string `json:"-" query:"nextToken" shape:"NextToken"`
	JobID       string `json:"-" query:"jobId" shape:"JobId"`
}

// ListJobExecutionsForThingResponse is a page of a thing's executions. It may
// be short and still carry a token; no token means no more.
type ListJobExecutionsForThingResponse struct {
	ExecutionSummaries List[JobExecutionSummaryForThing] `json:"executionSummaries"`
	NextToken          string                            `json:"nextToken,omitempty"`
}

// JobExecutionSummaryForThing is an execution in a thing's list.
type JobExecutionSummaryForThing struct {
	JobID               string              `json:"jobId"`
	JobExecutionSummary JobExecutionSummary `json:"jobExecutionSummary"`
}

// CancelJobExecutionRequest cancels the latest execution of a job on a thing
// [jobs-api, CancelJobExecution]. Nil StatusDetails leave those reported.
type CancelJobExecutionRequest struct {
	ThingName       string  `json:"-" uri:"thingName" shape:"ThingName"`
	JobID           string  `json:"-" uri:"jobId" shape:"JobId"`
	Force           bool    `json:"-" query:"force"`
	ExpectedVersion *int64  `json:"expectedVersion,omitempty" shape:"ExpectedVersion" lenient:"true"`
	StatusDetails   Details `json:"statusDetails,omitempty" shape:"DetailsMap"`
}

// DeleteJobExecutionRequest deletes one execution
// [jobs-api, DeleteJobExecution].
type DeleteJobExecutionRequest struct {
	ThingName       string `json:"-" uri:"thingName" shape:"ThingName"`
	JobID           string `json:"-" uri:"jobId" shape:"JobId"`
	ExecutionNumber int64  `json:"-" uri:"executionNumber" shape:"ExecutionNumber"`
	Force           bool   `json:"-" query:"force"`
	NamespaceID     string `json:"-" query:"namespaceId" shape:"NamespaceId"`
}
