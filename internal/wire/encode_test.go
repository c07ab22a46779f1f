package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// execution is the one of a captured start-next answer.
func execution() *wire.DeviceJobExecution {
	return &wire.DeviceJobExecution{
		JobID: "test_job", ThingName: "t1", Status: "IN_PROGRESS", StatusDetails: wire.Details{"k": "v"},
		QueuedAt: 1625268804999, StartedAt: 1625329827000, LastUpdatedAt: 1625329827001,
		VersionNumber: 2, ExecutionNumber: 1, ApproximateSecondsBeforeTimedOut: new(int64(599)),
		JobDocument: wire.NewDocument(`{ "operation": "a<b" }`),
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body any
		want string
	}{
		{
			"an execution keeps its order, with the document's text last",
			wire.StartNextPendingJobExecutionResponse{Execution: execution()},
			`{"execution":{"jobId":"test_job","thingName":"t1","status":"IN_PROGRESS","statusDetails":{"k":"v"},"queuedAt":1625268804,"startedAt":1625329827,"lastUpdatedAt":1625329827,"versionNumber":2,"executionNumber":1,"approximateSecondsBeforeTimedOut":599,"jobDocument":"{ \"operation\": \"a<b\" }"}}`,
		},
		{
			"a queued execution has no start, details or timer",
			wire.DeviceDescribeJobExecutionResponse{Execution: &wire.DeviceJobExecution{JobID: "j", ThingName: "t", Status: "QUEUED", StatusDetails: wire.Details{}, QueuedAt: 1000, LastUpdatedAt: 1000, VersionNumber: 1, ExecutionNumber: 1}},
			`{"execution":{"jobId":"j","thingName":"t","status":"QUEUED","queuedAt":1,"lastUpdatedAt":1,"versionNumber":1,"executionNumber":1}}`,
		},
		{
			"the last second of a timer is shown",
			wire.DeviceJobExecution{ApproximateSecondsBeforeTimedOut: new(int64(0))},
			`{"jobId":"","status":"","queuedAt":0,"lastUpdatedAt":0,"versionNumber":0,"executionNumber":0,"approximateSecondsBeforeTimedOut":0}`,
		},
		{"nothing is next", wire.DeviceDescribeJobExecutionResponse{}, `{}`},
		{"an update that asked for nothing", wire.UpdateJobExecutionResponse{}, `{}`},
		{
			"an update that asked for all",
			wire.UpdateJobExecutionResponse{ExecutionState: &wire.JobExecutionState{Status: "SUCCEEDED", StatusDetails: wire.Details{"s": "1"}, VersionNumber: 3}, JobDocument: wire.NewDocument(`{}`)},
			`{"executionState":{"status":"SUCCEEDED","statusDetails":{"s":"1"},"versionNumber":3},"jobDocument":"{}"}`,
		},
		{"an idle thing has two empty lists", wire.GetPendingJobExecutionsResponse{}, `{"inProgressJobs":[],"queuedJobs":[]}`},
		{
			"summaries keep their own order",
			wire.GetPendingJobExecutionsResponse{InProgressJobs: wire.List[wire.DeviceJobExecutionSummary]{{JobID: "Job1", QueuedAt: 1719940994000, LastUpdatedAt: 1719943388000, StartedAt: 1719943388000, ExecutionNumber: 1, VersionNumber: 2}}},
			`{"inProgressJobs":[{"jobId":"Job1","queuedAt":1719940994,"lastUpdatedAt":1719943388,"startedAt":1719943388,"executionNumber":1,"versionNumber":2}],"queuedJobs":[]}`,
		},
		{
			"a job shows empty configurations and all counters",
			wire.DescribeJobResponse{Job: wire.Job{JobARN: "arn:aws:iot:us-west-2:123456789012:job/example-job-01", JobID: "example-job-01", TargetSelection: "SNAPSHOT", Status: "IN_PROGRESS", Targets: []string{"arn:aws:iot:us-west-2:123456789012:thing/MyRaspberryPi"}, Description: "example job test", CreatedAt: 1560787022733, LastUpdatedAt: 1560787026294, JobProcessDetails: wire.JobProcessDetails{NumberOfQueuedThings: 1}}},
			`{"job":{"jobArn":"arn:aws:iot:us-west-2:123456789012:job/example-job-01","jobId":"example-job-01","targetSelection":"SNAPSHOT","status":"IN_PROGRESS","targets":["arn:aws:iot:us-west-2:123456789012:thing/MyRaspberryPi"],"description":"example job test","presignedUrlConfig":{},"jobExecutionsRolloutConfig":{},"createdAt":1560787022.733,"lastUpdatedAt":1560787026.294,"jobProcessDetails":{"numberOfCanceledThings":0,"numberOfSucceededThings":0,"numberOfFailedThings":0,"numberOfRejectedThings":0,"numberOfQueuedThings":1,"numberOfInProgressThings":0,"numberOfRemovedThings":0,"numberOfTimedOutThings":0},"timeoutConfig":{}}}`,
		},
		{
			"a canceled job shows why, in its place",
			wire.Job{JobID: "j", Status: "CANCELED", ForceCanceled: true, ReasonCode: "R", Comment: "c", CompletedAt: 1500, JobProcessDetails: wire.JobProcessDetails{ProcessingTargets: []string{"a"}}, TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: 5}, NamespaceID: "ns", IsConcurrent: new(false)},
			`{"jobArn":"","jobId":"j","targetSelection":"","status":"CANCELED","forceCanceled":true,"reasonCode":"R","comment":"c","targets":[],"presignedUrlConfig":{},"jobExecutionsRolloutConfig":{},"createdAt":0.000,"lastUpdatedAt":0.000,"completedAt":1.500,"jobProcessDetails":{"processingTargets":["a"],"numberOfCanceledThings":0,"numberOfSucceededThings":0,"numberOfFailedThings":0,"numberOfRejectedThings":0,"numberOfQueuedThings":0,"numberOfInProgressThings":0,"numberOfRemovedThings":0,"numberOfTimedOutThings":0},"timeoutConfig":{"inProgressTimeoutInMinutes":5},"namespaceId":"ns","isConcurrent":false}`,
		},
		{
			"the control plane nests details, {} when there are none",
			wire.DescribeJobExecutionResponse{Execution: wire.JobExecution{JobID: "j", Status: "QUEUED", ThingARN: "arn", QueuedAt: 1560787023636, LastUpdatedAt: 1560787023636, ExecutionNumber: 1, VersionNumber: 1}},
			`{"execution":{"jobId":"j","status":"QUEUED","statusDetails":{},"thingArn":"arn","queuedAt":1560787023.636,"lastUpdatedAt":1560787023.636,"executionNumber":1,"versionNumber":1}}`,
		},
		{
			"the control plane nests details",
			wire.JobExecutionStatusDetails{DetailsMap: wire.Details{"b": "2", "a": "1"}},
			`{"detailsMap":{"a":"1","b":"2"}}`,
		},
		{
			"a thing's executions",
			wire.ListJobExecutionsForThingResponse{ExecutionSummaries: wire.List[wire.JobExecutionSummaryForThing]{{JobID: "example-job-01", JobExecutionSummary: wire.JobExecutionSummary{Status: "QUEUED", QueuedAt: 1560787023636, LastUpdatedAt: 1560787023636, ExecutionNumber: 1}}}},
			`{"executionSummaries":[{"jobId":"example-job-01","jobExecutionSummary":{"status":"QUEUED","queuedAt":1560787023.636,"lastUpdatedAt":1560787023.636,"executionNumber":1}}]}`,
		},
		{"an empty page has a list and no token", wire.ListJobsResponse{}, `{"jobs":[]}`},
		{"a page in the middle has a token", wire.ListThingsInThingGroupResponse{Things: []string{"<t>"}, NextToken: "x"}, `{"things":["<t>"],"nextToken":"x"}`},
		{
			"a thing without type shows its attributes",
			wire.DescribeThingResponse{DefaultClientID: "t", ThingName: "t", ThingID: "i", ThingARN: "a", Version: 1},
			`{"defaultClientId":"t","thingName":"t","thingId":"i","thingArn":"a","attributes":{},"version":1}`,
		},
		{"tags are capitalised", wire.ListTagsForResourceResponse{Tags: []wire.Tag{{Key: "k"}}}, `{"tags":[{"Key":"k","Value":""}]}`},
		{
			"a thing type in use has no date of deprecation",
			wire.ThingTypeDefinition{ThingTypeName: "n", ThingTypeARN: "a", ThingTypeProperties: wire.ThingTypeProperties{ThingTypeDescription: new("")}, ThingTypeMetadata: wire.ThingTypeMetadata{CreationDate: 1001}},
			`{"thingTypeName":"n","thingTypeArn":"a","thingTypeProperties":{"thingTypeDescription":""},"thingTypeMetadata":{"deprecated":false,"creationDate":1.001}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.Encode(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestTimesAreReadBack(t *testing.T) {
	t.Parallel()
	var got struct {
		A, B, C, D wire.FractionalSeconds
		E          wire.Seconds
	}
	if err := json.Unmarshal([]byte(`{"A":1560787022.733,"B":1.5e3,"C":7,"D":null,"E":12}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.A != 1560787022733 || got.B != 1500_000 || got.C != 7000 || got.D != 0 || got.E != 12000 {
		t.Errorf("got %+v", got)
	}
	if err := json.Unmarshal([]byte(`{"A":"2019-06-17"}`), &got); err == nil {
		t.Error("a date in a string: got no error")
	}
}

func TestDocumentsAreReadBack(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"jobDocument":"{\"a\": 1}"}`: `{"a": 1}`,
		`{"jobDocument":{"a": 1}}`:     `{"a": 1}`,
		`{}`:                           ``,
	} {
		var got wire.UpdateJobExecutionResponse
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.JobDocument.Text() != want {
			t.Errorf("%s: got %q, %v; want %q", body, got.JobDocument.Text(), err, want)
		}
	}
}

func TestEncodeMessage(t *testing.T) {
	t.Parallel()
	const sentAt = 1625329827999
	tests := []struct {
		name  string
		token *string
		body  any
		want  string
	}{
		{"nothing is next", nil, wire.DeviceDescribeJobExecutionResponse{}, `{"timestamp":1625329827}`},
		{"nothing was started", new(""), wire.StartNextPendingJobExecutionResponse{}, `{"clientToken":"","timestamp":1625329827}`},
		{
			"an execution embeds its document and has no thing name", new("c"),
			wire.StartNextPendingJobExecutionResponse{Execution: execution()},
			`{"clientToken":"c","timestamp":1625329827,"execution":{"jobId":"test_job","status":"IN_PROGRESS","statusDetails":{"k":"v"},"queuedAt":1625268804,"startedAt":1625329827,"lastUpdatedAt":1625329827,"versionNumber":2,"executionNumber":1,"approximateSecondsBeforeTimedOut":599,"jobDocument":{"operation":"a<b"}}}`,
		},
		{
			"a described execution does as well", nil,
			wire.DeviceDescribeJobExecutionResponse{Execution: &wire.DeviceJobExecution{JobID: "j", ThingName: "t", Status: "QUEUED", JobDocument: wire.NewDocument("[1, 2]")}},
			`{"timestamp":1625329827,"execution":{"jobId":"j","status":"QUEUED","queuedAt":0,"lastUpdatedAt":0,"versionNumber":0,"executionNumber":0,"jobDocument":[1,2]}}`,
		},
		{
			"an update embeds its document", new(`"<`),
			wire.UpdateJobExecutionResponse{JobDocument: wire.NewDocument(`{"a": 1.0}`)},
			`{"clientToken":"\"<","timestamp":1625329827,"jobDocument":{"a":1.0}}`,
		},
		{"an update that asked for nothing", nil, wire.UpdateJobExecutionResponse{}, `{"timestamp":1625329827}`},
		{"an idle thing", nil, wire.GetPendingJobExecutionsResponse{}, `{"timestamp":1625329827,"inProgressJobs":[],"queuedJobs":[]}`},
		{"nothing is pending", nil, wire.JobExecutionsChanged{}, `{"timestamp":1625329827,"jobs":{}}`},
		{
			"a status without entries is left out", nil,
			wire.JobExecutionsChanged{Jobs: wire.PendingJobs{Queued: []wire.DeviceJobExecutionSummary{{JobID: "j", ExecutionNumber: 1, VersionNumber: 1}}}},
			`{"timestamp":1625329827,"jobs":{"QUEUED":[{"jobId":"j","queuedAt":0,"lastUpdatedAt":0,"executionNumber":1,"versionNumber":1}]}}`,
		},
		{"nothing is next any more", nil, wire.NextJobExecutionChanged{}, `{"timestamp":1625329827}`},
		{
			"a refusal carries the state", new("c"),
			wire.RequestRejected{Code: "VersionMismatch", Message: "Expected version 99 but found version 1", ExecutionState: wire.StateOf(&apierr.ExecutionState{Status: "QUEUED", Version: 1})},
			`{"clientToken":"c","timestamp":1625329827,"code":"VersionMismatch","message":"Expected version 99 but found version 1","executionState":{"status":"QUEUED","versionNumber":1}}`,
		},
		{"a refusal without state", nil, wire.RequestRejected{Code: "InvalidJson", ExecutionState: wire.StateOf(nil)}, `{"timestamp":1625329827,"code":"InvalidJson","message":""}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before, err := wire.Encode(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := wire.EncodeMessage(tt.token, sentAt, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if after, err := wire.Encode(tt.body); err != nil || string(after) != string(before) {
				t.Errorf("the body was changed: %s, %v", after, err)
			}
		})
	}
}

func TestDecodeMessage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, payload string
		token         *string
		kind          apierr.Kind // NotImplemented stands for success
	}{
		{"an empty payload is an empty object", ``, nil, apierr.NotImplemented},
		{"no token", `{"executionNumber":"1"}`, nil, apierr.NotImplemented},
		{"a token", `{"clientToken":"c\n"}`, new("c\n"), apierr.NotImplemented},
		{"an empty token", `{"clientToken":""}`, new(""), apierr.NotImplemented},
		{"a null token is none", `{"clientToken":null}`, nil, apierr.NotImplemented},
		{"the last of two tokens counts", ` {"clientToken":"a","clientToken":"b"}`, new("b"), apierr.NotImplemented},
		{"a refused payload keeps its token", `{"clientToken":"c","executionNumber":"x"}`, new("c"), apierr.Invalid},
		{"a number is no token", `{"clientToken":1}`, nil, apierr.Invalid},
		{"a token can be too long", `{"clientToken":"` + strings.Repeat("x", 1025) + `"}`, nil, apierr.Invalid},
		{"a payload that is not JSON has no token", `{"clientToken":"c"`, nil, apierr.InvalidJSON},
		{"a list has no token", `["clientToken"]`, nil, apierr.InvalidJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var req wire.DeviceDescribeJobExecutionRequest
			token, err := wire.DecodeMessage(&req, t1j1, []byte(tt.payload))
			if diff := cmp.Diff(tt.token, token); diff != "" {
				t.Errorf("token: want -, got +:\n%s", diff)
			}
			if (err == nil) != (tt.kind == apierr.NotImplemented) || err != nil && apierr.KindOf(err) != tt.kind {
				t.Errorf("got %v, want kind %q", err, tt.kind)
			}
			if err == nil && (req.ThingName != "t1" || req.JobID != "j1") {
				t.Errorf("got %+v, want the names of the topic", req)
			}
		})
	}
}
