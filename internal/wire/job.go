package wire

// TimeoutConfig says how long an execution may be IN_PROGRESS, in minutes;
// 0 is no limit.
type TimeoutConfig struct {
	InProgressTimeoutInMinutes int64 `json:"inProgressTimeoutInMinutes,omitempty" shape:"InProgressTimeoutInMinutes"`
}

// CreateJobRequest asks for a new job [jobs-api, CreateJob]. That a document
// must come from somewhere is a rule of the job, not of a member.
type CreateJobRequest struct {
	JobID           string        `json:"-" uri:"jobId" shape:"JobId"`
	Targets         []string      `json:"targets" shape:"JobTargets" required:"true"`
	Document        string        `json:"document,omitempty" shape:"JobDocument"`
	Description     string        `json:"description,omitempty" shape:"JobDescription"`
	TargetSelection string        `json:"targetSelection,omitempty" shape:"TargetSelection"`
	TimeoutConfig   TimeoutConfig `json:"timeoutConfig,omitzero"`
	Tags            []Tag         `json:"tags,omitempty" shape:"TagList"`
	NamespaceID     string        `json:"namespaceId,omitempty" shape:"NamespaceId"`

	DocumentSource             Unserved `json:"documentSource,omitzero"`
	PresignedURLConfig         Unserved `json:"presignedUrlConfig,omitzero"`
	JobExecutionsRolloutConfig Unserved `json:"jobExecutionsRolloutConfig,omitzero"`
	AbortConfig                Unserved `json:"abortConfig,omitzero"`
	JobTemplateARN             Unserved `json:"jobTemplateArn,omitzero"`
	JobExecutionsRetryConfig   Unserved `json:"jobExecutionsRetryConfig,omitzero"`
	DocumentParameters         Unserved `json:"documentParameters,omitzero"`
	SchedulingConfig           Unserved `json:"schedulingConfig,omitzero"`
	DestinationPackageVersions Unserved `json:"destinationPackageVersions,omitzero"`
}

// JobReference names a job: the answer of CreateJob, CancelJob and
// AssociateTargetsWithJob.
type JobReference struct {
	JobARN      string `json:"jobArn"`
	JobID       string `json:"jobId"`
	Description string `json:"description,omitempty"`
}

// DescribeJobRequest asks for a job [jobs-api, DescribeJob].
type DescribeJobRequest struct {
	JobID              string `json:"-" uri:"jobId" shape:"JobId"`
	BeforeSubstitution bool   `json:"-" query:"beforeSubstitution"`
}

// DescribeJobResponse holds a job.
type DescribeJobResponse struct {
	Job Job `json:"job"`
}

// Job is a job as DescribeJob shows it. Configurations that are not set are
// shown as empty objects where the service was seen to do so.
type Job struct {
	JobARN                     string            `json:"jobArn"`
	JobID                      string            `json:"jobId"`
	TargetSelection            string            `json:"targetSelection"`
	Status                     string            `json:"status"`
	ForceCanceled              bool              `json:"forceCanceled,omitempty"`
	ReasonCode                 string            `json:"reasonCode,omitempty"`
	Comment                    string            `json:"comment,omitempty"`
	Targets                    List[string]      `json:"targets"`
	Description                string            `json:"description,omitempty"`
	PresignedURLConfig         Empty             `json:"presignedUrlConfig"`
	JobExecutionsRolloutConfig Empty             `json:"jobExecutionsRolloutConfig"`
	CreatedAt                  FractionalSeconds `json:"createdAt"`
	LastUpdatedAt              FractionalSeconds `json:"lastUpdatedAt"`
	CompletedAt                FractionalSeconds `json:"completedAt,omitzero"`
	JobProcessDetails          JobProcessDetails `json:"jobProcessDetails"`
	TimeoutConfig              TimeoutConfig     `json:"timeoutConfig"`
	NamespaceID                string            `json:"namespaceId,omitempty"`
	// IsConcurrent is true while the job is being rolled out or canceled.
	IsConcurrent *bool `json:"isConcurrent,omitempty"`
}

// JobProcessDetails counts a job's executions by status. ProcessingTargets
// are the targets still being rolled out, none afterwards.
type JobProcessDetails struct {
	ProcessingTargets        []string `json:"processingTargets,omitempty"`
	NumberOfCanceledThings   int64    `json:"numberOfCanceledThings"`
	NumberOfSucceededThings  int64    `json:"numberOfSucceededThings"`
	NumberOfFailedThings     int64    `json:"numberOfFailedThings"`
	NumberOfRejectedThings   int64    `json:"numberOfRejectedThings"`
	NumberOfQueuedThings     int64    `json:"numberOfQueuedThings"`
	NumberOfInProgressThings int64    `json:"numberOfInProgressThings"`
	NumberOfRemovedThings    int64    `json:"numberOfRemovedThings"`
	NumberOfTimedOutThings   int64    `json:"numberOfTimedOutThings"`
}

// UpdateJobRequest changes the members that it holds [jobs-api, UpdateJob]. A
// TimeoutConfig that is there and empty takes the limit away.
type UpdateJobRequest struct {
	JobID         string         `json:"-" uri:"jobId" shape:"JobId"`
	NamespaceID   string         `json:"-" query:"namespaceId" shape:"NamespaceId"`
	Description   string         `json:"description,omitempty" shape:"JobDescription"`
	TimeoutConfig *TimeoutConfig `json:"timeoutConfig,omitempty"`

	PresignedURLConfig         Unserved `json:"presignedUrlConfig,omitzero"`
	JobExecutionsRolloutConfig Unserved `json:"jobExecutionsRolloutConfig,omitzero"`
	AbortConfig                Unserved `json:"abortConfig,omitzero"`
	JobExecutionsRetryConfig   Unserved `json:"jobExecutionsRetryConfig,omitzero"`
}

// CancelJobRequest cancels a job [jobs-api, CancelJob]. It is answered with a
// JobReference.
type CancelJobRequest struct {
	JobID      string `json:"-" uri:"jobId" shape:"JobId"`
	Force      bool   `json:"-" query:"force"`
	ReasonCode string `json:"reasonCode,omitempty" shape:"ReasonCode"`
	Comment    string `json:"comment,omitempty" shape:"Comment"`
}

// DeleteJobRequest deletes a job [jobs-api, DeleteJob].
type DeleteJobRequest struct {
	JobID       string `json:"-" uri:"jobId" shape:"JobId"`
	Force       bool   `json:"-" query:"force"`
	NamespaceID string `json:"-" query:"namespaceId" shape:"NamespaceId"`
}

// GetJobDocumentRequest asks for a job's document [jobs-api, GetJobDocument].
type GetJobDocumentRequest struct {
	JobID              string `json:"-" uri:"jobId" shape:"JobId"`
	BeforeSubstitution bool   `json:"-" query:"beforeSubstitution"`
}

// GetJobDocumentResponse holds a document's text exactly as it was stored.
type GetJobDocumentResponse struct {
	Document string `json:"document"`
}

// ListJobsRequest asks for a page of jobs that pass every filter
// [jobs-api, ListJobs]. MaxResults 0 is the default page size.
type ListJobsRequest struct {
	Status          string `json:"-" query:"status" shape:"JobStatus"`
	TargetSelection string `json:"-" query:"targetSelection" shape:"TargetSelection"`
	MaxResults      int    `json:"-" query:"maxResults" shape:"LaserMaxResults"`
	NextToken       string `json:"-" query:"nextToken" shape:"NextToken"`
	ThingGroupName  string `json:"-" query:"thingGroupName" shape:"ThingGroupName"`
	ThingGroupID    string `json:"-" query:"thingGroupId" shape:"ThingGroupId"`
	NamespaceID     string `json:"-" query:"namespaceId" shape:"NamespaceId"`
}

// ListJobsResponse is a page of jobs. No token means no more.
type ListJobsResponse struct {
	Jobs      List[JobSummary] `json:"jobs"`
	NextToken string           `json:"nextToken,omitempty"`
}

// JobSummary is a job in a list. What the published shape has beside these
// members is optional, and only DescribeJob would know it.
type JobSummary struct {
	JobARN          string            `json:"jobArn"`
	JobID           string            `json:"jobId"`
	TargetSelection string            `json:"targetSelection"`
	Status          string            `json:"status"`
	CreatedAt       FractionalSeconds `json:"createdAt"`
	LastUpdatedAt   FractionalSeconds `json:"lastUpdatedAt"`
	CompletedAt     FractionalSeconds `json:"completedAt,omitzero"`
}

// AssociateTargetsWithJobRequest adds targets to a continuous job
// [jobs-api, AssociateTargetsWithJob]. It is answered with a JobReference.
type AssociateTargetsWithJobRequest struct {
	JobID       string   `json:"-" uri:"jobId" shape:"JobId"`
	NamespaceID string   `json:"-" query:"namespaceId" shape:"NamespaceId"`
	Targets     []string `json:"targets" shape:"JobTargets" required:"true"`
	Comment     string   `json:"comment,omitempty" shape:"Comment"`
}
