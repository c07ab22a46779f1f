package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/auth"
	"muster/internal/httpapi"
	"muster/internal/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// byHeader authenticates by headers in the clear: Test-Service is the service,
// Test-Refuse the kind of refusal.
type byHeader struct{}

var refusals = map[string]apierr.Kind{"missing": apierr.MissingToken, "signature": apierr.InvalidSignature}

func (byHeader) Authenticate(r *http.Request, _ []byte) (auth.Principal, error) {
	if name := r.Header.Get("Test-Refuse"); name != "" {
		return auth.Principal{}, apierr.New(refusals[name], "refused")
	}
	return auth.Principal{
		Kind: auth.AccessKey, ID: "AKIDEXAMPLE", Account: "123456789012", Region: "us-east-1",
		Service: r.Header.Get("Test-Service"),
	}, nil
}

// echo answers with what the handler was given.
func echo(operation string) func(*httpapi.TestCall) (any, error) {
	return func(c *httpapi.TestCall) (any, error) {
		return map[string]any{"operation": operation, "params": c.Params}, nil
	}
}

func fail(err error) func(*httpapi.TestCall) (any, error) {
	return func(*httpapi.TestCall) (any, error) { return nil, err }
}

// setup serves the routes and returns the server, its log and its metrics.
type setup struct {
	*httptest.Server
	log *bytes.Buffer
	reg *prometheus.Registry
}

func start(t testing.TB, routes ...httpapi.TestRoute) setup {
	t.Helper()
	s := setup{log: new(bytes.Buffer), reg: prometheus.NewRegistry()}
	h, err := httpapi.NewTestFront(byHeader{}, slog.New(slog.NewJSONHandler(s.log, nil)), s.reg, 100, routes...)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send sends a request whose path goes out exactly as it stands.
func (s setup) send(t testing.TB, method, path, body string, header ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	r.URL.Opaque = strings.TrimPrefix(s.URL, "http:") + path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: string(read)}
}

// lines returns the log, decoded, once the server has stopped.
func (s setup) lines(t testing.TB) []map[string]any {
	t.Helper()
	s.Close()
	var all []map[string]any
	for line := range strings.Lines(s.log.String()) {
		m := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

var planes = []httpapi.TestRoute{
	{Pattern: "GET /things/{thingName}/jobs", Operation: "ListJobExecutionsForThing", Plane: auth.ControlPlane, Serve: echo("ListJobExecutionsForThing")},
	{Pattern: "GET /things/{thingName}/jobs", Operation: "GetPendingJobExecutions", Plane: auth.DataPlane, Serve: echo("GetPendingJobExecutions")},
	{Pattern: "GET /things/{thingName}/jobs/{jobId}", Operation: "DescribeJobExecution", Plane: auth.ControlPlane, Serve: echo("control DescribeJobExecution")},
	{Pattern: "GET /things/{thingName}/jobs/{jobId}", Operation: "DescribeJobExecution", Plane: auth.DataPlane, Serve: echo("data DescribeJobExecution")},
	{Pattern: "PUT /things/{thingName}/jobs/$next", Operation: "StartNextPendingJobExecution", Plane: auth.DataPlane, Serve: echo("StartNextPendingJobExecution")},
	{Pattern: "POST /things/{thingName}/jobs/{jobId}", Operation: "UpdateJobExecution", Plane: auth.DataPlane, Serve: echo("UpdateJobExecution")},
	{Pattern: "PUT /things/{thingName}/jobs/{jobId}/cancel", Operation: "CancelJobExecution", Plane: auth.ControlPlane, Serve: echo("CancelJobExecution")},
	{Pattern: "DELETE /things/{thingName}/jobs/{jobId}/executionNumber/{executionNumber}", Operation: "DeleteJobExecution", Plane: auth.ControlPlane, Serve: echo("DeleteJobExecution")},
	{Pattern: "GET /jobs/{jobId}", Operation: "DescribeJob", Plane: auth.ControlPlane, Serve: echo("DescribeJob")},
	{Pattern: "PUT /thing-groups/addThingToThingGroup", Operation: "AddThingToThingGroup", Plane: auth.ControlPlane, Serve: echo("AddThingToThingGroup")},
	{Pattern: "PUT /jobs/{jobId}", Operation: "CreateJob", Plane: auth.ControlPlane, Serve: echo("CreateJob")},
}

func TestRouting(t *testing.T) {
	t.Parallel()
	s := start(t, planes...)
	tests := []struct {
		name, method, path, service string
		status                      int
		want                        string // the operation that answered, or the exception
		params                      map[string]string
	}{
		{"a literal is found before a variable", "PUT", "/things/t1/jobs/$next", "iot-jobs-data", 200, "StartNextPendingJobExecution", map[string]string{"thingName": "t1"}},
		{"a literal may be escaped", "PUT", "/things/t1/jobs/%24next", "iot-jobs-data", 200, "StartNextPendingJobExecution", map[string]string{"thingName": "t1"}},
		{"next is a job's id elsewhere", "GET", "/things/t1/jobs/%24next", "iot-jobs-data", 200, "data DescribeJobExecution", map[string]string{"thingName": "t1", "jobId": "$next"}},
		{"next is a job's id elsewhere, also as it is", "GET", "/things/t1/jobs/$next", "iot-jobs-data", 200, "data DescribeJobExecution", map[string]string{"thingName": "t1", "jobId": "$next"}},
		{"the service decides for a shared path, control", "GET", "/things/t1/jobs", "iot", 200, "ListJobExecutionsForThing", map[string]string{"thingName": "t1"}},
		{"the service decides for a shared path, older control", "GET", "/things/t1/jobs", "execute-api", 200, "ListJobExecutionsForThing", map[string]string{"thingName": "t1"}},
		{"the service decides for a shared path, data", "GET", "/things/t1/jobs", "iot-jobs-data", 200, "GetPendingJobExecutions", map[string]string{"thingName": "t1"}},
		{"the service decides for a shared path, messages", "GET", "/things/t1/jobs", "iotdata", 200, "GetPendingJobExecutions", map[string]string{"thingName": "t1"}},
		{"a path of one plane is served to the other", "GET", "/jobs/j1", "iot-jobs-data", 200, "DescribeJob", map[string]string{"jobId": "j1"}},
		{"a path of the data plane is served to the other", "POST", "/things/t1/jobs/j1", "iot", 200, "UpdateJobExecution", map[string]string{"thingName": "t1", "jobId": "j1"}},
		{"a colon may be escaped", "GET", "/things/a%3Ab/jobs/j1", "iot", 200, "control DescribeJobExecution", map[string]string{"thingName": "a:b", "jobId": "j1"}},
		{"a colon may stand as it is", "GET", "/things/a:b/jobs/j1", "iot", 200, "control DescribeJobExecution", map[string]string{"thingName": "a:b", "jobId": "j1"}},
		{"an escaped slash stays in its segment", "GET", "/jobs/arn%3Aaws%2Fx", "iot", 200, "DescribeJob", map[string]string{"jobId": "arn:aws/x"}},
		{"a segment is decoded once", "GET", "/jobs/%2524next", "iot", 200, "DescribeJob", map[string]string{"jobId": "%24next"}},
		{"a plus is a plus", "GET", "/jobs/a+b", "iot", 200, "DescribeJob", map[string]string{"jobId": "a+b"}},
		{"dots are not cleaned", "GET", "/jobs/..", "iot", 200, "DescribeJob", map[string]string{"jobId": ".."}},
		{"an empty segment is a value", "GET", "/jobs/", "iot", 200, "DescribeJob", map[string]string{"jobId": ""}},
		{"slashes are not merged", "GET", "/things//jobs", "iot", 200, "ListJobExecutionsForThing", map[string]string{"thingName": ""}},
		{"a thing may be named jobs", "GET", "/things/jobs/jobs/jobs", "iot", 200, "control DescribeJobExecution", map[string]string{"thingName": "jobs", "jobId": "jobs"}},
		{"a job may be named cancel", "PUT", "/things/t/jobs/cancel/cancel", "iot", 200, "CancelJobExecution", map[string]string{"thingName": "t", "jobId": "cancel"}},
		{"the longest path", "DELETE", "/things/t/jobs/j/executionNumber/7", "iot", 200, "DeleteJobExecution", map[string]string{"thingName": "t", "jobId": "j", "executionNumber": "7"}},
		{"a path without variables", "PUT", "/thing-groups/addThingToThingGroup", "iot", 200, "AddThingToThingGroup", map[string]string{}},

		{"an operation that is known and not served", "PUT", "/job-templates/x", "iot", 501, "NotImplementedException", nil},
		{"a shared path that is not served, control", "POST", "/command-executions", "iot", 501, "NotImplementedException", nil},
		{"a shared path that is not served, data", "POST", "/command-executions", "iot-jobs-data", 501, "NotImplementedException", nil},
		{"another service's operation", "POST", "/topics/a%2Fb", "iotdata", 501, "NotImplementedException", nil},
		{"a path that is not known", "GET", "/nothing", "iot", 404, "UnknownOperationException", nil},
		{"a method that is not known", "TRACE", "/jobs/j1", "iot", 404, "UnknownOperationException", nil},
		{"HEAD is not GET", "HEAD", "/jobs/j1", "iot", 404, "UnknownOperationException", nil},
		{"one segment too many", "GET", "/jobs/j1/", "iot", 404, "UnknownOperationException", nil},
		{"a slash too many at the front", "GET", "//jobs/j1", "iot", 404, "UnknownOperationException", nil},
		{"the root", "GET", "/", "iot", 404, "UnknownOperationException", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, tt.method, tt.path, "", "Test-Service", tt.service)
			if got.status != tt.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			if tt.status != 200 {
				if e := got.header.Get("X-Amzn-Errortype"); e != tt.want {
					t.Errorf("got %s, want %s", e, tt.want)
				}
				return
			}
			var answer struct {
				Operation string
				Params    map[string]string
			}
			if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
				t.Fatal(err)
			}
			if answer.Operation != tt.want {
				t.Errorf("got %s, want %s", answer.Operation, tt.want)
			}
			if diff := cmp.Diff(tt.params, answer.Params); diff != "" {
				t.Errorf("params: want -, got +:\n%s", diff)
			}
		})
	}
}

// net/http refuses a bad escape before any handler; the router holds its own.
func TestABadEscapeIsARequestNotAFault(t *testing.T) {
	t.Parallel()
	s := start(t, planes...)
	if got := s.send(t, "GET", "/jobs/%zz", "", "Test-Service", "iot"); got.status != 400 {
		t.Errorf("got %d %s, want 400", got.status, got.body)
	}
}

func TestNotImplementedNamesTheOperation(t *testing.T) {
	t.Parallel()
	s := start(t, planes...)
	for service, want := range map[string]string{"iot": "ListCommandExecutions", "iot-jobs-data": "StartCommandExecution"} {
		if got := s.send(t, "POST", "/command-executions", "{}", "Test-Service", service); !strings.Contains(got.body, want) {
			t.Errorf("%s: got %s, want %s", service, got.body, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	state := apierr.ExecutionState{Status: "SUCCEEDED", StatusDetails: map[string]string{"s": "1"}, Version: 3}
	tests := []struct {
		name   string
		plane  auth.Plane
		serve  func(*httpapi.TestCall) (any, error)
		status int
		code   string
		body   string // RID stands for the request id
	}{
		{"an empty answer", auth.ControlPlane, func(*httpapi.TestCall) (any, error) { return wire.Empty{}, nil }, 200, "", `{}`},
		{"an answer is not escaped for HTML", auth.ControlPlane, func(*httpapi.TestCall) (any, error) { return map[string]string{"a": "<é>"}, nil }, 200, "", `{"a":"<é>"}`},
		{"a plain refusal", auth.ControlPlane, fail(apierr.New(apierr.NotFound, "Job j not found.")), 404, "ResourceNotFoundException", `{"message":"Job j not found."}`},
		{
			"a name that is taken", auth.ControlPlane,
			fail(&apierr.Error{Kind: apierr.AlreadyExists, Message: "taken", ResourceID: "j", ResourceARN: "arn"}),
			409, "ResourceAlreadyExistsException", `{"message":"taken","resourceId":"j","resourceArn":"arn"}`,
		},
		{
			"a version mismatch on the data plane carries the state", auth.DataPlane,
			fail(apierr.New(apierr.VersionMismatch, "Expected version 9 but found version 3").WithState(state)),
			409, "InvalidStateTransitionException", `{"message":"Expected version 9 but found version 3","executionState":{"status":"SUCCEEDED","statusDetails":{"s":"1"},"versionNumber":3}}`,
		},
		{"a version mismatch on the control plane", auth.ControlPlane, fail(apierr.New(apierr.VersionMismatch, "m")), 409, "VersionConflictException", `{"message":"m"}`},
		{"throttling on the data plane", auth.DataPlane, fail(apierr.New(apierr.Throttled, "m")), 429, "ThrottlingException", `{"message":"m"}`},
		{"throttling on the control plane", auth.ControlPlane, fail(apierr.New(apierr.Throttled, "m")), 400, "ThrottlingException", `{"message":"m"}`},
		{"a refused right on the data plane can be traced", auth.DataPlane, fail(apierr.New(apierr.Denied, "m")), 403, "ForbiddenException", `{"message":"m","traceId":"RID"}`},
		{"a refused right on the control plane", auth.ControlPlane, fail(apierr.New(apierr.Denied, "m")), 403, "AccessDeniedException", `{"message":"m"}`},
		{"a cause stays inside", auth.ControlPlane, fail(apierr.Wrap(apierr.Unavailable, errors.New("secret"), "m")), 503, "ServiceUnavailableException", `{"message":"m"}`},
		{"a fault stays inside", auth.ControlPlane, fail(errors.New("secret")), 500, "InternalFailureException", ``},
		{"a fault of kind internal stays inside", auth.DataPlane, fail(apierr.New(apierr.Internal, "secret")), 500, "InternalFailureException", ``},
		{"a kind from nowhere is a fault", auth.DataPlane, fail(apierr.New(200, "secret")), 500, "InternalFailureException", ``},
		{"an answer that cannot be encoded is a fault", auth.ControlPlane, func(*httpapi.TestCall) (any, error) { return func() {}, nil }, 500, "InternalFailureException", ``},
		{"a panic is a fault", auth.ControlPlane, func(*httpapi.TestCall) (any, error) { panic("secret") }, 500, "InternalFailureException", ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, httpapi.TestRoute{Pattern: "GET /x/{jobId}", Operation: "X", Plane: tt.plane, Serve: tt.serve})
			got := s.send(t, "GET", "/x/j1", "", "Test-Service", "iot")
			rid := got.header.Get("X-Amzn-Requestid")
			if len(rid) != 36 {
				t.Errorf("got request id %q, want a UUID", rid)
			}
			if got.status != tt.status || got.header.Get("X-Amzn-Errortype") != tt.code {
				t.Errorf("got %d %q, want %d %q", got.status, got.header.Get("X-Amzn-Errortype"), tt.status, tt.code)
			}
			if want := strings.ReplaceAll(tt.body, "RID", rid); want != "" && got.body != want {
				t.Errorf("got %s, want %s", got.body, want)
			}
			if strings.Contains(got.body, "secret") || !json.Valid([]byte(got.body)) {
				t.Errorf("got %s", got.body)
			}
			for name, want := range map[string]bool{"Content-Type": got.header.Get("Content-Type") == "application/json", "Date": got.header.Get("Date") != "", "Content-Length": got.header.Get("Content-Length") != ""} {
				if !want {
					t.Errorf("%s: got %q", name, got.header.Get(name))
				}
			}
		})
	}
}

func TestFailedAuthentication(t *testing.T) {
	t.Parallel()
	s := start(t, planes...)
	scope := func(service string) string {
		return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"
	}
	tests := []struct {
		name, method, path, authorization, refuse string
		code                                      string
	}{
		{"the control plane by its path", "GET", "/jobs/j", scope("iot-jobs-data"), "signature", "InvalidSignatureException"},
		{"the data plane by its path", "POST", "/things/t/jobs/j", scope("iot"), "signature", "ForbiddenException"},
		{"a shared path by what it claims, data", "GET", "/things/t/jobs", scope("iot-jobs-data"), "signature", "ForbiddenException"},
		{"a shared path by what it claims, control", "GET", "/things/t/jobs", scope("iot"), "signature", "InvalidSignatureException"},
		{"a shared path by what its query claims", "GET", "/things/t/jobs?X-Amz-Credential=A%2F20250101%2Fus-east-1%2Fiotdata%2Faws4_request", "", "signature", "ForbiddenException"},
		{"a shared path that claims nothing", "GET", "/things/t/jobs", "", "missing", "MissingAuthenticationTokenException"},
		{"a shared path with a torn claim", "GET", "/things/t/jobs", "AWS4-HMAC-SHA256 Credential=a/b", "signature", "InvalidSignatureException"},
		{"a path that leads nowhere is not told so", "GET", "/nothing", "", "missing", "MissingAuthenticationTokenException"},
		{"an operation that is not served is not told so", "PUT", "/job-templates/x", "", "missing", "MissingAuthenticationTokenException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, tt.method, tt.path, "", "Authorization", tt.authorization, "Test-Refuse", tt.refuse)
			if code := got.header.Get("X-Amzn-Errortype"); got.status != 403 || code != tt.code {
				t.Errorf("got %d %s, want 403 %s", got.status, code, tt.code)
			}
			if traced := strings.Contains(got.body, `"traceId":"`+got.header.Get("X-Amzn-Requestid")); traced != (tt.code == "ForbiddenException") {
				t.Errorf("got %s", got.body)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := start(t, httpapi.TestRoute{Pattern: "POST /x", Operation: "X", Plane: auth.ControlPlane, Serve: func(c *httpapi.TestCall) (any, error) {
		return map[string]int{"got": len(c.Body)}, nil
	}})
	if got := s.send(t, "POST", "/x", strings.Repeat("x", 100)); got.status != 200 || got.body != `{"got":100}` {
		t.Errorf("at the limit: got %d %s", got.status, got.body)
	}
	got := s.send(t, "POST", "/x", strings.Repeat("x", 101))
	if got.status != 413 || got.header.Get("X-Amzn-Errortype") != "RequestEntityTooLargeException" || !strings.Contains(got.body, "100 bytes") {
		t.Errorf("one beyond: got %d %s", got.status, got.body)
	}
	if got := s.send(t, "POST", "/x", ""); got.body != `{"got":0}` {
		t.Errorf("no body: got %s", got.body)
	}
}

func TestHandleDecodesAndRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, httpapi.TestRoute{
		Pattern: "POST /tags", Operation: "TagResource", Plane: auth.ControlPlane,
		Serve: httpapi.HandleTest(func(in *wire.TagResourceRequest) (wire.ListTagsForResourceResponse, error) {
			if in.ResourceARN == "gone" {
				return wire.ListTagsForResourceResponse{}, apierr.New(apierr.NotFound, "m")
			}
			return wire.ListTagsForResourceResponse{Tags: in.Tags}, nil
		}),
	})
	for body, want := range map[string]string{
		`{"resourceArn":"a","tags":[{"Key":"k","Value":"v"}]}`: `{"tags":[{"Key":"k","Value":"v"}]}`,
		`{"resourceArn":"gone","tags":[]}`:                     `{"message":"m"}`,
		`{"tags":[]}`:                                          `{"message":"1 validation error detected: Value null at 'resourceArn' failed to satisfy constraint: Member must not be null"}`,
		`{`:                                                    `{"message":"the content is not valid JSON: unexpected end of JSON input"}`,
	} {
		if got := s.send(t, "POST", "/tags", body); got.body != want {
			t.Errorf("%s: got %s, want %s", body, got.body, want)
		}
	}
}

func TestOneLogLineForEachRequest(t *testing.T) {
	t.Parallel()
	s := start(t, append(planes,
		httpapi.TestRoute{Pattern: "GET /fault", Operation: "Fault", Plane: auth.ControlPlane, Serve: fail(errors.New("disk on fire"))},
		httpapi.TestRoute{Pattern: "GET /panic", Operation: "Panic", Plane: auth.ControlPlane, Serve: func(*httpapi.TestCall) (any, error) { panic("oh") }},
	)...)
	ok := s.send(t, "POST", "/things/t1/jobs/j1?X-Amz-Signature=sealed-away", "{}", "Test-Service", "iot-jobs-data")
	s.send(t, "GET", "/fault", "", "Test-Service", "iot")
	s.send(t, "GET", "/panic", "", "Test-Service", "iot")
	s.send(t, "GET", "/jobs/j1", "", "Test-Refuse", "missing")
	s.send(t, "GET", "/nothing", "", "Test-Service", "iot")
	got := s.lines(t)
	want := []map[string]any{
		{
			"level": "INFO", "msg": "request", "op": "UpdateJobExecution", "plane": "data", "principal": "AKIDEXAMPLE",
			"thing": "t1", "job": "j1", "status": 200.0, "bytes": float64(len(ok.body)), "request_id": ok.header.Get("X-Amzn-Requestid"),
		},
		{"level": "ERROR", "op": "Fault", "status": 500.0, "code": "InternalFailureException", "err": "disk on fire", "principal": "AKIDEXAMPLE"},
		{"level": "ERROR", "op": "Panic", "status": 500.0, "code": "InternalFailureException", "err": "panic: oh"},
		{"level": "INFO", "op": "DescribeJob", "plane": "control", "status": 403.0, "code": "MissingAuthenticationTokenException", "job": "j1"},
		{"level": "INFO", "op": "unknown", "plane": "control", "status": 404.0, "code": "UnknownOperationException"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(got), len(want), s.log)
	}
	for i := range want {
		for key, value := range want[i] {
			if diff := cmp.Diff(value, got[i][key]); diff != "" {
				t.Errorf("line %d, %s: want -, got +:\n%s", i, key, diff)
			}
		}
		if _, ok := got[i]["dur"].(float64); !ok {
			t.Errorf("line %d: no duration", i)
		}
	}
	if stack, _ := got[2]["stack"].(string); !strings.Contains(stack, "front_test.go") {
		t.Errorf("got stack %q, want the place of the panic", stack)
	}
	if _, there := got[3]["principal"]; there || strings.Contains(s.log.String(), "sealed-away") {
		t.Errorf("the log shows too much:\n%s", s.log)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, planes...)
	s.send(t, "GET", "/things/t/jobs", "", "Test-Service", "iot-jobs-data")
	s.send(t, "GET", "/things/t/jobs", "", "Test-Service", "iot-jobs-data")
	s.send(t, "GET", "/random", "", "Test-Service", "iot")
	s.Close()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"muster_http_requests_total code=200 op=GetPendingJobExecutions plane=data":  2,
		"muster_http_requests_total code=404 op=unknown plane=control":               1,
		"muster_http_request_duration_seconds op=GetPendingJobExecutions plane=data": 2,
		"muster_http_request_duration_seconds op=unknown plane=control":              1,
		"muster_http_requests_in_flight":                                             0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestBadRoutesAreReportedTogether(t *testing.T) {
	t.Parallel()
	serve := echo("")
	_, err := httpapi.NewTestFront(byHeader{}, nil, nil, 0,
		httpapi.TestRoute{Pattern: "GET", Operation: "A", Plane: auth.ControlPlane, Serve: serve},
		httpapi.TestRoute{Pattern: "GET x", Operation: "B", Plane: auth.ControlPlane, Serve: serve},
		httpapi.TestRoute{Pattern: "GET /c", Operation: "C", Serve: serve},
		httpapi.TestRoute{Pattern: "GET /d/{x}", Operation: "D1", Plane: auth.DataPlane, Serve: serve},
		httpapi.TestRoute{Pattern: "GET /d/{y}", Operation: "D2", Plane: auth.DataPlane, Serve: serve},
	)
	for _, want := range []string{"route A: bad pattern", "route B: bad pattern", "route C: no plane", "route D2: GET /d/{y} is taken by D1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	reg := prometheus.NewRegistry()
	for i, want := range []bool{true, false} {
		if _, err := httpapi.NewTestFront(byHeader{}, nil, reg, 0); (err == nil) != want {
			t.Errorf("registration %d: got %v", i, err)
		}
	}
}

func TestACallerThatLeavesIsNoFault(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s := start(t, httpapi.TestRoute{Pattern: "GET /slow", Operation: "Slow", Plane: auth.ControlPlane, Serve: func(c *httpapi.TestCall) (any, error) {
		close(entered)
		<-c.Done
		return nil, c.Err()
	}})
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-entered
		leave()
	}()
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		resp.Body.Close()
		t.Error("got an answer")
	}
	got := s.lines(t)
	if len(got) != 1 || got[0]["status"] != 499.0 || got[0]["level"] != "INFO" {
		t.Errorf("got %v, want one line with status 499", got)
	}
}
