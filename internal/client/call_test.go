package client_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
	"muster/internal/wire"
)

const account = "123456789012"

var key = sigv4.Credentials{KeyID: "AKIAEXAMPLE", Secret: "secret"}

// newClient returns a client of the server at an endpoint.
func newClient(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: endpoint, Region: "eu-west-1", Credentials: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// seen is a request as a server sees it.
type seen struct {
	Service, Method, Target, Body string
}

// listen starts a server that checks every signature, keeps the request, and
// answers with answer.
func listen(t *testing.T, got *seen, answer string) *httptest.Server {
	t.Helper()
	verifier, err := sigv4.NewVerifier(sigv4.Config{
		Secret:  func(context.Context, string) (string, error) { return key.Secret, nil },
		Region:  "eu-west-1",
		Account: account,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p, err := verifier.Authenticate(r, body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
		}
		*got = seen{p.Service, r.Method, r.RequestURI, string(body)}
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// operation is one method of the client with a full request: what it sends, and
// which struct the server decodes that into.
type operation struct {
	name    string
	request any // points to the struct that is sent
	empty   any // points to one to decode into
	call    func(context.Context, *client.Client) (any, error)
	want    seen
}

// of returns the operation of a method with a response.
func of[In, Out any](name string, method func(*client.Client, context.Context, *In) (*Out, error), in In, want seen) operation {
	return operation{name, &in, new(In), func(ctx context.Context, c *client.Client) (any, error) { return method(c, ctx, &in) }, want}
}

// ofEmpty returns the operation of a method without a response.
func ofEmpty[In any](name string, method func(*client.Client, context.Context, *In) error, in In, want seen) operation {
	return operation{name, &in, new(In), func(ctx context.Context, c *client.Client) (any, error) { return nil, method(c, ctx, &in) }, want}
}

func operations() []operation {
	type c = client.Client
	return []operation{
		of("CreateJob", (*c).CreateJob, wire.CreateJobRequest{
			JobID: "j-1", Targets: []string{"arn:aws:iot:eu-west-1:123456789012:thing/t:1"}, Document: `{"a":"<b>"}`, Description: "d",
			TargetSelection: "CONTINUOUS", TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: 5}, Tags: []wire.Tag{{Key: "k", Value: "v"}}, NamespaceID: "n",
		}, seen{"iot", "PUT", "/jobs/j-1", `{"targets":["arn:aws:iot:eu-west-1:123456789012:thing/t:1"],"document":"{\"a\":\"<b>\"}","description":"d",` +
			`"targetSelection":"CONTINUOUS","timeoutConfig":{"inProgressTimeoutInMinutes":5},"tags":[{"Key":"k","Value":"v"}],"namespaceId":"n"}`}),
		of("DescribeJob", (*c).DescribeJob, wire.DescribeJobRequest{JobID: "j"}, seen{"iot", "GET", "/jobs/j", ""}),
		of("GetJobDocument", (*c).GetJobDocument, wire.GetJobDocumentRequest{JobID: "j", BeforeSubstitution: true},
			seen{"iot", "GET", "/jobs/j/job-document?beforeSubstitution=true", ""}),
		of("CancelJob", (*c).CancelJob, wire.CancelJobRequest{JobID: "j", Force: true, ReasonCode: "R", Comment: "c"},
			seen{"iot", "PUT", "/jobs/j/cancel?force=true", `{"reasonCode":"R","comment":"c"}`}),
		ofEmpty("DeleteJob", (*c).DeleteJob, wire.DeleteJobRequest{JobID: "j", Force: true, NamespaceID: "n"},
			seen{"iot", "DELETE", "/jobs/j?force=true&namespaceId=n", ""}),
		of("ListJobs", (*c).ListJobs, wire.ListJobsRequest{Status: "IN_PROGRESS", MaxResults: 10, NextToken: "a+b /=", ThingGroupName: "g:1"},
			seen{"iot", "GET", "/jobs?maxResults=10&nextToken=a%2Bb%20%2F%3D&status=IN_PROGRESS&thingGroupName=g%3A1", ""}),
		of("ListJobExecutionsForJob", (*c).ListJobExecutionsForJob, wire.ListJobExecutionsForJobRequest{JobID: "j", Status: "QUEUED"},
			seen{"iot", "GET", "/jobs/j/things?status=QUEUED", ""}),
		of("ListJobExecutionsForThing", (*c).ListJobExecutionsForThing, wire.ListJobExecutionsForThingRequest{ThingName: "t", JobID: "j"},
			seen{"iot", "GET", "/things/t/jobs?jobId=j", ""}),
		of("DescribeJobExecution", (*c).DescribeJobExecution, wire.DescribeJobExecutionRequest{ThingName: "t", JobID: "j", ExecutionNumber: new(int64(0))},
			seen{"iot", "GET", "/things/t/jobs/j?executionNumber=0", ""}),
		ofEmpty("CancelJobExecution", (*c).CancelJobExecution, wire.CancelJobExecutionRequest{ThingName: "t", JobID: "j", ExpectedVersion: new(int64(2))},
			seen{"iot", "PUT", "/things/t/jobs/j/cancel", `{"expectedVersion":2}`}),
		ofEmpty("DeleteJobExecution", (*c).DeleteJobExecution, wire.DeleteJobExecutionRequest{ThingName: "t", JobID: "j", ExecutionNumber: 3, Force: true},
			seen{"iot", "DELETE", "/things/t/jobs/j/executionNumber/3?force=true", ""}),

		of("CreateThing", (*c).CreateThing, wire.CreateThingRequest{ThingName: "a:b", AttributePayload: &wire.AttributePayload{Attributes: map[string]string{"k": "v"}}},
			seen{"iot", "POST", "/things/a:b", `{"attributePayload":{"attributes":{"k":"v"}}}`}),
		of("DescribeThing", (*c).DescribeThing, wire.DescribeThingRequest{ThingName: "t"}, seen{"iot", "GET", "/things/t", ""}),
		ofEmpty("DeleteThing", (*c).DeleteThing, wire.DeleteThingRequest{ThingName: "t", ExpectedVersion: new(int64(1))},
			seen{"iot", "DELETE", "/things/t?expectedVersion=1", ""}),
		of("ListThings", (*c).ListThings, wire.ListThingsRequest{AttributeName: "n", AttributeValue: new("")},
			seen{"iot", "GET", "/things?attributeName=n&attributeValue=", ""}),

		of("CreateThingGroup", (*c).CreateThingGroup, wire.CreateThingGroupRequest{ThingGroupName: "g", ParentGroupName: "p"},
			seen{"iot", "POST", "/thing-groups/g", `{"parentGroupName":"p"}`}),
		of("DescribeThingGroup", (*c).DescribeThingGroup, wire.DescribeThingGroupRequest{ThingGroupName: "g"}, seen{"iot", "GET", "/thing-groups/g", ""}),
		ofEmpty("DeleteThingGroup", (*c).DeleteThingGroup, wire.DeleteThingGroupRequest{ThingGroupName: "g"}, seen{"iot", "DELETE", "/thing-groups/g", ""}),
		ofEmpty("AddThingToThingGroup", (*c).AddThingToThingGroup, wire.AddThingToThingGroupRequest{ThingGroupName: "g", ThingName: "t"},
			seen{"iot", "PUT", "/thing-groups/addThingToThingGroup", `{"thingGroupName":"g","thingName":"t"}`}),
		ofEmpty("RemoveThingFromThingGroup", (*c).RemoveThingFromThingGroup, wire.RemoveThingFromThingGroupRequest{ThingGroupName: "g", ThingName: "t"},
			seen{"iot", "PUT", "/thing-groups/removeThingFromThingGroup", `{"thingGroupName":"g","thingName":"t"}`}),
		of("ListThingGroups", (*c).ListThingGroups, wire.ListThingGroupsRequest{NamePrefixFilter: "a", Recursive: new(false)},
			seen{"iot", "GET", "/thing-groups?namePrefixFilter=a&recursive=false", ""}),
		of("ListThingsInThingGroup", (*c).ListThingsInThingGroup, wire.ListThingsInThingGroupRequest{ThingGroupName: "g", Recursive: true},
			seen{"iot", "GET", "/thing-groups/g/things?recursive=true", ""}),

		of("StartNextPendingJobExecution", (*c).StartNextPendingJobExecution,
			wire.StartNextPendingJobExecutionRequest{ThingName: "t", StatusDetails: wire.Details{"k": "v"}, StepTimeoutInMinutes: 5},
			seen{"iot-jobs-data", "PUT", "/things/t/jobs/$next", `{"statusDetails":{"k":"v"},"stepTimeoutInMinutes":5}`}),
		of("UpdateJobExecution", (*c).UpdateJobExecution, wire.UpdateJobExecutionRequest{
			ThingName: "t", JobID: "j", Status: "SUCCEEDED", ExpectedVersion: new(int64(2)), IncludeJobExecutionState: true, ExecutionNumber: new(int64(1)),
		}, seen{"iot-jobs-data", "POST", "/things/t/jobs/j", `{"status":"SUCCEEDED","expectedVersion":2,"includeJobExecutionState":true,"executionNumber":1}`}),
		of("GetPendingJobExecutions", (*c).GetPendingJobExecutions, wire.GetPendingJobExecutionsRequest{ThingName: "t"}, seen{"iot-jobs-data", "GET", "/things/t/jobs", ""}),
		of("DescribeJobExecution", (*c).DeviceDescribeJobExecution, wire.DeviceDescribeJobExecutionRequest{ThingName: "t", JobID: "$next", IncludeJobDocument: new(false)},
			seen{"iot-jobs-data", "GET", "/things/t/jobs/$next?includeJobDocument=false", ""}),
	}
}

// TestOperations shows that every method sends what the published model says,
// signed, and that the server decodes the request that was meant.
func TestOperations(t *testing.T) {
	t.Parallel()
	for _, op := range operations() {
		t.Run(op.want.Service+" "+op.name, func(t *testing.T) {
			t.Parallel()
			var got seen
			if _, err := op.call(t.Context(), newClient(t, listen(t, &got, "{}").URL)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(op.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			decoded, err := decode(t, op, got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(op.request, decoded); diff != "" {
				t.Errorf("decoded by the server (-sent +decoded):\n%s", diff)
			}
		})
	}
}

// decode turns a request back into its struct, as a server does.
func decode(t *testing.T, op operation, r seen) (any, error) {
	t.Helper()
	u, err := url.ParseRequestURI(r.Target)
	if err != nil {
		t.Fatal(err)
	}
	return op.empty, wire.Decode(op.empty, params(t, op, u), u.Query(), []byte(r.Body))
}

// params returns the names in the path by the operation's published URI.
func params(t *testing.T, op operation, u *url.URL) wire.Params {
	t.Helper()
	for _, o := range wire.Operations() {
		if o.Service != op.want.Service || o.Name != op.name {
			continue
		}
		if o.Method != op.want.Method {
			t.Errorf("got method %s, want %s", op.want.Method, o.Method)
		}
		var all wire.Params
		parts := strings.Split(u.EscapedPath(), "/")
		for i, part := range strings.Split(o.URI, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				value, err := url.PathUnescape(parts[i])
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, wire.Param{Name: strings.TrimSuffix(name, "}"), Value: value})
			} else if part != parts[i] {
				t.Errorf("got %s, want the form %s", u.Path, o.URI)
			}
		}
		return all
	}
	t.Fatalf("the model has no %s %s", op.want.Service, op.name)
	return nil
}

func TestAnswersAreDecoded(t *testing.T) {
	t.Parallel()
	var got seen
	c := newClient(t, listen(t, &got, `{"execution":{"jobId":"j","status":"IN_PROGRESS","startedAt":7,"versionNumber":2,"jobDocument":"{}"}}`).URL+"/")
	out, err := c.StartNextPendingJobExecution(t.Context(), &wire.StartNextPendingJobExecutionRequest{ThingName: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if x := out.Execution; x == nil || x.JobID != "j" || x.StartedAt != 7000 || x.JobDocument.Text() != "{}" {
		t.Errorf("got %+v", out.Execution)
	}
	if got.Body != "{}" {
		t.Errorf("got body %q, want {}", got.Body)
	}
}

func TestEmptyAnswersAreFine(t *testing.T) {
	t.Parallel()
	var got seen
	c := newClient(t, listen(t, &got, "").URL)
	if _, err := c.CreateThing(t.Context(), &wire.CreateThingRequest{ThingName: "t"}); err != nil {
		t.Error(err)
	}
}

func TestEndpointsMayHaveAPath(t *testing.T) {
	t.Parallel()
	var got seen
	c := newClient(t, listen(t, &got, "").URL+"/muster/")
	if err := c.DeleteThing(t.Context(), &wire.DeleteThingRequest{ThingName: "t"}); err != nil {
		t.Fatal(err)
	}
	if got.Target != "/muster/things/t" {
		t.Errorf("got %s, want the path below the endpoint's", got.Target)
	}
}

func TestRequestsThatAreNotSent(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://127.0.0.1:1") // nobody is there
	tests := []struct {
		name string
		call func() error
		want string
	}{
		{"an empty name would be another operation's path", func() error {
			return c.DeleteJob(t.Context(), &wire.DeleteJobRequest{})
		}, "DeleteJob: client: jobId must not be empty"},
		{"an unknown operation", func() error {
			return c.Call(t.Context(), "iot", "StartNextPendingJobExecution", &wire.StartNextPendingJobExecutionRequest{}, nil)
		}, "client: iot has no operation StartNextPendingJobExecution"},
		{"the request of another operation", func() error {
			return c.Call(t.Context(), "iot", "DescribeJob", &wire.DescribeThingRequest{ThingName: "t"}, nil)
		}, "DescribeJob: client: wire.DescribeThingRequest is not a request of DescribeJob"},
		{"no request", func() error {
			return c.Call(t.Context(), "iot", "DescribeJob", nil, nil)
		}, "DescribeJob: client: the request is not a struct"},
		{"a body that is no JSON", func() error {
			return c.Do(t.Context(), "iot", "PUT", "/x", nil, func() {}, nil)
		}, "client: encode request: json: unsupported type: func()"},
		{"a method that is none", func() error {
			return c.Do(t.Context(), "iot", "GE T", "/x", nil, nil, nil)
		}, `net/http: invalid method "GE T"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.call(); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := client.Config{Endpoint: "http://127.0.0.1:8080", Region: "r", Credentials: key}
	tests := []struct {
		name   string
		change func(*client.Config)
		want   string
	}{
		{"no endpoint", func(c *client.Config) { c.Endpoint = "" }, "endpoint"},
		{"an endpoint without a scheme", func(c *client.Config) { c.Endpoint = "127.0.0.1:8080" }, "endpoint"},
		{"an endpoint of another protocol", func(c *client.Config) { c.Endpoint = "mqtt://127.0.0.1" }, "endpoint"},
		{"an endpoint without a host", func(c *client.Config) { c.Endpoint = "http:///x" }, "endpoint"},
		{"an endpoint with a query", func(c *client.Config) { c.Endpoint = "http://x?y" }, "endpoint"},
		{"an endpoint with a user", func(c *client.Config) { c.Endpoint = "http://u:p@x" }, "endpoint"},
		{"no region", func(c *client.Config) { c.Region = "" }, "no region"},
		{"no key", func(c *client.Config) { c.Credentials.KeyID = "" }, "no credentials"},
		{"no secret", func(c *client.Config) { c.Credentials.Secret = "" }, "no credentials"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := good
			tt.change(&c)
			if _, err := client.New(c); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
